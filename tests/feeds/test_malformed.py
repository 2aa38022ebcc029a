"""Bad frames are kept and counted with a reason, leave nothing behind, and the next is handled."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from candlewick import feeds
from candlewick.feeds.decoded import FRAME_BYTES_MAX
from candlewick.model.instruments import Instrument, Instruments
from candlewick.model.outcome import Frame

TRADE = (
    b'{"stream":"btcusdt@trade","data":{"e":"trade","E":1723161255343,"s":"BTCUSDT",'
    b'"t":3735683259,"p":"61837.63000000","q":"0.02000000","T":1723161255342,"m":true,"M":true}}'
)
TICKER = (
    b'{"stream":"btcusdt@bookTicker","data":{"u":50093239212,"s":"BTCUSDT",'
    b'"b":"61837.63000000","B":"3.78826000","a":"61837.64000000","A":"1.54698000"}}'
)
DEPTH = (
    b'{"stream":"btcusdt@depth@100ms","data":{"e":"depthUpdate","E":1723161255208,"s":"BTCUSDT",'
    b'"U":50093239189,"u":50093239202,"b":[["61737.63000000","0.00000000"]],'
    b'"a":[["61837.64000000","1.54698000"]]}}'
)
SNAPSHOT = b'{"lastUpdateId":160,"bids":[["0.0024","10"]],"asks":[["0.0026","100"]]}'
KLINE = (
    b'{"e":"kline","E":1672515782136,"s":"BNBBTC","k":{"t":1672515780000,"T":1672515839999,'
    b'"s":"BNBBTC","i":"1m","f":100,"L":200,"o":"0.0010","c":"0.0020","h":"0.0025","l":"0.0015",'
    b'"v":"1000","n":100,"x":false,"q":"1.0000","V":"500","Q":"0.500"}}'
)
KRAKEN_TRADE = (
    b'{"channel":"trade","type":"update","data":[{"symbol":"BTC/USD","side":"buy",'
    b'"price":68500.0,"qty":0.01044926,"ord_type":"limit","trade_id":70635299,'
    b'"timestamp":"2024-05-27T12:43:11.798009Z"},{"symbol":"BTC/USD","side":"sell",'
    b'"price":68500.1,"qty":0.00483192,"ord_type":"limit","trade_id":70635300,'
    b'"timestamp":"2024-05-27T12:43:11.798009Z"}]}'
)
KRAKEN_BOOK = (
    b'{"channel":"book","type":"snapshot","data":[{"symbol":"BTC/USD","bids":[{"price":99.9,'
    b'"qty":0.50}],"asks":[{"price":100.1,"qty":0.25}],"checksum":123,'
    b'"timestamp":"2026-07-10T00:00:01.223456Z"}]}'
)
KRAKEN_TICKER = (
    b'{"channel":"ticker","type":"update","data":[{"symbol":"BTC/USD","bid":99.9,"bid_qty":1.2,'
    b'"ask":100.1,"ask_qty":2.3,"timestamp":"2026-07-10T00:00:02.123456Z"}]}'
)

ANYWHERE = [
    # reason, what becomes of a good frame
    ("empty", lambda raw: b""),
    ("truncated", lambda raw: raw[:-1]),
    ("truncated", lambda raw: raw[: len(raw) // 2]),
    ("malformed", lambda raw: raw + b"}"),
    ("malformed", lambda raw: b"<html>503 Service Unavailable</html>"),
    ("malformed", lambda raw: raw.replace(b":", b"=", 1)),
    ("bad_utf8", lambda raw: raw.replace(b'"', b'"\xff', 1)),
    ("bad_utf8", lambda raw: raw[:-1] + b',"x":"\xc3\x28"}'),
    ("too_deep", lambda raw: b'{"data":' + b"[" * 100_000 + b"]" * 100_000 + b"}"),
    ("too_deep", lambda raw: b'{"e":"trade","x":' + b'{"a":' * 100_000),
    ("too_large", lambda raw: raw + b" " * (16 * 1024 * 1024 - len(raw))),
    ("wrong_type", lambda raw: b"12345"),
    ("wrong_type", lambda raw: b"true"),
    ("unknown_message", lambda raw: b"{}"),
    ("unknown_message", lambda raw: b'{"hello":"world"}'),
]
BINANCE = [
    # reason, good frame, text, its replacement
    ("wrong_type", TRADE, b'"p":"61837.63000000"', b'"p":61837.63'),
    ("wrong_type", TRADE, b'"p":"61837.63000000"', b'"p":null'),
    ("wrong_type", TRADE, b'"t":3735683259', b'"t":"3735683259"'),
    ("wrong_type", TRADE, b'"t":3735683259', b'"t":true'),
    ("wrong_type", TRADE, b'"t":3735683259', b'"t":1.5'),
    ("wrong_type", TRADE, b'"t":3735683259', b'"t":1e400'),
    ("wrong_type", TRADE, b'"m":true', b'"m":1'),
    ("wrong_type", TRADE, b'"s":"BTCUSDT"', b'"s":["BTCUSDT"]'),
    ("malformed", TRADE, b'"p":"61837.63000000"', b'"p":NaN'),
    ("malformed", TRADE, b'"p":"61837.63000000"', b'"p":Infinity'),
    ("bad_number", TRADE, b"61837.63000000", b"NaN"),
    ("bad_number", TRADE, b"61837.63000000", b"inf"),
    ("bad_number", TRADE, b"61837.63000000", b""),
    ("bad_number", TRADE, b"61837.63000000", b"6_1837.6"),
    ("bad_number", TRADE, b"61837.63000000", "٦١٨٣٧.63".encode()),
    ("bad_number", TRADE, b"61837.63000000", b" 61837.63"),
    ("bad_number", TRADE, b"61837.63000000", b"0x10"),
    ("too_large", TRADE, b"61837.63000000", b"1e400"),
    ("too_large", TRADE, b"61837.63000000", b"99999999999999.00000000"),
    ("too_fine", TRADE, b"61837.63000000", b"61837.630000001"),
    ("bad_price", TRADE, b"61837.63000000", b"-61837.63000000"),
    ("bad_price", TRADE, b"61837.63000000", b"0.00000000"),
    ("bad_size", TRADE, b"0.02000000", b"-0.02000000"),
    ("bad_size", TRADE, b"0.02000000", b"0.00000000"),
    ("bad_id", TRADE, b'"t":3735683259', b'"t":9223372036854775808'),
    ("bad_id", TRADE, b'"t":3735683259', b'"t":-1'),
    ("missing_key", TRADE, b'"t":3735683259,', b""),
    ("missing_key", TRADE, b'"T":1723161255342,', b""),
    ("missing_key", TRADE, b'"m":true,', b""),
    ("missing_key", TRADE, b'"s":"BTCUSDT",', b""),
    ("bad_time", TRADE, b'"T":1723161255342', b'"T":0'),
    ("bad_time", TRADE, b'"T":1723161255342', b'"T":-5'),
    ("bad_time", TRADE, b'"T":1723161255342', b'"T":99999999999999999'),
    ("from_the_future", TRADE, b'"T":1723161255342', b'"T":1723164855342'),
    ("unknown_symbol", TRADE, b'"s":"BTCUSDT"', b'"s":"NOSUCH"'),
    ("unknown_symbol", TRADE, b'"s":"BTCUSDT"', b'"s":""'),
    ("unknown_symbol", TRADE, b'"s":"BTCUSDT"', b'"s":"btcusdt"'),
    ("unknown_symbol", TRADE, b'"s":"BTCUSDT"', b'"s":"A\\u0000BUSDT"'),
    ("bad_price", TICKER, b'"b":"61837.63000000"', b'"b":"0.00000000"'),
    ("bad_price", TICKER, b'"a":"61837.64000000"', b'"a":"-1"'),
    ("bad_size", TICKER, b'"B":"3.78826000"', b'"B":"-1"'),
    ("missing_key", TICKER, b',"A":"1.54698000"', b""),
    ("wrong_type", TICKER, b'"u":50093239212', b'"u":"x"'),
    ("bad_id", DEPTH, b'"u":50093239202', b'"u":5'),
    ("bad_size", DEPTH, b"1.54698000", b"-1.54698000"),
    ("bad_price", DEPTH, b"61837.64000000", b"0"),
    ("wrong_type", DEPTH, b'["61737.63000000","0.00000000"]', b'["61737.63000000"]'),
    ("wrong_type", DEPTH, b'["61737.63000000","0.00000000"]', b'["61737.63000000",1]'),
    ("wrong_type", DEPTH, b'"b":[', b'"b":7,"x":['),
    ("missing_key", DEPTH, b'"U":50093239189,', b""),
    ("from_the_future", DEPTH, b'"E":1723161255208', b'"E":1723164855208'),
    ("missing_key", SNAPSHOT, b',"asks":[["0.0026","100"]]', b""),
    ("no_symbol", SNAPSHOT, b"160", b"161"),
    ("bad_price", KLINE, b'"c":"0.0020"', b'"c":"-0.0020"'),
    ("missing_key", KLINE, b'"x":false,', b""),
]  # fmt: skip
KRAKEN = [
    ("bad_number", KRAKEN_TRADE, b'"price":68500.1', b'"price":true'),
    ("bad_number", KRAKEN_TRADE, b'"price":68500.1', b'"price":null'),
    ("bad_number", KRAKEN_TRADE, b'"price":68500.1', b'"price":"x"'),
    ("bad_number", KRAKEN_TRADE, b'"price":68500.1', b'"price":[1]'),
    ("malformed", KRAKEN_TRADE, b'"price":68500.1', b'"price":NaN'),
    ("too_large", KRAKEN_TRADE, b'"price":68500.1', b'"price":1e400'),
    ("too_large", KRAKEN_TRADE, b'"price":68500.1', b'"price":99999999999'),
    ("too_fine", KRAKEN_TRADE, b'"price":68500.1', b'"price":1e-11'),
    ("bad_price", KRAKEN_TRADE, b'"price":68500.1', b'"price":-68500.1'),
    ("bad_price", KRAKEN_TRADE, b'"price":68500.1', b'"price":0'),
    ("bad_size", KRAKEN_TRADE, b'"qty":0.00483192', b'"qty":0.0'),
    ("bad_size", KRAKEN_TRADE, b'"qty":0.00483192', b'"qty":-1'),
    ("bad_id", KRAKEN_TRADE, b"70635300", b"9223372036854775808"),
    ("wrong_type", KRAKEN_TRADE, b"70635300", b'"70635300"'),
    ("wrong_type", KRAKEN_TRADE, b'"side":"sell"', b'"side":"SELL"'),
    ("wrong_type", KRAKEN_TRADE, b'"symbol":"BTC/USD","side":"sell"', b'"symbol":1,"side":"sell"'),
    ("missing_key", KRAKEN_TRADE, b'"side":"sell",', b""),
    ("missing_key", KRAKEN_TRADE, b'"trade_id":70635300,', b""),
    ("bad_time", KRAKEN_TRADE, b'011.798009Z"}]', b'011.798009Z"}]'),
    ("bad_time", KRAKEN_TRADE, b"2024-05-27T12:43:11.798009Z", b"2024-05-27 12:43:11"),
    ("bad_time", KRAKEN_TRADE, b"2024-05-27T12:43:11.798009Z", b"2024-13-27T12:43:11.798009Z"),
    ("from_the_future", KRAKEN_TRADE, b"2024-05-27", b"2025-05-27"),
    ("unknown_symbol", KRAKEN_TRADE, b'BTC/USD","side":"sell"', b'BTC/LOL","side":"sell"'),
    ("unknown_symbol", KRAKEN_TRADE, b'BTC/USD","side":"sell"', b'B C/USD","side":"sell"'),
    ("wrong_type", KRAKEN_BOOK, b'"type":"snapshot"', b'"type":"partial"'),
    ("wrong_type", KRAKEN_BOOK, b'"checksum":123', b'"checksum":"123"'),
    ("missing_key", KRAKEN_BOOK, b',"qty":0.25', b""),
    ("missing_key", KRAKEN_BOOK, b'"bids"', b'"buys"'),
    ("bad_size", KRAKEN_BOOK, b'"qty":0.25', b'"qty":-0.25'),
    ("bad_price", KRAKEN_BOOK, b'"price":100.1', b'"price":0'),
    ("bad_price", KRAKEN_TICKER, b'"bid":99.9', b'"bid":-99.9'),
    ("bad_number", KRAKEN_TICKER, b'"ask":100.1', b'"ask":{}'),
    ("missing_key", KRAKEN_TICKER, b',"ask":100.1', b""),
]  # fmt: skip
KRAKEN = [case for case in KRAKEN if case[2] != case[3]]
SEEN_NS = {"binance": 1_723_161_256_000_000_000, "kraken": 1_716_813_792_000_000_000}
GOOD = {"binance": TRADE, "kraken": KRAKEN_TRADE}
CASES = (
    [("binance", reason, TRADE, change) for reason, change in ANYWHERE]
    + [("kraken", reason, KRAKEN_TRADE, change) for reason, change in ANYWHERE]
    + [
        (venue, reason, raw, (old, fresh))
        for venue, table in (("binance", BINANCE), ("kraken", KRAKEN))
        for reason, raw, old, fresh in table
    ]
)


def snapshot_of(decoded: Any) -> Any:
    return (
        decoded.events.records().tolist(), decoded.quotes, decoded.gaps.records().tolist(),
        decoded.wants,
    )  # fmt: skip


@pytest.mark.parametrize(("venue", "reason", "raw", "change"), CASES)
def test_a_bad_frame_is_kept_with_its_reason_and_the_next_is_handled(
    venue: str, reason: str, raw: bytes, change: Any
) -> None:
    bad = change(raw) if callable(change) else raw.replace(*change)
    assert bad != raw
    seen_ns = SEEN_NS[venue] if "2026" not in raw.decode() else 0
    instruments = Instruments()
    decoder = feeds.venue(venue).Decoder(instruments)
    frame = Frame(bad, seen_ns)
    decoded = decoder.decode([frame])
    (kept,) = decoded.quarantined
    assert (kept.venue, kept.reason, kept.raw, kept.seen_ns) == (venue, reason, bad, seen_ns)
    assert kept.message
    assert len(kept.message) < 400
    assert decoded.counts == {
        "frames": 1, "data_frames": 0, "control_frames": 0, "peer_errors": 1,
    }  # fmt: skip
    assert snapshot_of(decoded) == ([], {}, [], [])
    assert len(instruments) == 0, "a bad frame left a series behind"
    after = decoder.decode([Frame(GOOD[venue], SEEN_NS[venue])])
    assert after.counts["data_frames"] == 1
    assert len(after.events) > 0


@pytest.mark.parametrize(("venue", "reason", "raw", "change"), CASES)
def test_a_bad_frame_among_good_ones_changes_nothing_for_them(
    venue: str, reason: str, raw: bytes, change: Any
) -> None:
    bad = change(raw) if callable(change) else raw.replace(*change)
    good = [Frame(GOOD[venue], SEEN_NS[venue])] * 2
    alone = feeds.venue(venue).Decoder(Instruments()).decode(good)
    seen_ns = SEEN_NS[venue] if "2026" not in raw.decode() else 0
    mixed = feeds.venue(venue).Decoder(Instruments())
    decoded = mixed.decode([good[0], Frame(bad, seen_ns), good[1]])
    if reason != "no_symbol":
        assert [q.reason for q in decoded.quarantined] == [reason]
    assert snapshot_of(decoded) == snapshot_of(alone)


def test_a_closed_venue_refuses_what_was_not_subscribed() -> None:
    instruments = Instruments()
    instruments.declare(Instrument("binance", "ETH/USDT", "ETHUSDT", 8, 8))
    instruments.close("binance")
    decoder = feeds.venue("binance").Decoder(instruments)
    decoded = decoder.decode([Frame(TRADE), Frame(TRADE.replace(b"BTCUSDT", b"ETHUSDT"))])
    assert [q.reason for q in decoded.quarantined] == ["unknown_symbol"]
    assert decoded.counts["data_frames"] == 1


def test_a_frame_at_the_limit_is_read() -> None:
    frame = TRADE + b" " * (FRAME_BYTES_MAX - len(TRADE))
    decoded = feeds.venue("binance").Decoder(Instruments()).decode([Frame(frame)])
    assert decoded.counts["data_frames"] == 1
    over = feeds.venue("binance").Decoder(Instruments()).decode([Frame(frame + b" ")])
    assert [q.reason for q in over.quarantined] == ["too_large"]


@pytest.mark.parametrize("venue", feeds.venues())
def test_errors_that_a_venue_tells_are_control_with_a_notice(venue: str) -> None:
    told = {
        "binance": [
            b'{"code":-1121,"msg":"Invalid symbol."}',
            b'{"error":{"code":2,"msg":"Invalid request"},"id":1}',
            b'{"e":"serverShutdown","E":1723161255343}',
        ],
        "kraken": [
            b'{"error":["EGeneral:Too many requests"]}',
            b'{"error":"Event(s) not found","method":"subscribe","success":false}',
            b'{"channel":"status","type":"update","data":[{"system":"maintenance"}]}',
        ],
    }[venue]
    decoded = feeds.venue(venue).Decoder(Instruments()).decode([Frame(raw) for raw in told])
    assert decoded.counts["control_frames"] == 3
    assert [n.kind for n in decoded.notices] == {
        "binance": ["error", "error", "shutdown"],
        "kraken": ["error", "refused", "status"],
    }[venue]


SEEDS = {
    "binance": [TRADE, TICKER, DEPTH, SNAPSHOT, KLINE, b'{"result":null,"id":1}'],
    "kraken": [KRAKEN_TRADE, KRAKEN_BOOK, KRAKEN_TICKER, b'{"channel":"heartbeat"}'],
}
PIECES = [
    b'"', b"{", b"}", b"[", b"]", b",", b":", b"-", b"0", b"9", b".", b"e400", b"NaN", b"null",
    b"true", b"\xff", b"\\u0000", b"\\", b" ", b'"data"', b'"e"', b"1" * 30, b'"BTCUSDT"',
]  # fmt: skip


@st.composite
def mutated(draw: st.DrawFn, venue: str) -> bytes:
    raw = draw(st.sampled_from(SEEDS[venue]))
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(raw)))
        cut = draw(st.integers(0, 12))
        piece = draw(st.one_of(st.sampled_from(PIECES), st.binary(max_size=3)))
        raw = raw[:at] + piece + raw[at + cut :]
    return raw


@pytest.mark.parametrize("venue", feeds.venues())
def test_mutated_frames_are_accounted_for_alone_and_in_a_batch(venue: str) -> None:
    good = Frame(GOOD[venue], SEEN_NS[venue])

    @settings(
        max_examples=400, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True
    )
    @given(st.lists(mutated(venue), min_size=1, max_size=6))
    def holds(raws: list[bytes]) -> None:
        frames = [Frame(raw, SEEN_NS[venue]) for raw in raws]
        whole = feeds.venue(venue).Decoder(Instruments())
        decoded = whole.decode([*frames, good])
        counts = decoded.counts
        assert counts["frames"] == len(frames) + 1
        assert counts["frames"] == sum(
            counts[k] for k in ("data_frames", "control_frames", "peer_errors")
        )
        assert len(decoded.quarantined) == counts["peer_errors"]
        assert good.raw not in {q.raw for q in decoded.quarantined}
        alone = feeds.venue(venue).Decoder(Instruments())
        parts = [alone.decode([frame]) for frame in [*frames, good]]
        rows = [row for p in parts for row in p.events.records().tolist()]
        assert rows == decoded.events.records().tolist()
        assert [q for p in parts for q in p.quarantined] == decoded.quarantined
        assert [w for p in parts for w in p.wants] == decoded.wants
        assert {k: v for p in parts for k, v in p.quotes.items()} == decoded.quotes

    holds()


@pytest.mark.parametrize("venue", feeds.venues())
def test_any_bytes_are_accounted_for(venue: str) -> None:
    @settings(max_examples=300, deadline=None, derandomize=True)
    @given(st.one_of(st.binary(max_size=200), st.text(max_size=100).map(str.encode)))
    def holds(raw: bytes) -> None:
        for origin in ("in", "http"):
            counts = (
                feeds.venue(venue).Decoder(Instruments()).decode([Frame(raw, 0, origin)]).counts
            )
            assert sum(counts.values()) == 2

    holds()
