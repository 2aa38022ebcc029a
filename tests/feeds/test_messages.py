"""Single messages that other projects collected: each is data, control or a named refusal."""

from __future__ import annotations

import json
from collections import Counter
from decimal import Decimal
from typing import Any

import pytest

from candlewick import feeds
from candlewick.feeds import kraken, kraken_wire
from candlewick.feeds.frames import read
from candlewick.model.columns import trades_of
from candlewick.model.instruments import Instruments
from candlewick.model.outcome import Frame
from candlewick.model.time import from_rfc3339

TARDIS = "tardis_node/mapper_messages_and_expected.jsonl"
COLLECTIONS = [
    # venue, file, words in the name, data, control, refusals by reason
    ("kraken", "kraken_async_rs/ws_v2_messages.jsonl", "", 7, 28, {"unknown_message": 2}),
    (
        "kraken", "nautilus_trader/kraken_messages.jsonl", "", 3, 20,
        {"unknown_message": 13, "wrong_type": 3},  # Kraken Futures speaks another protocol.
    ),
    (
        "kraken", "gocryptotrader/ws_messages.jsonl", "kraken", 0, 0,
        {"wrong_type": 9, "unknown_message": 2},  # Protocol v1.
    ),
    ("kraken", TARDIS, "kraken v2", 6, 0, {}),
    ("kraken", TARDIS, "kraken messages", 0, 0, {"wrong_type": 8}),  # Protocol v1.
    (
        "binance", "nautilus_trader/binance_messages.jsonl", "", 6, 24,
        {"unknown_message": 8, "no_symbol": 1},
    ),
    ("binance", "gocryptotrader/ws_messages.jsonl", "binance", 3, 3, {}),
    ("binance", TARDIS, "map binance messages", 10, 0, {}),
    (
        # Its aggTrades come first, so its two lists of trades are control.
        "binance", "gocryptotrader/binance_rest_recorded.jsonl.zst", "", 15, 31,
        {"missing_key": 3},  # Rows whose key `m` the recorder lost.
    ),
]  # fmt: skip


@pytest.mark.parametrize(
    ("venue", "name", "word", "data", "control", "refused"),
    COLLECTIONS,
    ids=lambda v: v if isinstance(v, str) else "",
)
def test_every_message_is_accounted_for(
    lines: Any, venue: str, name: str, word: str, data: int, control: int, refused: dict[str, int]
) -> None:
    frames = [frame for told, frame in lines(name) if word in told.get("name", "")]
    if "rest_recorded" in name:
        told = [t for t, _ in lines(name)]
        frames = [
            f._replace(origin="http", url="https://h" + t["name"].split(" ", 1)[1])
            for t, f in zip(told, frames, strict=True)
        ]
    decoded = feeds.venue(venue).Decoder(Instruments()).decode(frames)
    assert Counter(q.reason for q in decoded.quarantined) == refused
    assert decoded.counts == {
        "frames": len(frames),
        "data_frames": data,
        "control_frames": control,
        "peer_errors": sum(refused.values()),
    }
    kept = {q.raw for q in decoded.quarantined}
    assert kept <= {f.raw for f in frames}


def test_recorded_rest_trades_are_rows(lines: Any) -> None:
    name = "gocryptotrader/binance_rest_recorded.jsonl.zst"
    (told,) = [t for t, _ in lines(name) if t["name"].startswith("GET /api/v3/trades")]
    url = "https://h" + told["name"].split(" ", 1)[1]
    instruments = Instruments()
    decoder = feeds.venue("binance").Decoder(instruments)
    decoded = decoder.decode([Frame(told["raw"].encode(), 0, "http", url)])
    wanted = [
        (r["id"], r["time"] * 10**6, Decimal(r["price"]), Decimal(r["qty"]),
         -1 if r["isBuyerMaker"] else 1)
        for r in json.loads(told["raw"])
    ]  # fmt: skip
    found = [
        (r[1], r[2], Decimal(r[4]).scaleb(-8), Decimal(r[5]).scaleb(-8), r[6])
        for r in trades_of(decoded.events).records().tolist()
    ]
    assert found == wanted
    history = feeds.venue("binance").FEED.history(told["raw"].encode(), instruments[0], 0)
    assert history.id.tolist() == sorted(row[0] for row in wanted)


# What tardis.dev's own mapper expects of its messages.


def tardis(lines: Any, word: str) -> list[tuple[dict[str, Any], Frame]]:
    return [(told, frame) for told, frame in lines(TARDIS) if word in told["name"]]


def near(units: int, value: float, decimals: int) -> bool:
    return Decimal(units).scaleb(-decimals) == Decimal(str(value))


@pytest.mark.parametrize(
    ("venue", "word", "scale"),
    [("binance", "map binance messages", (8, 8)), ("kraken", "kraken v2", (10, 8))],
)
def test_tardis_trades_and_quotes(
    lines: Any, venue: str, word: str, scale: tuple[int, int]
) -> None:
    instruments = Instruments()
    decoder = feeds.venue(venue).Decoder(instruments)
    seen: Counter[str] = Counter()
    for told, frame in tardis(lines, word):
        decoded = decoder.decode([frame])
        trades = trades_of(decoded.events).records().tolist()
        wanted = [e for e in told["expected"] if e["type"] == "trade"]
        if b'"type":"snapshot"' not in frame.raw:  # Tardis leaves Kraken's trade snapshots out.
            assert len(trades) == len(wanted)
            for found, e in zip(trades, wanted, strict=True):
                assert instruments[found[0]].native == e["symbol"]
                assert str(found[1]) == e["id"]
                assert found[2] == from_rfc3339(e["timestamp"])
                assert near(found[4], e["price"], scale[0])
                assert near(found[5], e["amount"], scale[1])
                assert found[6] == {"buy": 1, "sell": -1}[e["side"]]
                seen["trade"] += 1
        tickers = [e for e in told["expected"] if e["type"] == "book_ticker"]
        for e in tickers:
            if decoder.book(0) is not None and venue == "kraken":
                continue  # It has a book by then, and a quote comes from there.
            (quote,) = decoded.quotes.values()
            assert near(quote.bid, e["bidPrice"], scale[0])
            assert near(quote.bid_size, e["bidAmount"], scale[1])
            assert near(quote.ask, e["askPrice"], scale[0])
            assert near(quote.ask_size, e["askAmount"], scale[1])
            seen["book_ticker"] += 1
    assert seen["trade"] == {"binance": 2, "kraken": 1}[venue]


def test_tardis_kraken_ticker_without_a_book(lines: Any) -> None:
    """The same ticker alone, and the one with zeros, of which tardis expects nothing."""
    frames = [f for _, f in tardis(lines, "kraken v2") if b'"ticker"' in f.raw]
    decoder = feeds.venue("kraken").Decoder(Instruments())
    (quote,) = decoder.decode(frames).quotes.values()
    assert quote[1:] == (
        999_000_000_000, 120_000_000, 1_001_000_000_000, 230_000_000,
        from_rfc3339("2026-07-10T00:00:02.123456Z"),
    )  # fmt: skip


def test_tardis_binance_book_changes(lines: Any) -> None:
    """After each message the book has every level that tardis says was changed."""
    instruments = Instruments()
    decoder = feeds.venue("binance").Decoder(instruments)
    compared = 0
    for told, frame in tardis(lines, "map binance messages"):
        decoder.decode([frame])
        for e in told["expected"]:
            if e["type"] != "book_change":
                continue
            series = next(i.series for i in instruments if i.native == e["symbol"])
            book = decoder.book(series)
            assert book is not None
            assert book.valid
            sides = [dict(side) for side in book.levels(1000)]
            for side, name in zip(sides, ("bids", "asks"), strict=True):
                for level in e[name]:
                    price = int(Decimal(str(level["price"])).scaleb(8))
                    assert near(side.get(price, 0), level["amount"], 8)
                    compared += 1
                if e["isSnapshot"]:
                    assert len(side) == len(e[name])
    assert compared == 16


def test_tardis_kraken_book_changes(lines: Any) -> None:
    """Its checksums are made up, so the levels are compared as they are read."""
    compared = 0
    for told, frame in tardis(lines, "kraken v2"):
        for e in told["expected"]:
            if e["type"] != "book_change":
                continue
            envelope = read(kraken_wire.ENVELOPE, frame.raw)
            (entry,) = read(kraken_wire.BOOKS, envelope.data)
            message = kraken.message(entry, from_rfc3339(entry.timestamp), (10, 8))
            levels = [*e["bids"], *e["asks"]]
            assert (entry.symbol, message.change.bids) == (e["symbol"], len(e["bids"]))
            assert message.change.at_ns == from_rfc3339(e["timestamp"])
            for price, size, level in zip(
                message.change.prices, message.change.sizes, levels, strict=True
            ):
                assert near(int(price), level["price"], 10)
                assert near(int(size), level["amount"], 8)
                compared += 1
    assert compared == 3
