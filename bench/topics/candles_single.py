"""One trade a call to candles of 1, 5 and 15 minutes."""

from __future__ import annotations

from typing import Any

from bench import inputs
from bench.topic import Case, Numbers, Ratio, Topic, fresh, need
from candlewick.candles.bars import Bars

MINUTES = (1, 5, 15)
_NS = 60 * 10**9
_DAYS_A_TRADE = 1 / 1_000_000  # A symbol with a million trades a day.


def _rows(size: int) -> list[tuple[int, ...]]:
    e = inputs.events(size, 1, size * _DAYS_A_TRADE)
    columns = (e.series, e.kind, e.id, e.at_ns, e.price, e.size)
    return list(zip(*(column.tolist() for column in columns), strict=True))


def _step(size: int) -> Numbers:
    rows = _rows(size)

    def make() -> Any:
        bars = Bars(inputs.markets(1), [60 * m for m in MINUTES])

        def work() -> None:
            step = bars.step
            for series, kind, ident, at_ns, price, amount in rows:
                step(series, kind, ident, at_ns, price, amount)

        return work

    return fresh(size, make)


def _scan(size: int) -> Numbers:
    """The call for batches, with batches of one."""
    events = inputs.events(size, 1, size * _DAYS_A_TRADE)
    cuts = [events.take(slice(at, at + 1)) for at in range(size)]

    def make() -> Any:
        bars = Bars(inputs.markets(1), [60 * m for m in MINUTES])

        def work() -> None:
            scan = bars.scan
            for cut in cuts:
                scan(cut)

        return work

    return fresh(size, make)


class _Twin:
    """Plain Python: an open bar an interval; a trade past its end closes it."""

    def __init__(self) -> None:
        self.closed: list[list[int]] = []
        self.fine = [0] * 7
        self.fine_end_ns = 0
        self.coarse = [[0] * 7 for _ in MINUTES[1:]]

    def take(self, at_ns: int, price: int, amount: int, buys: bool) -> None:
        bar = self.fine
        if at_ns >= self.fine_end_ns:
            self._close()
            start = at_ns // _NS
            self.fine_end_ns = (start + 1) * _NS
            self.fine = [start, price, price, price, price, amount, amount if buys else 0]
            return
        if price > bar[2]:
            bar[2] = price
        elif price < bar[3]:
            bar[3] = price
        bar[4] = price
        bar[5] += amount
        if buys:
            bar[6] += amount

    def _close(self) -> None:
        new = self.fine
        if not self.fine_end_ns:
            return
        self.closed.append(new)
        for k, minutes in enumerate(MINUTES[1:]):
            bar, period = self.coarse[k], new[0] // minutes
            if bar[0] != period:
                if bar[0]:
                    self.closed.append(bar)
                self.coarse[k] = [period, *new[1:]]
                continue
            bar[2], bar[3], bar[4] = max(bar[2], new[2]), min(bar[3], new[3]), new[4]
            bar[5] += new[5]
            bar[6] += new[6]


def _plain(size: int) -> Numbers:
    rows = [(row[3], row[4], row[5], row[1] > 0) for row in _rows(size)]

    def make() -> Any:
        twin = _Twin()

        def work() -> None:
            take = twin.take
            for at_ns, price, amount, buys in rows:
                take(at_ns, price, amount, buys)

        return work

    return fresh(size, make)


def _nautilus(size: int) -> Numbers:
    need("nautilus_trader")
    from nautilus_trader.common.component import TestClock
    from nautilus_trader.data.aggregation import TimeBarAggregator
    from nautilus_trader.model.data import BarType, TradeTick
    from nautilus_trader.model.enums import AggressorSide
    from nautilus_trader.model.identifiers import TradeId
    from nautilus_trader.model.objects import Price, Quantity
    from nautilus_trader.test_kit.providers import TestInstrumentProvider

    market = TestInstrumentProvider.btcusdt_binance()
    ticks = [
        TradeTick(
            instrument_id=market.id,
            price=Price(price / 100, 2),
            size=Quantity(amount / 1e5, 5),
            aggressor_side=AggressorSide.BUYER if kind > 0 else AggressorSide.SELLER,
            trade_id=TradeId(str(ident)),
            ts_event=at_ns,
            ts_init=at_ns,
        )
        for _, kind, ident, at_ns, price, amount in _rows(size)
    ]

    def make() -> Any:
        clock, closed = TestClock(), list[Any]()
        clock.set_time(ticks[0].ts_init // _NS * _NS)
        aggregators = [
            TimeBarAggregator(
                market,
                BarType.from_str(f"{market.id}-{m}-MINUTE-LAST-INTERNAL"),
                closed.append,
                clock,
            )
            for m in MINUTES
        ]
        for one in aggregators:
            if hasattr(one, "start_timer"):
                one.start_timer()

        def work() -> None:
            first, second, third = aggregators
            next_ns = clock.timestamp_ns() + _NS
            for tick in ticks:
                if tick.ts_init >= next_ns:  # Its timers are only turned when one is due.
                    for event in clock.advance_time(tick.ts_init):
                        event.handle()
                    next_ns += _NS
                first.handle_trade_tick(tick)
                second.handle_trade_tick(tick)
                third.handle_trade_tick(tick)
            assert size < 2_000 or closed

        return work

    return fresh(size, make)


TOPIC = Topic(
    title="Candles of 1, 5 and 15 minutes, one trade a call",
    cases=(
        Case("candlewick, Bars.step", _step),
        Case("candlewick, Bars.scan of one", _scan, 0.1),
        Case("plain Python", _plain),
        Case("nautilus_trader", _nautilus),
    ),
    goals=(Ratio("candlewick, Bars.step", "nautilus_trader", 2.0),),
    size=100_000,
    tiny=3_000,
    unit="cpu_ns",
    also=("ns",),
    notes=(
        "nautilus_trader: three time bar aggregators on a test clock that is advanced once a "
        "minute; its ticks are made beforehand. bytewax and quixstreams (>= 15x and >= 100x) are "
        "engines with a process of their own and not measured here.",
    ),
)
