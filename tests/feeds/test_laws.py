"""Laws of every decoder: cuts change nothing, spelling changes nothing, series do not leak."""

from __future__ import annotations

import random
import re
from typing import Any

import pytest

from candlewick import feeds
from candlewick.feeds import binance
from candlewick.feeds.decoded import Decoded
from candlewick.model.columns import Kind, trades_of
from candlewick.model.instruments import Instruments
from candlewick.model.outcome import Frame

MIXED = {
    "binance": [
        "cryptofeed/binance_spot_2021-08-14_ftmusdt_sxpbtc_badgerbtc_xmrbtc.jsonl.zst",
        "cryptofeed/binance_us_2021-10-12_4symbols.jsonl.zst",
        "gocryptotrader/ws_messages.jsonl",
    ],
    "kraken": [
        "kraken_v2_frames/book_btcusd_depth10_2026-08-24.jsonl",
        "kraken_v2_frames/ohlc_btcusdt_2026-09-10.jsonl",
        "kraken_async_rs/ws_v2_messages.jsonl",
        "tardis_node/mapper_messages_and_expected.jsonl",
    ],
}


def table(parts: list[Decoded], decoder: Any = None) -> Any:
    """Everything that decoding gave, in order; quotes as the last of each series, without those of
    a book that is not valid any more: a batch shows none where the book ended invalid."""

    def readable(series: int) -> bool:
        book = decoder.book(series) if decoder else None
        return book is None or book.valid

    counts: dict[str, int] = {}
    for part in parts:
        for name, count in part.counts.items():
            counts[name] = counts.get(name, 0) + count
    return (
        [row for p in parts for row in p.events.records().tolist()],
        {s: quote for p in parts for s, quote in p.quotes.items() if readable(s)},
        [q for p in parts for q in p.quarantined],
        [n for p in parts for n in p.notices],
        [(w.kind, w.instrument.symbol) for p in parts for w in p.wants],
        [row for p in parts for row in p.gaps.records().tolist()],
        counts,
    )


def cut(frames: list[Frame], sizes: Any, venue: str) -> Any:
    decoder = feeds.venue(venue).Decoder(Instruments())
    parts, at = [], 0
    while at < len(frames):
        size = next(sizes)
        parts.append(decoder.decode(frames[at : at + size]))
        at += size
    return table(parts, decoder)


@pytest.mark.parametrize("venue", feeds.venues())
def test_how_frames_are_batched_changes_nothing(venue: str, lines: Any) -> None:
    frames = [frame for name in MIXED[venue] for _, frame in lines(name)]
    decoder = feeds.venue(venue).Decoder(Instruments())
    whole = table([decoder.decode(frames)], decoder)
    assert len(whole[0]) > 5
    for seed in range(4):
        dice = random.Random(seed)
        sizes = iter(lambda d=dice: d.choice([1, 1, 2, 3, 10, 100]), None)
        assert cut(frames, sizes, venue) == whole
    assert cut(frames, iter(lambda: 1, None), venue) == whole


@pytest.mark.parametrize("name", MIXED["binance"])
def test_the_compiled_lane_and_the_plain_lane_agree(name: str, lines: Any) -> None:
    """A space after a colon sends every frame down the plain lane; the rows must be the same."""
    frames = [frame for _, frame in lines(name)]
    spaced = [f._replace(raw=re.sub(rb'":(?=["{\[\d tf])', b'": ', f.raw)) for f in frames]
    assert spaced != frames
    first = binance.Decoder(Instruments()).decode(frames)
    second = binance.Decoder(Instruments()).decode(spaced)
    assert table([first])[:2] == table([second])[:2]
    assert table([first])[3:] == table([second])[3:]


def test_numbers_at_the_edge_are_the_same_in_both_lanes() -> None:
    dice = random.Random(5)
    template = '{{"e":"trade","E":1,"s":"BTCUSDT","t":{},"p":"{}","q":"{}","T":{},"m":{},"M":true}}'
    numbers = [
        "1", "0", "00", "007.5", "1.", ".5", "0.00000001", "0.000000001", "92233720368.54775807",
        "92233720368.54775808", "999999999", "99999999999", "1.10", "1.1000000000", "1e2", "+1",
        "1.0.0", "1..0", "123456789012345678", "0.123456789012345678", "9" * 45,
    ]  # fmt: skip
    idents = ["0", "1", "01", "999999999999999999", "9223372036854775807", "-1", "1.0", "1e3"]
    epochs = ["1723161255342", "1723161255342123", "0", "99999999999999", "4102444800000", "1"]
    for _ in range(3000):
        raw = template.format(
            dice.choice(idents), dice.choice(numbers), dice.choice(numbers), dice.choice(epochs),
            dice.choice(["true", "false"]),
        ).encode()  # fmt: skip
        results = []
        for told in (raw, raw.replace(b":", b": ")):
            decoder = binance.Decoder(Instruments())
            decoder.decode([Frame(b"", 0, "connect", "ws://h/ws/btcusdt@trade")])
            decoded = decoder.decode([Frame(told, 0)])
            reasons = [q.reason for q in decoded.quarantined]
            results.append((decoded.events.records().tolist(), reasons, decoded.counts))
        assert results[0] == results[1], raw


def test_microseconds_are_told_from_milliseconds() -> None:
    raw = b'{"e":"trade","E":1,"s":"BTCUSDT","t":7,"p":"1","q":"2","T":%s,"m":false}'
    frames = [Frame(raw % t) for t in (b"1723161255342", b"1723161255342567")]
    decoded = binance.Decoder(Instruments()).decode(frames)
    assert decoded.events.at_ns.tolist() == [1723161255342000000, 1723161255342567000]


def test_one_symbol_has_one_source_of_trades() -> None:
    tail = b'"T":1723161255342,"m":false,"M":true}'
    one = b'{"e":"aggTrade","E":1,"s":"BTCUSDT","a":5,"p":"1","q":"2","f":7,"l":9,' + tail
    other = b'{"e":"trade","E":1,"s":"BTCUSDT","t":7,"p":"1","q":"2",' + tail
    for frames, ident in (([one, other], 5), ([other, one], 7)):
        for batch in ([frames], [frames[:1], frames[1:]]):
            decoder = binance.Decoder(Instruments())
            parts = [decoder.decode([Frame(raw) for raw in part]) for part in batch]
            assert [i for p in parts for i in p.events.id.tolist()] == [ident]
            assert sum(p.counts["control_frames"] for p in parts) == 1


def test_a_lost_depth_message_resets_that_symbol_only(lines: Any) -> None:
    name = "cryptofeed/binance_spot_2021-04-04_btcusdt_ethusdt_dotusdt.jsonl.zst"
    frames = [frame for _, frame in lines(name)]
    lost = next(i for i, f in enumerate(frames) if i > 1000 and b"ethusdt@depth" in f.raw)
    u = [int(x) for x in re.findall(rb'"[Uu]":(\d+)', frames[lost].raw)]
    instruments = Instruments()
    decoder = binance.Decoder(instruments)
    decoded = decoder.decode(frames[:lost] + frames[lost + 1 :])
    books = {i.symbol: decoder.book(i.series) for i in instruments}
    standing = {symbol: book is not None and book.valid for symbol, book in books.items()}
    assert standing == {"DOT/USDT": True, "BTC/USDT": True, "ETH/USDT": False}
    (gap,) = decoded.gaps.records().tolist()
    assert instruments[gap[0]].symbol == "ETH/USDT"
    assert gap[1:4] == (1, *u)
    assert gap[7:] == (u[1] - u[0] + 1, 0, 0)
    assert [w.instrument.symbol for w in decoded.wants].count("ETH/USDT") == 2


def test_adding_a_symbol_changes_nothing_for_the_others(lines: Any) -> None:
    name = "cryptofeed/binance_us_2021-04_10symbols.jsonl.zst"
    frames = [frame for _, frame in lines(name)][1:]  # Without the address that names them all.
    instruments = Instruments()
    everything = trades_of(binance.Decoder(instruments).decode(frames).events)
    series = next(i.series for i in instruments if i.native == "BTCUSD")
    some = [f for f in frames if b'"BTCUSD"' in f.raw or "BTCUSD&" in f.url]
    alone = trades_of(binance.Decoder(Instruments()).decode(some).events)
    rows = everything.take(everything.series == series)
    assert len(alone) > 3
    assert rows.id.tolist() == alone.id.tolist()
    assert rows.price.tolist() == alone.price.tolist()


def test_the_venue_of_a_time_from_the_future_keeps_its_clock() -> None:
    depth = b'{"e":"depthUpdate","E":%d,"s":"BTCUSDT","U":1,"u":2,"b":[],"a":[]}'
    now_ms = 1_723_161_255_000
    frames = [
        Frame(depth % (now_ms + ahead_ms), now_ms * 1_000_000)
        for ahead_ms in (0, 59_000, 61_000, 59_100, 59_250)
    ]
    decoded = binance.Decoder(Instruments()).decode(frames)
    assert [q.reason for q in decoded.quarantined] == ["from_the_future"]
    assert decoded.events.kind.tolist() == [Kind.TICK] * 3
    assert [(at // 10**6) - now_ms for at in decoded.events.at_ns.tolist()] == [0, 59_000, 59_250]


def test_a_symbol_that_the_shell_admits_takes_the_compiled_lane() -> None:
    """However many there are: the tables of the lane grow with the series."""
    raw = b'{"e":"trade","E":1,"s":"%s","t":7,"p":"1","q":"2","T":1723161255342,"m":true,"M":true}'
    instruments = Instruments()
    decoder = binance.Decoder(instruments)
    natives = [f"A{i}USDT" for i in range(100)]
    admitted = [decoder.admit(native).series for native in natives]
    assert admitted == list(range(100))
    decoder._plain = None  # type: ignore[assignment,method-assign]
    decoded = decoder.decode([Frame(raw % native.encode()) for native in reversed(natives)])
    assert decoded.events.series.tolist() == admitted[::-1]
    assert decoded.counts["data_frames"] == 100


def test_a_diff_after_which_prices_cross_takes_the_book_away_in_both_lanes() -> None:
    depth = b'{"e":"depthUpdate","E":%d,"s":"BTCUSDT","U":%d,"u":%d,"b":[["%s","1"]],"a":[]}'
    now_ms = 1_723_161_255_000
    snapshot = b'{"lastUpdateId":10,"bids":[["100","1"]],"asks":[["110","1"]]}'
    frames = [
        Frame(snapshot, 0, "http", "https://h/api/v3/depth?symbol=BTCUSDT"),
        Frame(depth % (now_ms, 11, 11, b"105")),
        Frame(depth % (now_ms + 100, 12, 13, b"111")),
        Frame(depth % (now_ms + 200, 14, 14, b"104")),
    ]
    seen = []
    for told in (frames, [f._replace(raw=f.raw.replace(b":", b": ")) for f in frames]):
        decoder = binance.Decoder(Instruments())
        decoded = decoder.decode(told)
        book = decoder.book(0)
        assert book is not None
        assert (book.valid, book.reason, book.best()) == (False, "crossed", None)
        (gap,) = decoded.gaps.records().tolist()
        assert gap[2:4] == (12, 13)
        assert len(decoded.wants) == 1
        healed = decoder.decode([told[0]._replace(raw=snapshot.replace(b"10,", b"13,"))])
        assert book.levels(9)[0] == [(104 * 10**8, 10**8), (100 * 10**8, 10**8)]
        assert healed.quotes[0].bid == 104 * 10**8
        seen.append((table([decoded], decoder), healed.gaps.records().tolist()))
    assert seen[0] == seen[1]


def test_a_single_missing_update_is_a_hole_in_both_lanes() -> None:
    depth = b'{"e":"depthUpdate","E":1723161255000,"s":"BTCUSDT","U":%d,"u":%d,"b":[],"a":[]}'
    frames = [
        Frame(
            b'{"lastUpdateId":10,"bids":[["100","1"]],"asks":[["110","1"]]}',
            origin="http",
            url="https://h/api/v3/depth?symbol=BTCUSDT",
        ),
        *[Frame(depth % ids) for ids in ((10, 11), (11, 12), (9, 12), (14, 15))],
    ]
    for told in (frames, [f._replace(raw=f.raw.replace(b":", b": ")) for f in frames]):
        decoder = binance.Decoder(Instruments())
        assert len(decoder.decode(told[:-1]).gaps) == 0
        assert decoder.book(0).valid  # type: ignore[union-attr]
        (gap,) = decoder.decode(told[-1:]).gaps.records().tolist()
        assert gap[2:4] == (13, 13)
        assert not decoder.book(0).valid  # type: ignore[union-attr]
