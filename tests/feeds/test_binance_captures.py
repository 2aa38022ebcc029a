"""Every Binance capture goes through whole: trades, books, quotes, every frame accounted for."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from candlewick.feeds import binance
from candlewick.feeds.continuity import Continuity
from candlewick.model.columns import Kind, trades_of
from candlewick.model.instruments import Instruments

CAPTURES = {
    # name: (frames, trades, symbols with a book)
    "cryptofeed/binance_spot_2021-04-04_btcusdt_ethusdt_dotusdt.jsonl.zst": (4720, 1910, 3),
    "cryptofeed/binance_spot_2021-08-14_ftmusdt_sxpbtc_badgerbtc_xmrbtc.jsonl.zst": (1008, 28, 4),
    "cryptofeed/binance_spot_2021-10-12_nknusdt_blzeth_lrcbtc_runeeur.jsonl.zst": (271, 2, 4),
    "cryptofeed/binance_us_2021-04_10symbols.jsonl.zst": (6019, 188, 10),
    "cryptofeed/binance_us_2021-10-12_4symbols.jsonl.zst": (486, 11, 4),
    "hftbacktest/binance_spot_btcusdt_2024-08-08_2354_to_2024-08-09_0005.jsonl.zst": (
        99574, 19904, 1,
    ),
}  # fmt: skip


class PlainReading:
    """The capture read with `json` and `Decimal` alone."""

    def __init__(self, lines: list[Any]) -> None:
        self.trades: list[tuple[str, int, int, Decimal, Decimal, int, int]] = []
        self.tickers: dict[str, tuple[Decimal, ...]] = {}
        self.books: dict[str, tuple[dict[Decimal, Decimal], dict[Decimal, Decimal]]] = {}
        self.waiting: dict[str, list[dict[str, Any]]] = {}
        self.last_id: dict[str, int] = {}
        for told, frame in lines:
            if told.get("dir") == "connect" or "exchangeInfo" in frame.url:
                continue
            message = json.loads(told["raw"])
            message = message.get("data", message)
            if "lastUpdateId" in message:
                self.snapshot(frame.url, message)
            elif message.get("e") == "depthUpdate":
                self.waiting.setdefault(message["s"], []).append(message)
            elif message.get("e") in ("trade", "aggTrade"):
                self.trade(message, frame.seen_ns)
            elif "B" in message:
                self.tickers[message["s"]] = tuple(Decimal(message[key]) for key in "bBaA")
        for symbol in self.books:
            for diff in self.waiting.get(symbol, []):
                self.diff(symbol, diff)

    def trade(self, m: dict[str, Any], seen_ns: int) -> None:
        ident = m["t"] if m["e"] == "trade" else m["a"]
        side = -1 if m["m"] else 1
        at_ns = m["T"] * 1_000_000
        self.trades.append((m["s"], ident, at_ns, Decimal(m["p"]), Decimal(m["q"]), side, seen_ns))

    def snapshot(self, url: str, m: dict[str, Any]) -> None:
        symbol = url.partition("symbol=")[2].partition("&")[0] or next(iter(self.waiting))
        self.books[symbol] = tuple(  # type: ignore[assignment]
            {Decimal(p): Decimal(q) for p, q in m[side]} for side in ("bids", "asks")
        )
        self.last_id[symbol] = m["lastUpdateId"]

    def diff(self, symbol: str, m: dict[str, Any]) -> None:
        if m["u"] <= self.last_id[symbol]:
            return
        assert m["U"] <= self.last_id[symbol] + 1, "the capture itself has a hole"
        self.last_id[symbol] = m["u"]
        for side, levels in zip(self.books[symbol], (m["b"], m["a"]), strict=True):
            for price, size in levels:
                side[Decimal(price)] = Decimal(size)
                if not Decimal(size):
                    del side[Decimal(price)]


def exact(units: int, decimals: int) -> Decimal:
    return Decimal(units).scaleb(-decimals)


@pytest.fixture(scope="module", params=CAPTURES, ids=lambda name: name.partition("/")[2][:28])
def read(request: pytest.FixtureRequest, lines: Any) -> Any:
    told = lines(request.param)
    instruments = Instruments()
    decoder = binance.Decoder(instruments)
    decoded = decoder.decode([frame for _, frame in told])
    return CAPTURES[request.param], PlainReading(told), decoder, decoded, instruments


def test_every_frame_is_accounted_for(read: Any) -> None:
    (frames, _, _), _, _, decoded, _ = read
    counts = decoded.counts
    assert counts["frames"] == frames
    assert counts["data_frames"] + counts["control_frames"] == frames
    assert counts["peer_errors"] == 0
    assert decoded.quarantined == []


def test_the_whole_trade_table_is_the_plain_reading(read: Any) -> None:
    (_, trades, _), plain, _, decoded, instruments = read
    t = trades_of(decoded.events)
    table = [
        (
            instruments[series].native,
            ident,
            at_ns,
            exact(price, instruments[series].price_decimals),
            exact(size, instruments[series].size_decimals),
            side,
            seen_ns,
        )
        for series, ident, at_ns, seen_ns, price, size, side in t.records().tolist()
    ]
    assert table == plain.trades
    assert len(table) == trades


def test_books_end_valid_and_equal_to_the_plain_book(read: Any) -> None:
    (_, _, symbols), plain, decoder, decoded, instruments = read
    assert len(plain.books) == symbols
    assert len(decoded.gaps) == 0
    for symbol, (bids, asks) in plain.books.items():
        instrument = next(i for i in instruments if i.native == symbol)
        book = decoder.book(instrument.series)
        assert book is not None
        assert book.valid, book.reason
        found = [
            [
                (exact(p, instrument.price_decimals), exact(q, instrument.size_decimals))
                for p, q in side
            ]
            for side in book.levels(20_000)
        ]
        assert found[0] == sorted(bids.items(), reverse=True)
        assert found[1] == sorted(asks.items())


def test_quotes_are_the_last_book_ticker_or_else_the_best_of_the_book(read: Any) -> None:
    _, plain, decoder, decoded, instruments = read
    for instrument in instruments:
        quote = decoded.quotes[instrument.series]
        scales = (instrument.price_decimals, instrument.size_decimals) * 2
        found = tuple(exact(u, d) for u, d in zip(quote[1:5], scales, strict=True))
        if instrument.native in plain.tickers:
            assert found == plain.tickers[instrument.native]
        else:
            assert quote == decoder.book(instrument.series).best()


def test_a_snapshot_is_wanted_once_for_each_symbol(read: Any) -> None:
    (_, _, symbols), _, _, decoded, _ = read
    assert sorted(w.instrument.series for w in decoded.wants) == list(range(symbols))
    assert {w.kind for w in decoded.wants} == {"depth"}


def test_trade_ids_have_no_hole_and_no_duplicate(read: Any) -> None:
    (_, trades, _), _, _, decoded, instruments = read
    continuity = Continuity(instruments)
    events, gaps, counts = continuity.scan(decoded.events)
    last = continuity.flush()
    assert counts["trades"] == trades
    assert counts["duplicates"] == counts["gaps"] == last[2]["gaps"] == len(gaps) == 0
    assert events.same_as(decoded.events)


def test_the_clock_rises_by_at_least_a_quarter_second_with_every_tick(read: Any) -> None:
    _, _, _, decoded, _ = read
    ticks = decoded.events.take(decoded.events.kind == Kind.TICK)
    told = np.maximum.accumulate(decoded.events.at_ns)
    before = told[np.flatnonzero(decoded.events.kind == Kind.TICK)[1:] - 1]
    assert len(ticks) > 20
    assert (ticks.at_ns[1:] - before >= 250_000_000).all()


def test_listed_filters_give_tick_and_lot_with_room_for_older_orders(lines: Any) -> None:
    """NKNUSDT had tick 0.0001, and orders of an older, finer tick still in its book."""
    name = "cryptofeed/binance_spot_2021-10-12_nknusdt_blzeth_lrcbtc_runeeur.jsonl.zst"
    instruments = Instruments()
    binance.Decoder(instruments).decode([frame for _, frame in lines(name)])
    found = {i.symbol: (i.price_text(i.tick), i.size_text(i.lot)) for i in instruments}
    assert found == {
        "NKN/USDT": ("0.0001", "1"),
        "BLZ/ETH": ("0.00000001", "1"),
        "LRC/BTC": ("0.00000001", "1"),
        "RUNE/EUR": ("0.001", "0.1"),
    }
