"""A candle that moved many times further than its series lately does.

takes   open, close    of candles with at least `volatility_trades_min` trades; others say nothing
gives   value          |ln(close / open)| in standard deviations of the candles before it
        severity       LOW from `volatility_low`, MEDIUM and HIGH from theirs, same unit
warm-up the first `volatility_warmup_bars` such candles are only learned from
source  EWMA variance about zero: J.P. Morgan, RiskMetrics Technical Document, 1996, section 5.2;
        plain mean while fewer candles were seen than the fade remembers

A candle is judged before it is folded in.  Folded in is at most a move of LOW's limit, so that one
crash does not blind the rule for hours, yet a lasting change of regime is learned in minutes.  A
deviation counts as at least SIGMA_MIN, so a series that never moved divides by no zero, and moves
under `volatility_move_min_pct` are nobody's alarm.

A revised candle is judged against the state before it; then the state is rolled on through the
windows after it.  Those are not judged again: their own candles did not change.  The state before
each of the last windows is kept for that, and a window older than these is neither judged nor
folded.

Alerts a day with the defaults, measured on BitMEX XBTUSD minutes: 0.06 in 2015-16, 0.34 in 2017,
1.3 in 2018, 0.7 in 2020 (at most 10 on one day).  It finds what a minute can show: the April 2018
squeeze, the March 2020 crash, the fall of May 2020; not a fall that takes an hour in even steps.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from candlewick.errors import UsageError
from candlewick.kernel import Array, kernel, record
from candlewick.model.time import NEVER_NS
from candlewick.model.words import beside

KINDS = ("VOLATILITY_SPIKE", "VOLATILITY_DROP")
DEFAULTS: dict[str, float] = {
    "volatility_low": 8.0,
    "volatility_medium": 12.0,
    "volatility_high": 20.0,
    "volatility_half_life_bars": 120.0,
    "volatility_warmup_bars": 60.0,
    "volatility_trades_min": 5.0,
    "volatility_move_min_pct": 0.75,
}
VERSION = 1
SIGMA_MIN = 1e-4  # One hundredth of a per cent.
HEAD = record(
    low="f8",
    medium="f8",
    high="f8",
    fade="f8",
    warmup="i8",
    trades_min="i8",
    move_min="f8",
    newest="i8",
    bars="i8",
    variance="f8",
)
SLOT = record(window="i8", bars="i8", variance="f8", move="f8")  # The state before the window.


def start(heads: Array, slots: Array, settings: Mapping[str, float]) -> None:
    """Raises UsageError: limits that do not rise, or counts that make no sense."""
    limits = [settings[f"volatility_{name}"] for name in ("low", "medium", "high")]
    if not 1 < limits[0] < limits[1] < limits[2]:
        raise UsageError(
            f"anomalies: volatility_low, _medium, _high are {limits}, expected rising and above 1"
        )
    half_life = settings["volatility_half_life_bars"]
    warmup, trades_min = settings["volatility_warmup_bars"], settings["volatility_trades_min"]
    if half_life <= 0 or warmup < 1 or trades_min < 1 or settings["volatility_move_min_pct"] < 0:
        raise UsageError(
            "anomalies: expected volatility_half_life_bars above 0, volatility_warmup_bars from 1, "
            "volatility_trades_min from 1 and volatility_move_min_pct from 0"
        )
    heads["low"], heads["medium"], heads["high"] = limits
    heads["fade"] = 1.0 - 0.5 ** (1.0 / half_life)
    heads["warmup"] = int(warmup)
    heads["trades_min"] = int(trades_min)
    heads["move_min"] = math.log1p(settings["volatility_move_min_pct"] / 100)
    heads["newest"] = NEVER_NS
    slots["window"] = NEVER_NS


def words(row: Any, rose: str, span: str) -> str:
    """`rose 1.32 % in the minute from 12:34Z, 9.41 times its usual move, limit 8`"""
    moved_pct = abs(int(row["close"]) / int(row["open"]) - 1) * 100
    value, limit = float(row["value"]), float(row["limit"])
    return (
        f"{rose} {moved_pct:.2f} % {span}, "
        f"{beside(value, limit)} times its usual move, limit {limit:g}"
    )


@kernel
def _fold(head, bars, variance, move):  # type: ignore[no-untyped-def]
    """The state after a candle; NaN is a candle that says nothing."""
    if math.isnan(move):
        return bars, variance
    size = abs(move)
    if bars >= head.warmup:
        size = min(size, head.low * max(math.sqrt(variance), SIGMA_MIN))
    bars += 1
    return bars, variance + max(1.0 / bars, head.fade) * (size * size - variance)


@kernel
def _judge(head, bars, variance, move, out):  # type: ignore[no-untyped-def]
    """A candle against the state before it."""
    if math.isnan(move) or bars < head.warmup or abs(move) < head.move_min:
        return
    value = abs(move) / max(math.sqrt(variance), SIGMA_MIN)
    if value < head.low:
        return
    out.severity, out.limit = 1, head.low
    if value >= head.high:
        out.severity, out.limit = 3, head.high
    elif value >= head.medium:
        out.severity, out.limit = 2, head.medium
    out.kind = 0 if move > 0 else 1
    out.value = value


@kernel
def scan(  # type: ignore[no-untyped-def]
    heads, slots, series, windows, open_, close, trades, verdicts
):
    """Judge each row into `verdicts`, then fold it; a window's slot is its number modulo `kept`."""
    kept = slots.shape[1]
    for row in range(len(series)):
        head, ring, window = heads[series[row]], slots[series[row]], windows[row]
        if window <= head.newest and head.newest - window >= kept:
            continue
        move = math.nan
        if trades[row] >= head.trades_min and open_[row] > 0 and close[row] > 0:
            move = math.log(close[row] / open_[row])
        slot = ring[window % kept]
        if slot.window != window:
            if window > head.newest:
                slot.bars, slot.variance = head.bars, head.variance
                head.newest = window
            else:  # Born late: its state is that of the next window there is; the newest is one.
                later = window + 1
                while ring[later % kept].window != later:
                    later += 1
                slot.bars, slot.variance = ring[later % kept].bars, ring[later % kept].variance
            slot.window = window
        slot.move = move
        bars, variance = slot.bars, slot.variance
        _judge(head, bars, variance, move, verdicts[row])
        for later in range(window, head.newest + 1):
            slot = ring[later % kept]
            if slot.window == later:
                slot.bars, slot.variance = bars, variance
                bars, variance = _fold(head, bars, variance, slot.move)
        head.bars, head.variance = bars, variance
