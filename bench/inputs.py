"""What the topics measure on: recorded frames where they are, else made ones; seeded columns.

takes   how many
gives   frames, events, candles; the same in every process
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from candlewick.model.columns import Candles, Events
from candlewick.model.instruments import Instrument, Instruments
from candlewick.model.outcome import Frame
from candlewick.model.time import NS_PER_MS, NS_PER_S
from candlewick.shell.tape import Tape

REPO = Path(__file__).resolve().parents[1]
CAPTURE = (
    REPO.parent
    / "shared/data/hftbacktest/binance_spot_btcusdt_2024-08-08_2354_to_2024-08-09_0005.jsonl.zst"
)
SEED = 7
MIDNIGHT_NS = 1_723_161_600 * NS_PER_S
_LOOP = re.compile(rb'"E":(\d+),(.*?),"t":(\d+),(.*?)"T":(\d+)')


def recorded() -> bool:
    """Whether the recorded capture is beside the checkout."""
    return CAPTURE.is_file()


def trade_frames(count: int) -> list[Frame]:
    """Trade frames of one symbol: the capture's, again and again with rising ids and times."""
    whole = _recorded_trades(count) if recorded() else made_trades(min(count, 20_000))
    looped = list(whole[:count])
    span_ms = (whole[-1].seen_ns - whole[0].seen_ns) // NS_PER_S * 1_000 + 1_000
    turn = 0
    while len(looped) < count:
        turn += 1
        looped += [_again(frame, turn * span_ms, turn * len(whole)) for frame in whole]
    return looped[:count]


def _recorded_trades(count: int) -> list[Frame]:
    found = []
    for frame in Tape([CAPTURE]):
        if b"@trade" in frame.raw:
            found.append(frame)
            if len(found) == count:
                break
    return found


def _again(frame: Frame, later_ms: int, ids: int) -> Frame:
    def moved(m: re.Match[bytes]) -> bytes:
        event, trade = int(m[1]) + later_ms, int(m[5]) + later_ms
        return b'"E":%d,%s,"t":%d,%s"T":%d' % (event, m[2], int(m[3]) + ids, m[4], trade)

    return Frame(_LOOP.sub(moved, frame.raw), frame.seen_ns + later_ms * NS_PER_MS)


def made_trades(count: int) -> list[Frame]:
    """Where no capture is: frames spelled like the exchange's."""
    draw = np.random.default_rng(SEED)
    prices = 6_000_000 + np.cumsum(draw.integers(-50, 51, count))
    sizes = draw.integers(1, 500_000, count)
    sells = draw.random(count) < 0.5
    return [
        Frame(
            b'{"stream":"btcusdt@trade","data":{"e":"trade","E":%d,"s":"BTCUSDT","t":%d,'
            b'"p":"%d.%02d000000","q":"%d.%05d000","T":%d,"m":%s,"M":true}}'
            % (at, 10**9 + k, price // 100, price % 100, size // 100_000, size % 100_000, at,
               b"true" if sell else b"false"),
            at * NS_PER_MS + 3_000_000,
        )
        for k, (price, size, sell) in enumerate(
            zip(prices.tolist(), sizes.tolist(), sells.tolist(), strict=True)
        )
        for at in [MIDNIGHT_NS // NS_PER_MS + k * 33]
    ]  # fmt: skip


def markets(count: int) -> Instruments:
    """Symbols of two price and five size decimals."""
    instruments = Instruments()
    for k in range(count):
        instruments.declare(Instrument("binance", f"S{k}/USDT", f"S{k}USDT", 2, 5))
    return instruments


def events(count: int, symbols: int = 10, days: float = 1.0) -> Events:
    """Trades of many symbols in the order of time, ids rising within each."""
    draw = np.random.default_rng(SEED)
    series = draw.integers(0, symbols, count).astype(np.int32)
    gaps = draw.exponential(days * 86_400 * NS_PER_S / count, count)
    at = MIDNIGHT_NS + np.cumsum(gaps).astype(np.int64)
    ids = np.empty(count, np.int64)
    for one in range(symbols):
        rows = np.flatnonzero(series == one)
        ids[rows] = np.arange(1, len(rows) + 1)
    return Events(
        series=series,
        kind=np.where(draw.random(count) < 0.5, -1, 1).astype(np.int8),
        id=ids,
        at_ns=at,
        seen_ns=at + 3 * NS_PER_MS,
        price=5_000_000 + np.cumsum(draw.integers(-5, 6, count)),
        size=draw.integers(1, 1_000_000, count),
    )


def table(count: int) -> np.ndarray:
    """float64 [open high low close volume, rows] of a walk in steps of a cent."""
    draw = np.random.default_rng(SEED)
    close = 50_000.0 + np.cumsum(draw.integers(-500, 501, count)) / 100
    open_ = np.concatenate([close[:1], close[:-1]])
    spread = draw.integers(0, 300, (2, count)) / 100
    volume = draw.integers(1, 10**7, count) / 1e5
    return np.stack(
        [open_, np.maximum(open_, close) + spread[0], np.minimum(open_, close) - spread[1], close,
         volume]
    )  # fmt: skip


def candles(count: int, symbols: int = 1) -> Candles:
    """Final one-minute candles with the prices of `table`, symbol after symbol in each minute."""
    values = np.rint(table(count) * np.array([[100], [100], [100], [100], [1e5]])).astype(np.int64)
    rows = np.arange(count)
    columns = {name: np.zeros(count, dtype) for name, dtype in Candles.DTYPES.items()}
    columns |= {"series": (rows % symbols).astype(np.int32), "final": np.ones(count, np.int8)}
    columns["interval_s"] = np.full(count, 60, np.int32)
    columns["open_ns"] = MIDNIGHT_NS + rows // symbols * 60 * NS_PER_S
    columns |= dict(zip(("open", "high", "low", "close", "volume"), values, strict=True))
    return Candles(**columns)
