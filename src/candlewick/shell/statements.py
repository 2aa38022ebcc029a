"""What the store writes: one SQL statement a table, and the columns of a batch as its rows.

takes   columns of a batch
gives   rows of plain Python values, in the order of the statement's question marks

Every statement is idempotent, so that a replay writes equal rows over equal rows; `COUNTER` alone
adds up.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from candlewick.model.columns import (
    GAP_HOW,
    GAP_KINDS,
    Anomalies,
    Candles,
    Columns,
    Floats,
    Gaps,
    Indicators,
    Signals,
    Trades,
)
from candlewick.model.money import join_128
from candlewick.model.outcome import Quarantined

QUARANTINE_RAW_BYTES_MAX = 16 * 1024

TRADE = "INSERT OR IGNORE INTO trades VALUES (?, ?, ?, ?, ?, ?, ?)"

# Trades are the many rows: a statement of a hundred takes half the time of a hundred statements,
# and the interpreter's lock changes hands a hundredth as often.
TRADES_AT_ONCE = 100
TRADES = f"{TRADE}{', (?, ?, ?, ?, ?, ?, ?)' * (TRADES_AT_ONCE - 1)}"

# A higher revision wins.  At the same one a final row replaces an open one, and a row that knows
# fewer trades (a tape that begins in the middle of the bar) never replaces one that knows more.
CANDLE = """
INSERT INTO candles VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (series, interval_s, open_ns) DO UPDATE SET
    open = excluded.open, high = excluded.high, low = excluded.low, close = excluded.close,
    volume = excluded.volume, taker_buy_volume = excluded.taker_buy_volume,
    quote_volume = excluded.quote_volume, trades = excluded.trades,
    first_trade_id = excluded.first_trade_id, last_trade_id = excluded.last_trade_id,
    revision = excluded.revision, final = excluded.final, coverage = excluded.coverage
WHERE excluded.revision > revision
   OR (excluded.revision = revision AND excluded.final >= final AND excluded.trades >= trades)
"""

# The same revision too: when an earlier candle is revised, the values after it change and theirs
# does not.
INDICATOR = """
INSERT INTO indicators VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (series, interval_s, open_ns, name) DO UPDATE SET
    value = excluded.value, revision = excluded.revision
WHERE excluded.revision >= revision
"""

SIGNAL = "INSERT OR IGNORE INTO signals VALUES (?, ?, ?, ?, ?, ?, ?)"

ANOMALY = """
INSERT OR IGNORE INTO anomalies
    (series, interval_s, open_ns, kind, severity, value, bound, open, close)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
"""

GAP = """
INSERT INTO gaps VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (series, kind, first_id) DO UPDATE SET
    last_id = excluded.last_id, seen_ns = excluded.seen_ns, after_ns = excluded.after_ns,
    before_ns = excluded.before_ns, missing = excluded.missing,
    repaired_ns = excluded.repaired_ns, how = excluded.how
"""

# A kernel flags the bars that it still holds; older ones are flagged where they are.  The bars that
# it has just revised have their flag already, so nothing is done twice.
FLAG = """
UPDATE candles SET coverage = coverage | 10, revision = revision + 1
WHERE series = :series AND final = 1 AND (coverage & 2) = 0
  AND open_ns <= :before_ns AND open_ns + interval_s * 1000000000 > :after_ns
"""

UNFLAG = """
UPDATE candles SET coverage = (coverage & ~2) | 12, revision = revision + 1
WHERE series = :series AND final = 1 AND (coverage & 2) = 2
  AND open_ns <= :before_ns AND open_ns + interval_s * 1000000000 > :after_ns
  AND NOT EXISTS (
    SELECT 1 FROM gaps AS hole
    WHERE hole.series = candles.series AND hole.repaired_ns = 0
      AND hole.kind IN ('trades', 'late')
      AND hole.before_ns >= candles.open_ns
      AND hole.after_ns < candles.open_ns + candles.interval_s * 1000000000
  )
"""

QUARANTINE = """
INSERT OR IGNORE INTO quarantine (venue, seen_ns, reason, message, raw, raw_bytes, digest)
VALUES (?, ?, ?, ?, ?, ?, ?)
"""

STATE = """
INSERT INTO states VALUES (?, ?, ?)
ON CONFLICT (kernel, series) DO UPDATE SET blob = excluded.blob
"""

OFFSET = """
INSERT INTO offsets VALUES (?, ?)
ON CONFLICT (source) DO UPDATE SET position = excluded.position
"""

COUNTER = """
INSERT INTO counters VALUES (?, ?)
ON CONFLICT (name) DO UPDATE SET value = value + excluded.value
"""

INSTRUMENT = """
INSERT INTO instruments VALUES (?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (series) DO UPDATE SET
    native = excluded.native, tick = excluded.tick, lot = excluded.lot
"""

# Everything of a series that its trades tell; the ledger keeps what only its time could know.
RESET = (
    "DELETE FROM candles WHERE series = ?",
    "DELETE FROM indicators WHERE series = ?",
    "DELETE FROM signals WHERE series = ?",
    "DELETE FROM states WHERE series = ?",
    "DELETE FROM gaps WHERE series = ? AND kind IN ('trades', 'late') AND repaired_ns = 0",
)

Row = tuple[Any, ...]
_TRADES_KIND, _LATE_KIND = GAP_KINDS.index("trades"), GAP_KINDS.index("late")


def _plain(columns: Columns, *names: str) -> list[list[Any]]:
    return [columns.column(name).tolist() for name in names]


def trade_values(trades: Trades) -> list[int]:
    """Row after row in one list."""
    table = np.empty((len(trades), len(Trades.DTYPES)), np.int64)
    for place, name in enumerate(Trades.DTYPES):
        table[:, place] = trades.column(name)
    values: list[int] = table.ravel().tolist()
    return values


def candle_rows(candles: Candles) -> Iterator[Row]:
    """The 128-bit quote volume as decimal digits, ids of a bar without trades as NULL."""
    hi, lo = _plain(candles, "quote_hi", "quote_lo")
    first, last = _plain(candles, "first_id", "last_id")
    return zip(
        *_plain(candles, "series", "interval_s", "open_ns", "open", "high", "low", "close"),
        *_plain(candles, "volume", "taker_buy"),
        [str(join_128(high, low)) for high, low in zip(hi, lo, strict=True)],
        *_plain(candles, "trades"),
        [None if id_ < 0 else id_ for id_ in first],
        [None if id_ < 0 else id_ for id_ in last],
        *_plain(candles, "revision", "final", "coverage"),
        strict=True,
    )


def indicator_rows(indicators: Indicators, stored_names: list[int]) -> Iterator[Row]:
    """`stored_names` turns this run's place of a name into the store's."""
    names = [stored_names[index] for index in indicators.name.tolist()]
    return zip(
        *_plain(indicators, "series", "interval_s", "open_ns"),
        names,
        _finite(indicators.value),
        *_plain(indicators, "revision"),
        strict=True,
    )


def signal_rows(signals: Signals) -> Iterator[Row]:
    return zip(
        *_plain(signals, "series", "id", "at_ns", "side", "price"),
        _finite(signals.mean),
        _finite(signals.band),
        strict=True,
    )


def anomaly_rows(anomalies: Anomalies, kinds: list[str]) -> Iterator[Row]:
    """`kinds` are the words that the batch's kinds index."""
    return zip(
        *_plain(anomalies, "series", "interval_s", "open_ns"),
        [kinds[kind] for kind in anomalies.kind.tolist()],
        *_plain(anomalies, "severity"),
        _finite(anomalies.value),
        _finite(anomalies.limit),
        *_plain(anomalies, "open", "close"),
        strict=True,
    )


def gap_rows(gaps: Gaps) -> Iterator[Row]:
    return zip(
        *_plain(gaps, "series"),
        [GAP_KINDS[kind] for kind in gaps.kind.tolist()],
        *_plain(gaps, "first_id", "last_id", "seen_ns", "after_ns", "before_ns", "missing"),
        *_plain(gaps, "repaired_ns"),
        [GAP_HOW[how] for how in gaps.how.tolist()],
        strict=True,
    )


def quarantine_rows(frames: Iterable[Quarantined]) -> Iterator[Row]:
    """The beginning of each message, its whole length, and a digest that makes a repeat one row."""
    for frame in frames:
        digest = hashlib.blake2b(digest_size=16)
        for part in (frame.reason.encode(), frame.message.encode(), frame.raw):
            digest.update(len(part).to_bytes(8, "little"))
            digest.update(part)
        yield (
            frame.venue,
            frame.seen_ns,
            frame.reason,
            frame.message,
            frame.raw[:QUARANTINE_RAW_BYTES_MAX],
            len(frame.raw),
            digest.digest(),
        )


def _finite(values: Floats) -> list[float]:
    """NaN for infinities too: SQLite stores a NaN as NULL, its word for "nothing here"."""
    finite: list[float] = np.where(np.isfinite(values), values, np.nan).tolist()
    return finite


def flag_rows(gaps: Gaps, *, repaired: bool) -> list[dict[str, int]]:
    """What `FLAG` (or `UNFLAG`, for repaired holes) needs of each hole of trades.

    A trade too late for its candle is a hole in that candle, however whole the ids are.
    """
    wanted = (gaps.kind == _TRADES_KIND) | ((gaps.kind == _LATE_KIND) & (not repaired))
    wanted &= (gaps.repaired_ns != 0) == repaired
    names = ("series", "after_ns", "before_ns")
    columns = [gaps.column(name)[wanted].tolist() for name in names]
    return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]
