"""A data directory and the pipeline that goes on where it ended.

takes   the settings and the data directory
gives   the store, and a pipeline with every state that the store holds; series whose state is of
        another version are rebuilt from their stored trades first
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import structlog

from candlewick.anomalies.watch import KINDS
from candlewick.config import Settings
from candlewick.model.columns import Candles
from candlewick.model.instruments import Instrument, Instruments
from candlewick.model.outcome import Outcome
from candlewick.pipeline import Pipeline
from candlewick.runs.rebuild import rebuild
from candlewick.shell.store import Store

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Opened:
    """One run's store and pipeline."""

    store: Store
    pipeline: Pipeline
    _stored: tuple[Instrument, ...] = ()

    def commit(self, outcome: Outcome, open_candles: Candles | None = None) -> None:
        """One transaction, with the instruments that are new or have changed."""
        instruments = tuple(self.pipeline.instruments)
        if instruments != self._stored:
            self.store.commit(outcome, open_candles=open_candles, instruments=instruments)
            self._stored = instruments
        else:
            self.store.commit(outcome, open_candles=open_candles)


@contextmanager
def opened(
    settings: Settings, data_dir: Path, say: Callable[[str], None] = lambda _: None
) -> Iterator[Opened]:
    """Lock, migrate, restore.

    Raises:
        UsageError: in use, of a newer schema, or not a data directory.
        StoreError: the disk refused.
    """
    instruments = Instruments()
    pipeline = Pipeline(settings, instruments)
    with Store.open(
        data_dir, indicator_names=pipeline.panel.names, anomaly_kinds=list(KINDS)
    ) as store:
        for instrument in store.instruments():
            instruments.declare(instrument)
        run = Opened(store, pipeline, tuple(instruments))
        refused = pipeline.restore(store.states())
        for series, reason in refused.items():
            say(f"{instruments[series].venue} {instruments[series].symbol}: {reason}")
        rebuild(store, pipeline, {*refused, *store.late_series()})
        yield run
