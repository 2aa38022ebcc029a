"""The writing side of a data directory: one transaction a batch, then the listeners may be told.

takes   an `Outcome`, with the instruments and names that it refers to
gives   `candlewick.sqlite` (WAL): trades, candles, indicators, signals, anomalies, gaps,
        quarantine, kernel states, offsets and counters, all of a batch or none of it
never   goes on after an error: whatever the disk did, the next start begins at a whole batch

One store a data directory (an operating-system lock), one thread at a time.
On `kill -9` every committed batch stays.  On power loss the newest batches may be gone, each whole:
the log is synced at a checkpoint (every 4 MB), not at every commit.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

from candlewick import __version__
from candlewick.errors import UsageError
from candlewick.model.columns import Candles, Columns, Trades
from candlewick.model.instruments import Instrument
from candlewick.model.outcome import Outcome, Quarantined
from candlewick.shell import database, schema, statements, views
from candlewick.shell.database import StoreError
from candlewick.shell.lock import DirectoryLock

QUARANTINE_ROWS_MAX = 10_000  # A venue; beyond it the oldest go and are counted.


class Store:
    """Open with `Store.open`; use as a context manager or call `close`."""

    def __init__(self, link: sqlite3.Connection, data_dir: Path, lock: DirectoryLock) -> None:
        self.data_dir = data_dir
        self._link = link
        self._path = database.file_of(data_dir)
        self._lock = lock
        self._stopped = ""
        self._open = True
        self._indicator_ids: list[int] = []
        self._anomaly_kinds: list[str] = []
        self._quarantined: Counter[str] = Counter()

    @classmethod
    def open(
        cls,
        data_dir: Path,
        *,
        indicator_names: Sequence[str] = (),
        anomaly_kinds: Sequence[str] = (),
    ) -> Self:
        """Lock the directory (made if absent), bring its schema up to date, and be ready to write.

        Args:
            indicator_names: what `Indicators.name` indexes in this run (`Panel.names`).
            anomaly_kinds: what `Anomalies.kind` indexes in this run.

        Raises:
            UsageError: in use by another process, of a newer schema, or no store of Candlewick.
            StoreError: the disk or the file refused.
        """
        try:
            data_dir.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UsageError(
                f"data directory {data_dir}: cannot be made ({error.strerror}); choose another"
            ) from error
        lock = DirectoryLock(data_dir)
        store = None
        try:
            link = schema.opened(data_dir)
            store = cls(link, data_dir, lock)
            with store._guarded("migrating"):
                schema.advance(link, store._path)
            with store._transaction("opening"):
                store._begin_run(indicator_names, anomaly_kinds)
            return store
        finally:
            if store is None or store._stopped:
                if store is not None:
                    store._link.close()
                lock.release()

    def commit(
        self,
        outcome: Outcome,
        *,
        open_candles: Candles | None = None,
        instruments: Iterable[Instrument] = (),
    ) -> None:
        """Everything that a batch yields, in one transaction.

        Previews are not stored, except as `open_candles` (`final` 0) at the end of a run.

        Raises:
            StoreError: nothing of this batch was written, and this store writes nothing any more.
            UsageError: an instrument that contradicts a stored one.
        """
        with self._transaction("writing a batch"):
            self._put_instruments(instruments)
            self._put_trades(outcome.trades)
            for candles in (outcome.candles, open_candles):
                if candles is not None:
                    self._put(statements.CANDLE, candles, statements.candle_rows(candles))
            self._put(
                statements.INDICATOR,
                outcome.indicators,
                statements.indicator_rows(outcome.indicators, self._indicator_ids),
            )
            self._put(statements.SIGNAL, outcome.signals, statements.signal_rows(outcome.signals))
            self._put(
                statements.ANOMALY,
                outcome.anomalies,
                statements.anomaly_rows(outcome.anomalies, self._anomaly_kinds),
            )
            self._put(statements.GAP, outcome.gaps, statements.gap_rows(outcome.gaps))
            holes = outcome.gaps
            self._link.executemany(statements.UNFLAG, statements.flag_rows(holes, repaired=True))
            self._link.executemany(statements.FLAG, statements.flag_rows(holes, repaired=False))
            dropped = self._put_quarantine(outcome.quarantined)
            self._link.executemany(statements.STATE, outcome.states)
            self._link.executemany(statements.OFFSET, outcome.offsets)
            self._link.executemany(statements.COUNTER, [*outcome.counts.items(), *dropped.items()])

    def instruments(self) -> list[Instrument]:
        """Every instrument, by series."""
        rows = self._rows(
            "SELECT venue, symbol, native, price_decimals, size_decimals, tick, lot, series "
            "FROM instruments ORDER BY series"
        )
        return [Instrument(*row) for row in rows]

    def save_instruments(self, instruments: Iterable[Instrument]) -> None:
        """Admit instruments, or update native name, tick and lot of known ones.

        Raises:
            UsageError: a series is stored as another market, or with other decimals.
            StoreError: as `commit`.
        """
        with self._transaction("writing instruments"):
            self._put_instruments(instruments)

    def states(self) -> dict[tuple[str, int], bytes]:
        """The last committed state of every kernel and series."""
        rows = self._rows("SELECT kernel, series, blob FROM states")
        return {(kernel, series): blob for kernel, series, blob in rows}

    def offsets(self) -> dict[str, str]:
        """How far each source was read when the last batch was committed."""
        return dict(self._rows("SELECT source, position FROM offsets"))

    def late_series(self) -> list[int]:
        """Series with trades that their candles lack, because they came too late."""
        rows = self._rows(
            "SELECT DISTINCT series FROM gaps WHERE kind = 'late' AND repaired_ns = 0"
        )
        return [series for (series,) in rows]

    def reset_series(self, series: int, mark: str) -> None:
        """Take away what can be computed again from a series' trades, and leave a mark.

        Trades, alerts that were given, repaired holes and damaged books stay.  The mark is an
        offset: a start that still finds it knows that the series is not whole.

        Raises:
            StoreError: as `commit`.
        """
        with self._transaction("resetting a series"):
            for statement in statements.RESET:
                self._link.execute(statement, (series,))
            self._link.execute(statements.OFFSET, (mark, "begun"))

    def clear_offset(self, source: str) -> None:
        """Forget how far a source was read, or that a mark was set."""
        with self._transaction("clearing an offset"):
            self._link.execute("DELETE FROM offsets WHERE source = ?", (source,))

    def close(self) -> None:
        """Fold the log into the file and give the directory back; a second call does nothing."""
        if not self._open:
            return
        self._open = False
        try:
            if not self._stopped:
                with self._guarded("closing"):
                    self._link.execute("PRAGMA optimize")
                    self._link.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        finally:
            self._link.close()
            self._lock.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def _guarded(self, doing: str) -> Iterator[None]:
        """Whatever goes wrong inside stops this store for good; the disk's faults in words."""
        if self._stopped:
            raise StoreError(f"{self._path}: the store stopped before ({self._stopped}); restart")
        assert self._open or doing == "closing", "the store is closed"
        self._stopped = f"{doing} failed"
        try:
            yield
        except sqlite3.DatabaseError as error:
            if not database.is_environment(error):
                raise
            stop = database.explained(self._path, doing, error)
            self._stopped = f"{doing} failed: {error}"
            raise stop from error
        self._stopped = ""

    @contextmanager
    def _transaction(self, doing: str) -> Iterator[None]:
        """All of it or nothing of it, whatever ends it."""
        with self._guarded(doing):
            self._link.execute("BEGIN IMMEDIATE")
            done = False
            try:
                yield
                self._link.execute("COMMIT")
                done = True
            finally:
                # SQLite itself has rolled back already after a full disk or an I/O error.
                if not done and self._link.in_transaction:
                    self._link.execute("ROLLBACK")

    def _begin_run(self, indicator_names: Sequence[str], anomaly_kinds: Sequence[str]) -> None:
        self._link.execute("INSERT OR IGNORE INTO meta VALUES ('made_by', ?)", (__version__,))
        self._link.executemany(
            "INSERT OR IGNORE INTO indicator_names (name) VALUES (?)",
            [(name,) for name in indicator_names],
        )
        ids = dict(self._link.execute("SELECT name, id FROM indicator_names").fetchall())
        self._indicator_ids = [ids[name] for name in indicator_names]
        self._anomaly_kinds = list(anomaly_kinds)
        views.refresh(self._link)
        counted = self._link.execute("SELECT venue, count(*) FROM quarantine GROUP BY venue")
        self._quarantined = Counter(dict(counted.fetchall()))

    def _rows(self, sql: str) -> list[tuple[Any, ...]]:
        with self._guarded("reading"):
            return self._link.execute(sql).fetchall()

    def _put(self, sql: str, columns: Columns, rows: Iterator[statements.Row]) -> None:
        if len(columns):
            self._link.executemany(sql, rows)

    def _put_trades(self, trades: Trades) -> None:
        """By the hundred, and what is left one by one."""
        values, width = statements.trade_values(trades), len(Trades.DTYPES)
        block = width * statements.TRADES_AT_ONCE
        whole = len(values) - len(values) % block
        for at in range(0, whole, block):
            self._link.execute(statements.TRADES, values[at : at + block])
        for at in range(whole, len(values), width):
            self._link.execute(statements.TRADE, values[at : at + width])

    def _put_instruments(self, instruments: Iterable[Instrument]) -> None:
        for one in instruments:
            assert one.series >= 0, f"{one.venue} {one.symbol} has no series yet"
            known = self._link.execute(
                "SELECT venue, symbol, price_decimals, size_decimals, series FROM instruments "
                "WHERE series = ? OR (venue = ? AND symbol = ?)",
                (one.series, one.venue, one.symbol),
            ).fetchall()
            told = (one.venue, one.symbol, one.price_decimals, one.size_decimals, one.series)
            for row in known:
                if row != told:
                    raise UsageError(
                        f"{self._path}: series {row[4]} is stored as {row[0]} {row[1]} with "
                        f"{row[2]}/{row[3]} decimals, now told as series {one.series}, "
                        f"{one.venue} {one.symbol} with {told[2]}/{told[3]}; "
                        "start a new data directory"
                    )
            self._link.execute(
                statements.INSTRUMENT,
                (one.series, one.venue, one.symbol, one.native, one.price_decimals,
                 one.size_decimals, one.tick, one.lot),
            )  # fmt: skip

    def _put_quarantine(self, frames: list[Quarantined]) -> Counter[str]:
        """Keep the newest of each venue; gives how many older ones went."""
        dropped: Counter[str] = Counter()
        for row in statements.quarantine_rows(frames):
            self._quarantined[row[0]] += self._link.execute(statements.QUARANTINE, row).rowcount
        for venue in {frame.venue for frame in frames}:
            excess = self._quarantined[venue] - QUARANTINE_ROWS_MAX
            if excess > 0:
                self._link.execute(
                    "DELETE FROM quarantine WHERE id IN "
                    "(SELECT id FROM quarantine WHERE venue = ? ORDER BY id LIMIT ?)",
                    (venue, excess),
                )
                self._quarantined[venue] = QUARANTINE_ROWS_MAX
                dropped[f"quarantine_dropped_{venue}"] += excess
        return dropped
