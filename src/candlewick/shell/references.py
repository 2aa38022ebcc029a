"""Rows that refer to other rows: checked by SQL, because SQLite joins by key without memory.

takes   a `Reader` inside a snapshot
gives   for each check: rows looked at, rows that are wrong, and the first of them in words
"""

from __future__ import annotations

from typing import NamedTuple

from candlewick.model.time import interval_text, to_rfc3339
from candlewick.shell.database import DamagedError
from candlewick.shell.reader import Reader

_WITH_SERIES = ("trades", "candles", "indicators", "signals", "anomalies", "gaps")


class Check(NamedTuple):
    """`wrong` selects series, interval_s, a time, and what to say; NULL where it has none."""

    claim: str
    table: str
    wrong: str

    def run(self, reader: Reader, examples_max: int) -> tuple[int, int, list[str]]:
        """Rows checked, rows wrong, the first in words."""
        checked = reader.query(f"SELECT count(*) FROM {self.table}")[0][0]
        count = reader.query(f"SELECT count(*) FROM ({self.wrong})")[0][0]
        rows = reader.query(f"{self.wrong} LIMIT {examples_max}") if count else []
        names = {one.series: f"{one.venue} {one.symbol}" for one in reader.instruments()}
        examples = []
        for series, interval_s, at_ns, words in rows:
            parts = [names.get(series, f"series {series}")]
            parts += [interval_text(interval_s)] if interval_s else []
            parts += [to_rfc3339(at_ns)] if at_ns is not None else []
            examples.append(f"{' '.join(parts)}: {words}")
        return checked, count, examples


_NO_CANDLE = """
NOT EXISTS (SELECT 1 FROM candles c WHERE c.series = r.series AND c.interval_s = r.interval_s
            AND c.open_ns = r.open_ns)
"""

CHECKS = {
    "markets": Check(
        "every row is of a known instrument",
        "instruments",
        " UNION ALL ".join(
            "SELECT r.series, NULL AS interval_s, NULL AS at_ns, "
            f"'{table} of a series that no instrument has' AS words "
            f"FROM (SELECT DISTINCT series FROM {table}) r "
            "WHERE r.series NOT IN (SELECT series FROM instruments)"
            for table in _WITH_SERIES
        ),
    ),
    "indicators": Check(
        "every indicator value is of a stored candle",
        "indicators",
        "SELECT r.series, r.interval_s, r.open_ns, 'an indicator without its candle' AS words "
        "FROM indicators r WHERE " + _NO_CANDLE,
    ),
    "signals": Check(
        "every signal is of a stored trade",
        "signals",
        "SELECT r.series, NULL AS interval_s, r.at_ns, "
        "'a signal of trade ' || r.id || ', which is not stored' AS words FROM signals r "
        "WHERE NOT EXISTS (SELECT 1 FROM trades t WHERE t.series = r.series AND t.id = r.id)",
    ),
    "anomalies": Check(
        "every alert is of a stored candle, once a kind",
        "anomalies",
        "SELECT r.series, r.interval_s, r.open_ns, r.kind || ': an alert without its candle' "
        "AS words FROM anomalies r WHERE "
        + _NO_CANDLE
        + " UNION ALL SELECT series, interval_s, open_ns, kind || ': more than once' "
        "FROM anomalies GROUP BY series, interval_s, open_ns, kind HAVING count(*) > 1",
    ),
}


def file_faults(reader: Reader, faults_max: int = 5) -> list[str]:
    """What SQLite itself finds wrong with the file; nothing if it is whole."""
    try:
        rows = [row[0] for row in reader.query(f"PRAGMA integrity_check({faults_max})")]
    except DamagedError as error:  # Some damage ends the check itself.
        return [str(error)]
    return [] if rows == ["ok"] else rows
