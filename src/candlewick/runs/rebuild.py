"""A series anew from its stored trades: when a snapshot is of another version, or a trade was late.

takes   the series whose state was refused, or whose candles lack trades that came too late
gives   their candles, indicators, signals and states as this version computes them, and the ledger
        rows that their ids tell; alerts that were given stay
never   leaves a half: each series starts from nothing in one transaction with a mark, and a start
        that finds the mark begins that series again
"""

from __future__ import annotations

from collections.abc import Iterable

import structlog

from candlewick.model.columns import Events, Kind, Trades
from candlewick.pipeline import Pipeline
from candlewick.shell.reader import Reader
from candlewick.shell.store import Store

log = structlog.get_logger(__name__)

_ROWS = 50_000
_MARK = "rebuild:"


def rebuild(store: Store, pipeline: Pipeline, refused: Iterable[int]) -> list[int]:
    """Rebuild what was refused, and what an interrupted rebuild left; gives the series."""
    begun = {int(key.removeprefix(_MARK)) for key in store.offsets() if key.startswith(_MARK)}
    wanted = sorted(begun | set(refused))
    if wanted:
        pipeline.forget(wanted)
    for series in wanted:
        one = pipeline.instruments[series]
        log.info("rebuilding from stored trades", venue=one.venue, symbol=one.symbol)
        store.reset_series(series, mark=f"{_MARK}{series}")
        with Reader(store.data_dir) as reader:
            _refold(reader, store, pipeline, series)
        store.clear_offset(f"{_MARK}{series}")
    return wanted


def _refold(reader: Reader, store: Store, pipeline: Pipeline, series: int) -> None:
    """All stored trades in the order of their ids, on a clock of the series' own."""
    store.commit(pipeline.refold(_mark(series, Kind.HOLD)))
    last_id = -1
    while len(trades := reader.trades_since(series, last_id + 1, _ROWS)):
        outcome = pipeline.refold(_events(trades))
        outcome.trades = Trades.empty()  # They are stored already.
        outcome.counts = {}
        store.commit(outcome)
        last_id = int(trades.id[-1])
    store.commit(pipeline.refold(_mark(series, Kind.RELEASE)))


def _mark(series: int, kind: Kind) -> Events:
    return Events.from_rows([(series, kind, 0, 0, 0, 0, 0)])


def _events(trades: Trades) -> Events:
    return Events(
        trades.series, trades.side, trades.id, trades.at_ns, trades.seen_ns, trades.price,
        trades.size,
    )  # fmt: skip
