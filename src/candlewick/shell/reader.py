"""The reading side of a data directory: rows by key, newest first where people look.

takes   a data directory that a `Store` made, in this process or in another one
gives   columns (candles, trades, signals, gaps) or named rows, never more than `limit`
never   writes, locks out the writer, or keeps a transaction open between two calls

Safe to use from several threads: one connection, one lock, short queries.  Times are nanoseconds,
starts inclusive, ends exclusive; `after` is the last key of the page before.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import groupby, islice
from pathlib import Path
from typing import Any, NamedTuple, Self

from candlewick.errors import UsageError
from candlewick.model.columns import GAP_HOW, GAP_KINDS, Candles, Gaps, Signals, Trades
from candlewick.model.instruments import Instrument, Instruments
from candlewick.shell import database, schema

_EARLIEST, _LATEST = -(2**63), 2**63 - 1
_ALL_ROWS = -1  # SQLite's own word for "no limit".
_LOW_WORD = 2**64 - 1
_TABLES = ("trades", "candles", "indicators", "signals", "anomalies", "gaps", "quarantine")
_CANDLE = (
    "series, interval_s, open_ns, open, high, low, close, volume, taker_buy_volume, quote_volume, "
    "trades, ifnull(first_trade_id, -1), ifnull(last_trade_id, -1), revision, final, coverage"
)


class IndicatorRow(NamedTuple):
    """The values of one bar by name, None while warming up, and each value's revision."""

    open_ns: int
    values: dict[str, float | None]
    revisions: dict[str, int]


class AnomalyRow(NamedTuple):
    """One alert; `kind` in words, `severity` 1 LOW, 2 MEDIUM, 3 HIGH."""

    series: int
    interval_s: int
    open_ns: int
    kind: str
    severity: int
    value: float | None
    limit: float | None
    open: int
    close: int


class QuarantineRow(NamedTuple):
    """What a venue should not have sent: `raw` is its beginning, `raw_bytes` its whole length."""

    venue: str
    seen_ns: int
    reason: str
    message: str
    raw: bytes
    raw_bytes: int


class Reader:
    """Open for as long as needed; use as a context manager or call `close`.

    Raises:
        StoreError: no store there, or the disk refused.
        VersionError: a store of another schema.
    """

    def __init__(self, data_dir: Path) -> None:
        self._path = database.file_of(data_dir)
        self._link = database.connect_reading(data_dir)
        self._turn = threading.Lock()
        checked = False
        try:
            schema.check(self._link, self._path)
            checked = True
        finally:
            if not checked:
                self._link.close()

    def close(self) -> None:
        with self._turn:
            self._link.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def instruments(self) -> list[Instrument]:
        """Every market that the store holds, by series."""
        rows = self._rows(
            "SELECT venue, symbol, native, price_decimals, size_decimals, tick, lot, series "
            "FROM instruments ORDER BY series"
        )
        return [Instrument(*row) for row in rows]

    def find(self, symbol: str, venue: str | None = None) -> Instrument:
        """The market that a user's spelling means; the first venue that has it unless told.

        Raises:
            UsageError: none here, with what there is.
        """
        stored = self.instruments()
        registry = Instruments()
        for instrument in stored:
            registry.declare(instrument)
        found = registry.find(symbol, venue)
        if not found:
            held = ", ".join(f"{one.venue} {one.symbol}" for one in stored) or "nothing yet"
            asked = f"{venue} {symbol}" if venue else symbol
            raise UsageError(f"{self._path.parent}: holds no {asked}; it holds {held}")
        keys = [(one.venue, one.symbol) for one in stored]
        return stored[min(keys.index((one.venue, one.symbol)) for one in found)]

    def intervals(self, series: int) -> list[int]:
        """The candle intervals that a series has, in seconds."""
        found: list[int] = []
        while True:
            (step,) = self._rows(
                "SELECT min(interval_s) FROM candles WHERE series = ? AND interval_s > ?",
                series,
                found[-1] if found else 0,
            )[0]
            if step is None:
                return found
            found.append(step)

    def candles(
        self,
        series: int,
        interval_s: int,
        start_ns: int | None = None,
        end_ns: int | None = None,
        limit: int = 500,
        *,
        descending: bool = False,
        after: int | None = None,
    ) -> Candles:
        """Bars by open time; an open one (`final` 0) is among them only where a run ended."""
        low, high = _span(start_ns, end_ns, after, descending)
        rows = self._rows(
            f"SELECT {_CANDLE} FROM candles "
            "WHERE series = ? AND interval_s = ? AND open_ns >= ? AND open_ns < ? "
            f"ORDER BY open_ns {_order(descending)} LIMIT ?",
            series, interval_s, low, high, limit,
        )  # fmt: skip
        return _candles(rows)

    def last_candle(self, series: int, interval_s: int) -> Candles:
        """The newest bar, or none."""
        return self.candles(series, interval_s, limit=1, descending=True)

    def trades(self, series: int, limit: int = 100, before_id: int | None = None) -> Trades:
        """The newest trades, newest first."""
        return Trades.from_rows(
            self._rows(
                "SELECT * FROM trades WHERE series = ? AND id < ? ORDER BY id DESC LIMIT ?",
                series,
                _LATEST if before_id is None else before_id,
                limit,
            )
        )

    def trades_since(self, series: int, from_id: int, limit: int) -> Trades:
        """Trades from an id on, in the exchange's order."""
        return Trades.from_rows(
            self._rows(
                "SELECT * FROM trades WHERE series = ? AND id >= ? ORDER BY id LIMIT ?",
                series,
                from_id,
                limit,
            )
        )

    def indicator_names(self) -> list[str]:
        """Every name that the store has values of."""
        return [name for (name,) in self._rows("SELECT name FROM indicator_names ORDER BY id")]

    def indicators(
        self,
        series: int,
        interval_s: int,
        names: Collection[str] = (),
        start_ns: int | None = None,
        end_ns: int | None = None,
        limit: int = 500,
        *,
        descending: bool = False,
        after: int | None = None,
    ) -> list[IndicatorRow]:
        """Values by bar, at most `limit` bars; all names unless told."""
        known = self._rows("SELECT id, name FROM indicator_names")
        wanted = {id_: name for id_, name in known if not names or name in names}
        low, high = _span(start_ns, end_ns, after, descending)
        with self._cursor(
            "SELECT open_ns, name, value, revision FROM indicators "
            "WHERE series = ? AND interval_s = ? AND open_ns >= ? AND open_ns < ? "
            f"ORDER BY open_ns {_order(descending)}, name {_order(descending)}",
            series, interval_s, low, high,
        ) as cursor:  # fmt: skip
            bars = islice(groupby(cursor, key=lambda row: row[0]), limit)
            return [_indicator(open_ns, rows, wanted) for open_ns, rows in bars]

    def signals(self, series: int, limit: int = 100, before_ns: int | None = None) -> Signals:
        """The newest changes of the recommendation, newest first; NaN where it had no mean."""
        rows = self._rows(
            "SELECT * FROM signals WHERE series = ? AND at_ns < ? ORDER BY id DESC LIMIT ?",
            series,
            _LATEST if before_ns is None else before_ns,
            limit,
        )
        return Signals.from_rows(rows)

    def anomalies(self, series: int | None = None, limit: int = 100) -> list[AnomalyRow]:
        """The newest alerts of one series or of all, newest first."""
        where, arguments = ("", ()) if series is None else ("WHERE series = ?", (series,))
        rows = self._rows(
            "SELECT series, interval_s, open_ns, kind, severity, value, bound, open, close "
            f"FROM anomalies {where} ORDER BY open_ns DESC LIMIT ?",
            *arguments,
            limit,
        )
        return [AnomalyRow(*row) for row in rows]

    def gaps(
        self,
        series: int | None = None,
        kind: str | None = None,
        *,
        open_only: bool = False,
        limit: int | None = None,
    ) -> Gaps:
        """The ledger, the hole seen last first; all of it unless limited."""
        clauses: list[str] = ["repaired_ns = 0"] if open_only else []
        arguments: list[Any] = []
        for clause, value in (("series = ?", series), ("kind = ?", kind)):
            if value is not None:
                clauses.append(clause)
                arguments.append(value)
        rows = self._rows(
            f"SELECT * FROM gaps WHERE {' AND '.join(clauses) or '1'} "
            "ORDER BY seen_ns DESC, series DESC, kind DESC, first_id DESC LIMIT ?",
            *arguments,
            _ALL_ROWS if limit is None else limit,
        )
        return Gaps.from_rows(
            [(r[0], GAP_KINDS.index(r[1]), *r[2:9], GAP_HOW.index(r[9])) for r in rows]
        )

    def quarantine(self, limit: int = 100) -> list[QuarantineRow]:
        """What was refused last, newest first."""
        rows = self._rows(
            "SELECT venue, seen_ns, reason, message, raw, raw_bytes FROM quarantine "
            "ORDER BY id DESC LIMIT ?",
            limit,
        )
        return [QuarantineRow(*row) for row in rows]

    def count_trades(self, series: int, first_id: int, last_id: int) -> int:
        """How many trades of an inclusive range of ids are stored."""
        sql = "SELECT count(*) FROM trades WHERE series = ? AND id BETWEEN ? AND ?"
        return int(self._rows(sql, series, first_id, last_id)[0][0])

    def counters(self) -> dict[str, int]:
        """Work done on this data directory, summed over its runs."""
        return dict(self._rows("SELECT name, value FROM counters ORDER BY name"))

    def counts(self) -> dict[str, int]:
        """Rows a table.  Counts them: about 0.1 s for every million."""
        return {table: self._rows(f"SELECT count(*) FROM {table}")[0][0] for table in _TABLES}

    def query(self, sql: str, *arguments: Any) -> list[tuple[Any, ...]]:
        """Any reading statement; the connection cannot write."""
        return self._rows(sql, *arguments)

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Every call inside the block sees the same moment, whatever a writer does meanwhile."""
        self._rows("BEGIN")
        try:
            yield
        finally:
            self._rows("COMMIT")

    @contextmanager
    def _cursor(self, sql: str, *arguments: Any) -> Iterator[sqlite3.Cursor]:
        """One statement, ended when the block ends so that the writer's log can be folded."""
        with self._turn:
            try:
                cursor = self._link.execute(sql, arguments)
                try:
                    yield cursor
                finally:
                    cursor.close()
            except sqlite3.DatabaseError as error:
                if not database.is_environment(error):
                    raise
                raise database.explained(self._path, "reading", error) from error

    def _rows(self, sql: str, *arguments: Any) -> list[tuple[Any, ...]]:
        with self._cursor(sql, *arguments) as cursor:
            return cursor.fetchall()


def _span(
    start_ns: int | None, end_ns: int | None, after: int | None, descending: bool
) -> tuple[int, int]:
    """The first key inside and the first one behind, with the page before taken off."""
    low = _EARLIEST if start_ns is None else start_ns
    high = _LATEST if end_ns is None else end_ns
    if after is not None:
        low, high = (low, min(high, after)) if descending else (max(low, after + 1), high)
    return low, high


def _order(descending: bool) -> str:
    return "DESC" if descending else "ASC"


def _indicator(
    open_ns: int, rows: Iterable[tuple[Any, ...]], wanted: Mapping[int, str]
) -> IndicatorRow:
    """One bar's rows, in the order of the store's names whichever way they were read."""
    kept = sorted((name, value, revision) for _, name, value, revision in rows if name in wanted)
    return IndicatorRow(
        open_ns,
        {wanted[name]: value for name, value, _ in kept},
        {wanted[name]: revision for name, _, revision in kept},
    )


def _candles(rows: list[tuple[Any, ...]]) -> Candles:
    """The quote volume's digits as the two words of a 128-bit integer."""
    whole = [int(row[9]) for row in rows]
    return Candles.from_rows(
        [
            (*row[:9], quote >> 64, quote & _LOW_WORD, *row[10:])
            for row, quote in zip(rows, whole, strict=True)
        ]
    )
