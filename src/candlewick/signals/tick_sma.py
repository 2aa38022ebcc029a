"""Price against the mean of the last `period` trades of its series: BUY above it, SELL below it.

takes   Trades: price > 0, ids rising within a series; a trade whose id is not above the last one
        seen is skipped, so a replay changes nothing and a repaired hole does not rewrite the past
gives   Signals: one row each time the side changes; nothing while fewer than `period` were seen
never   drifts: the sum is exact integers, two words wide, for every price that fits 64 bits

BUY when price > mean * (1 + band), SELL when price < mean * (1 - band); in between the last side
stays.  Both are decided in integers: a price exactly on the band has not left it.
The mean includes the trade itself.  Source: simple moving average over a sliding window of trades.
"""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

import numpy as np

from candlewick.errors import UsageError
from candlewick.kernel import Array, grown, kernel, load, record, save
from candlewick.model.columns import Signals, Trades
from candlewick.model.instruments import Instrument, Instruments
from candlewick.model.money import to_text
from candlewick.model.words import beside

VERSION = 1
PERIOD_MAX = 10_000
RECOMMENDATIONS = {1: "BUY", 0: "HOLD", -1: "SELL"}

# A band counts in steps of 0.001 %.  At 10,000 prices of 63 bits every product below stays under
# 2**63 when prices are cut into halves of 32 bits.
_STEPS = 100_000
_STEPS_PER_PCT = 1_000
_HALF_BITS = 32
_HALF_MASK = 2**32 - 1
_HALF_SIZE = 2.0**32

STATE = record(
    period="i8",
    band_steps="i8",
    rows="i8",
    at="i8",
    last_id="i8",
    price="i8",
    sum_high="i8",
    sum_low="i8",
    side="i8",
)
SIGNAL = np.dtype(list(Signals.DTYPES.items()))
_NO_SIGNALS = Signals.empty()  # Made once: most batches end with it.


class Row(Protocol):
    """A row of a batch, of `records()` or of the store: fields by name."""

    def __getitem__(self, name: str, /) -> Any: ...


class Latest(NamedTuple):
    """What is known of a series now; `price` None before its first trade, `mean` NaN until warm."""

    side: int
    price: int | None
    mean: float
    warm: bool


class TickSma:
    """The fold.  `band_pct` in per cent, in steps of 0.001.

    Raises:
        UsageError: a period or band out of range.
    """

    def __init__(self, instruments: Instruments, period: int = 20, band_pct: float = 0.05) -> None:
        steps = round(band_pct * _STEPS_PER_PCT) if 0 <= band_pct < 100 else -1
        if not 1 <= period <= PERIOD_MAX:
            raise UsageError(f"tick_sma period is {period}, expected 1 to {PERIOD_MAX} trades")
        if not 0 <= steps < _STEPS or abs(steps - band_pct * _STEPS_PER_PCT) > 1e-6:
            raise UsageError(
                f"tick_sma band_pct is {band_pct}, expected 0 to 99.999 in steps of 0.001"
            )
        self.name = f"tick_sma_{period}"
        self.touched: set[int] = set()
        self._instruments = instruments
        self._period = period
        self._band_steps = steps
        self._parameters = {"period": period, "band_steps": steps}
        self._heads = np.zeros(0, STATE)
        self._windows = np.zeros((0, period), np.int64)
        self._scales = np.zeros(0, np.float64)

    def scan(self, trades: Trades) -> Signals:
        """The changes of side that these trades make."""
        if len(trades) == 0:
            return _NO_SIGNALS
        self._admit()
        table = np.empty(len(trades), SIGNAL)
        rows = _scan(
            self._heads,
            self._windows,
            self._scales,
            trades.series,
            trades.id,
            trades.at_ns,
            trades.price,
            table,
        )
        assert rows >= 0, "tick_sma: a feed let a price through that is not above 0"
        self.touched.update(trades.series.tolist())
        return Signals.of(table[:rows].copy()) if rows else _NO_SIGNALS

    def latest(self, series: int) -> Latest:
        """The recommendation of a series: HOLD (0) while warming up or without a trade."""
        self._admit()
        head = self._heads[series]
        if head["rows"] == 0:
            return Latest(0, None, float("nan"), False)
        warm = bool(head["rows"] >= self._period)
        mean = _mean(head, self._scales[series]) if warm else float("nan")
        return Latest(int(head["side"]), int(head["price"]), float(mean), warm)

    def reason(self, row: Row, instrument: Instrument) -> str:
        """See `reason`."""
        return reason(row, instrument, self.name)

    def save(self, series: int) -> bytes:
        return save("tick_sma", VERSION, self._parameters, self._arrays(series))

    def load(self, series: int, blob: bytes) -> None:
        """Raises VersionError: of another kernel, version or other parameters."""
        load(blob, "tick_sma", VERSION, self._parameters, self._arrays(series))

    def _arrays(self, series: int) -> dict[str, Array]:
        self._admit()
        assert 0 <= series < len(self._instruments), f"tick_sma: series {series} is not declared"
        rows = slice(series, series + 1)
        return {"head": self._heads[rows], "window": self._windows[rows]}

    def _admit(self) -> None:
        """A state for every instrument that the registry knows by now."""
        known = len(self._scales)
        if known == len(self._instruments):
            return
        self._heads = grown(self._heads, len(self._instruments))
        self._windows = grown(self._windows, len(self._instruments))
        self._heads["period"] = self._period
        self._heads["band_steps"] = self._band_steps
        self._scales = np.array([10.0**i.price_decimals for i in self._instruments])


def reason(row: Row, instrument: Instrument, name: str = "tick_sma_20") -> str:
    """Why a row says what it says.

    Args:
        row: with side, price, mean and band, as in `Signals`.

    >>> i = Instrument("binance", "BTC/USDT", "BTCUSDT", 2, 5)
    >>> reason({"side": 1, "price": 6190050, "mean": 61862.1, "band": 0.0005}, i)
    'price 61,900.50 is 0.06 % above tick_sma_20 61,862.10 (band 0.05 %)'
    """
    units, mean, band_pct = int(row["price"]), float(row["mean"]), float(row["band"]) * 100
    whole, _, fraction = to_text(units, instrument.price_decimals).partition(".")
    digits = max(len(fraction), min(2, instrument.price_decimals))
    price_text = f"{int(whole):,}" + ("." + fraction.ljust(digits, "0") if digits else "")
    away_pct = abs(units / 10**instrument.price_decimals / mean - 1) * 100
    return (
        f"price {price_text} is {beside(away_pct, band_pct)} % "
        f"{'above' if row['side'] > 0 else 'below'} {name} {mean:,.{digits}f} (band {band_pct:g} %)"
    )


@kernel
def _mean(head, scale):  # type: ignore[no-untyped-def]
    """Exact halves, then one rounding for the sum and one for the division."""
    return (head.sum_high * _HALF_SIZE + head.sum_low) / (head.period * scale)


@kernel
def _exceeds(high, low, other_high, other_low):  # type: ignore[no-untyped-def]
    """high * 2**32 + low > other_high * 2**32 + other_low, none of them negative."""
    high += low >> _HALF_BITS
    other_high += other_low >> _HALF_BITS
    if high != other_high:
        return high > other_high
    return (low & _HALF_MASK) > (other_low & _HALF_MASK)


@kernel
def _side_of(head):  # type: ignore[no-untyped-def]
    """1 above the band, -1 below it, 0 inside."""
    high = (head.price >> _HALF_BITS) * head.period * _STEPS
    low = (head.price & _HALF_MASK) * head.period * _STEPS
    upper, lower = _STEPS + head.band_steps, _STEPS - head.band_steps
    if _exceeds(high, low, head.sum_high * upper, head.sum_low * upper):
        return 1
    if _exceeds(head.sum_high * lower, head.sum_low * lower, high, low):
        return -1
    return 0


@kernel
def _scan(  # type: ignore[no-untyped-def]
    heads, windows, scales, series, ids, at_ns, prices, table
):
    """Many trades of many series, in order; the number of rows written, -1 on a bad price."""
    written = 0
    for row in range(len(series)):
        place = series[row]
        head = heads[place]
        if head.rows > 0 and ids[row] <= head.last_id:
            continue
        price = prices[row]
        if price <= 0:
            return -1
        if head.rows >= head.period:
            oldest = windows[place, head.at]
            head.sum_high -= oldest >> _HALF_BITS
            head.sum_low -= oldest & _HALF_MASK
        windows[place, head.at] = price
        head.at = head.at + 1 if head.at + 1 < head.period else 0
        head.sum_high += price >> _HALF_BITS
        head.sum_low += price & _HALF_MASK
        head.price = price
        head.last_id = ids[row]
        head.rows += 1
        if head.rows < head.period:
            continue
        side = _side_of(head)
        if side == 0 or side == head.side:
            continue
        head.side = side
        out = table[written]
        out.series = place
        out.id = ids[row]
        out.at_ns = at_ns[row]
        out.side = side
        out.price = price
        out.mean = _mean(head, scales[place])
        out.band = head.band_steps / _STEPS
        written += 1
    return written
