"""Every Kraken v2 capture goes through whole: checksums, books, trades, listings, refusals."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any
from zlib import crc32

import pytest

from candlewick.feeds import kraken
from candlewick.feeds.book import Standing
from candlewick.feeds.decoded import Notice
from candlewick.model.columns import Kind, trades_of
from candlewick.model.instruments import Instruments
from candlewick.model.outcome import Frame

BOOK = "kraken_v2_frames/book_btcusd_depth10_2026-08-24.jsonl"
OFFICIAL = "kraken_v2_frames/book_checksum_official_example.jsonl"
OHLC = "kraken_v2_frames/ohlc_btcusdt_2026-09-10.jsonl"
LISTING = "kraken_data_recorder/kraken_v2_instrument_snapshot.jsonl.zst"
REST_TRADES = "nautilus_trader/kraken_rest_trades_xbtusdt_2025-11-10_until_2130.json.zst"


def decode(lines: list[Any], instruments: Instruments | None = None) -> Any:
    decoder = kraken.Decoder(Instruments() if instruments is None else instruments)
    return decoder, decoder.decode([frame for _, frame in lines])


def exact(units: int, decimals: int) -> Decimal:
    return Decimal(units).scaleb(-decimals)


def plain_checksum(bids: dict[Decimal, str], asks: dict[Decimal, str]) -> int:
    """By the letter of the guide, from texts `price|size`."""
    best = [asks[p] for p in sorted(asks)[:10]] + [bids[p] for p in sorted(bids, reverse=True)[:10]]
    texts = [part.replace(".", "").lstrip("0") for level in best for part in level.split("|")]
    return crc32("".join(texts).encode())


def test_the_book_capture_ends_valid_and_equal_to_a_plain_book(lines: Any) -> None:
    told = lines(BOOK)
    decoder, decoded = decode(told)
    sides: tuple[dict[Decimal, str], dict[Decimal, str]] = ({}, {})
    checked = 0
    for line, _ in told:
        message = json.loads(line["raw"], parse_float=str, parse_int=str)
        if message.get("channel") != "book":
            continue
        for side, name in zip(sides, ("bids", "asks"), strict=True):
            for level in message["data"][0][name]:
                side[Decimal(level["price"])] = f"{level['price']}|{level['qty']}"
                if not Decimal(level["qty"]):
                    del side[Decimal(level["price"])]
            for price in sorted(side, reverse=name == "bids")[10:]:
                del side[price]
        assert plain_checksum(*sides) == int(message["data"][0]["checksum"])
        checked += 1
    assert checked == 4
    book = decoder.book(0)
    assert book.valid, book.reason
    found = [{exact(p, 10): exact(q, 8) for p, q in side} for side in book.levels(10)]
    wanted = [{p: Decimal(t.split("|")[1]) for p, t in side.items()} for side in sides]
    assert found == wanted
    assert decoded.quotes[0] == book.best()
    assert decoded.counts == {
        "frames": 8, "data_frames": 4, "control_frames": 4, "peer_errors": 0,
    }  # fmt: skip
    assert decoded.notices == [Notice("status", "online")]


@pytest.mark.parametrize("listed", [False, True])
def test_every_checksum_is_verified_with_and_without_declared_precision(
    lines: Any, listed: bool
) -> None:
    """Numbers as JSON numbers and, in the official example, as strings."""
    for name in (BOOK, OFFICIAL):
        told = [*(lines(LISTING) if listed else []), *lines(name)]
        decoder, decoded = decode(told)
        assert decoder.book(0).valid, decoder.book(0).reason
        assert len(decoded.gaps) == 0
        assert decoded.wants == []


@pytest.mark.parametrize("line", [2, 5, 6, 7])
def test_one_changed_digit_in_any_book_frame_is_noticed(lines: Any, line: int) -> None:
    told = [frame for _, frame in lines(BOOK)]
    raw = told[line].raw.replace(b'"qty":0.6', b'"qty":0.7').replace(b"0.01378631", b"0.01378632")
    raw = raw.replace(b"0.34775324", b"0.34775325")
    assert raw != told[line].raw
    told[line] = told[line]._replace(raw=raw)
    decoder = kraken.Decoder(Instruments())
    decoded = decoder.decode(told)
    assert decoder.book(0).state is Standing.INVALID
    assert "checksum" in decoder.book(0).reason
    assert decoder.book(0).best() is None
    (gap,) = decoded.gaps.records().tolist()
    assert gap[1] == 1
    assert gap[2] == gap[3] == gap[6]
    assert gap[7:] == (1, 0, 0)
    assert [w.kind for w in decoded.wants] == ["resubscribe"]
    healed = decoder.decode([told[2]._replace(raw=lines(BOOK)[2][1].raw)])
    assert decoder.book(0).valid
    (row,) = healed.gaps.records().tolist()
    assert row[:4] == gap[:4]
    assert row[7] == 0
    assert row[8] > 0


def test_the_rest_trades_are_the_whole_table_with_exact_times(body: Any) -> None:
    raw = body(REST_TRADES)
    frame = Frame(raw, 0, "http", "https://h/0/public/Trades?pair=XBTUSDT")
    instruments = Instruments()
    decoder = kraken.Decoder(instruments)
    decoded = decoder.decode([frame])
    rows = json.loads(raw, parse_float=Decimal)["result"]["XBTUSDT"]
    wanted = [
        (
            0,
            ident,
            int(seconds * 10**9),
            0,
            Decimal(price),
            Decimal(size),
            1 if side == "b" else -1,
        )
        for price, size, seconds, side, _, _, ident in rows
    ]
    found = [
        (*row[:4], exact(row[4], 10), exact(row[5], 8), row[6])
        for row in trades_of(decoded.events).records().tolist()
    ]
    assert len(found) == 536
    assert found == wanted
    assert instruments[0].symbol == "BTC/USDT"
    assert decoded.counts["data_frames"] == 1
    seen_ns = 1_800_000_000_000_000_000
    again = kraken.history(raw, instruments[0], seen_ns)
    assert again.price.tolist() == decoded.events.price.tolist()
    assert set(again.seen_ns.tolist()) == {seen_ns}


def test_the_ohlc_capture_is_data_with_an_honest_refusal(lines: Any) -> None:
    _, decoded = decode(lines(OHLC))
    assert decoded.counts == {
        "frames": 6, "data_frames": 2, "control_frames": 4, "peer_errors": 0,
    }  # fmt: skip
    assert [n.kind for n in decoded.notices] == ["status", "refused"]
    assert "XBT/USDT" in decoded.notices[1].text
    assert decoded.events.kind.tolist() == [Kind.TICK]
    assert decoded.events.at_ns.tolist() == [1_789_062_283_105_760_475]


def test_a_listing_gives_decimals_tick_and_lot_only_to_markets_that_come(lines: Any) -> None:
    instruments = Instruments()
    trade = Frame(
        b'{"channel":"trade","type":"update","data":[{"symbol":"EUR/USD","side":"sell",'
        b'"price":1.08,"qty":5.00000000,"ord_type":"limit","trade_id":7,'
        b'"timestamp":"2024-05-27T12:33:10.8Z"}]}'
    )
    _, decoded = decode([*lines(LISTING), ({}, trade)], instruments)
    assert decoded.counts["data_frames"] == 2
    (euro,) = instruments
    assert (euro.symbol, euro.price_decimals, euro.size_decimals) == ("EUR/USD", 8, 8)
    assert (euro.price_text(euro.tick), euro.size_text(euro.lot)) == ("0.00001", "0.00000001")
    assert euro.price_text(int(decoded.events.price[0])) == "1.08"


def test_a_heartbeat_is_the_time_of_its_arrival(lines: Any) -> None:
    frames = [frame for _, frame in lines(BOOK)]
    beat = Frame(b'{"channel":"heartbeat"}', 1_900_000_000_000_000_000)
    decoder = kraken.Decoder(Instruments())
    assert decoder.decode([beat]).events.kind.tolist() == []  # Of no series yet.
    decoded = decoder.decode([*frames, beat])
    assert decoded.events.at_ns.tolist()[-1] == beat.seen_ns
