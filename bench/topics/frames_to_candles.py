"""Trade frames to candles of 1, 5 and 15 minutes, and through the whole pipeline."""

from __future__ import annotations

from typing import Any

import msgspec

from bench import inputs
from bench.topic import Case, Numbers, Ratio, Topic, fresh, need
from candlewick.candles.bars import Bars
from candlewick.config import Settings
from candlewick.feeds.binance import Decoder
from candlewick.model.instruments import Instruments
from candlewick.pipeline import Pipeline

MINUTES = (1, 5, 15)
_NS = 60 * 10**9


def _candlewick(batch: int) -> Any:
    """Decoded and folded, a batch a call."""

    def run(size: int) -> Numbers:
        frames = inputs.trade_frames(size)
        cuts = [frames[at : at + batch] for at in range(0, len(frames), batch)]

        def make() -> Any:
            instruments = Instruments()
            decoder, bars = Decoder(instruments), Bars(instruments, [60 * m for m in MINUTES])

            def work() -> None:
                for cut in cuts:
                    bars.scan(decoder.decode(cut).events)

            return work

        return fresh(size, make)

    return run


def _whole(batch: int) -> Any:
    """Through every room, with what a batch leaves to be committed and shown."""

    def run(size: int) -> Numbers:
        frames = inputs.trade_frames(size)
        cuts = [frames[at : at + batch] for at in range(0, len(frames), batch)]

        def make() -> Any:
            pipeline = Pipeline(Settings(), Instruments())

            def work() -> None:
                trades = 0
                for cut in cuts:
                    trades += len(pipeline.take({"binance": cut}, previews=True).trades)
                assert trades == size

            return work

        return fresh(size, make)

    return run


def _nautilus(size: int) -> Numbers:
    need("nautilus_trader")
    from nautilus_trader.adapters.binance.spot.schemas.market import BinanceSpotTradeMsg
    from nautilus_trader.common.component import TestClock
    from nautilus_trader.data.aggregation import TimeBarAggregator
    from nautilus_trader.model.data import BarType
    from nautilus_trader.test_kit.providers import TestInstrumentProvider

    frames = inputs.trade_frames(size)
    market = TestInstrumentProvider.btcusdt_binance()
    read = msgspec.json.Decoder(BinanceSpotTradeMsg).decode

    def make() -> Any:
        clock, closed = TestClock(), list[Any]()
        clock.set_time(frames[0].seen_ns // _NS * _NS)
        aggregators = []
        for minutes in MINUTES:
            kind = BarType.from_str(f"{market.id}-{minutes}-MINUTE-LAST-INTERNAL")
            aggregators.append(TimeBarAggregator(market, kind, closed.append, clock))
            if hasattr(aggregators[-1], "start_timer"):
                aggregators[-1].start_timer()

        def work() -> None:
            first, second, third = aggregators
            next_ns = clock.timestamp_ns() + _NS
            for frame in frames:
                tick = read(frame.raw).data.parse_to_trade_tick(market.id, frame.seen_ns)
                if frame.seen_ns >= next_ns:
                    for event in clock.advance_time(frame.seen_ns):
                        event.handle()
                    next_ns += _NS
                first.handle_trade_tick(tick)
                second.handle_trade_tick(tick)
                third.handle_trade_tick(tick)

        return work

    return fresh(size, make)


TOPIC = Topic(
    title="Trade frame to three candles, live",
    cases=(
        Case("candlewick, 100 frames a call", _candlewick(100)),
        Case("candlewick, 1 frame a call", _candlewick(1), 0.1),
        Case("nautilus_trader", _nautilus, 0.5),
        Case("the whole pipeline, 1,000 frames a batch", _whole(1_000)),
        Case("the whole pipeline, 100 frames a batch", _whole(100)),
        Case("the whole pipeline, 1 frame a batch", _whole(1), 0.02),
    ),
    goals=(Ratio("candlewick, 100 frames a call", "nautilus_trader", 9.0),),
    size=50_000,
    tiny=200,
    unit="cpu_ns",
    also=("ns",),
    notes=(
        "The whole pipeline: continuity, six intervals, ten indicators, signals, anomalies, the "
        "states to be committed and the previews of open candles for the page. A batch of one "
        "happens only when it is quiet. cryptofeed's goal (>= 6x) is not measured, see decode.",
    ),
)
