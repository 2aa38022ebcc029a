"""Stored rows as text for other programs: CSV, JSON or JSON lines.

takes   a `Reader`, what to export, and an open text stream
gives   exact decimals, RFC 3339 times, one row a line; nothing where there is nothing (empty in
        CSV, null in JSON)
never   holds more than a page of rows, so that ten million of them need no more memory than ten

Candles and indicators come by open time, trades in the exchange's own order (trade id).
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from typing import Literal, TextIO

from candlewick.errors import UsageError
from candlewick.model.columns import Coverage
from candlewick.model.instruments import Instrument
from candlewick.model.money import join_128, to_text
from candlewick.model.time import interval_text, to_rfc3339
from candlewick.shell.reader import Reader

What = Literal["candles", "trades", "indicators"]
Form = Literal["csv", "json", "jsonl"]
Cell = str | int | float | bool | None
Cells = tuple[Cell, ...]

COLUMNS: dict[str, tuple[str, ...]] = {
    "candles": (
        "open_time", "open", "high", "low", "close", "volume", "quote_volume",
        "taker_buy_volume", "trades", "first_trade_id", "last_trade_id", "revision", "final",
        "coverage",
    ),
    "trades": ("time", "id", "price", "size", "side", "venue", "symbol"),
    "indicators": ("open_time", "name", "value", "revision"),
}  # fmt: skip
_SIDES = {1: "buy", 0: "unknown", -1: "sell"}
_PAGE_ROWS = 5_000


def export(
    reader: Reader,
    what: What,
    symbol: str,
    out: TextIO,
    *,
    venue: str | None = None,
    interval_s: int = 60,
    fmt: Form = "csv",
    start_ns: int | None = None,
    end_ns: int | None = None,
) -> int:
    """Write every row of one market between two times (the end not included).

    Returns:
        How many rows were written.

    Raises:
        UsageError: no such market, interval, kind of row or format here; says what there is.
    """
    if what not in COLUMNS:
        raise UsageError(f"export {what!r}: expected one of {', '.join(COLUMNS)}")
    if fmt not in _WRITERS:
        raise UsageError(f"format {fmt!r}: expected one of {', '.join(_WRITERS)}")
    instrument = reader.find(symbol, venue)
    if what == "trades":
        rows = _trades(reader, instrument, start_ns, end_ns)
    else:
        _check_interval(reader, instrument, interval_s)
        source = _candles if what == "candles" else _indicators
        rows = source(reader, instrument, interval_s, start_ns, end_ns)
    return _WRITERS[fmt](COLUMNS[what], rows, out)


def _check_interval(reader: Reader, instrument: Instrument, interval_s: int) -> None:
    held = reader.intervals(instrument.series)
    if interval_s not in held:
        there = ", ".join(interval_text(seconds) for seconds in held) or "no candles yet"
        raise UsageError(
            f"{instrument.venue} {instrument.symbol}: no candles of {interval_text(interval_s)}; "
            f"the data directory holds {there}"
        )


def _candles(
    reader: Reader, one: Instrument, interval_s: int, start_ns: int | None, end_ns: int | None
) -> Iterator[Cells]:
    after = None
    while True:
        page = reader.candles(one.series, interval_s, start_ns, end_ns, _PAGE_ROWS, after=after)
        for row in page.records().tolist():
            (_, _, open_ns, open_, high, low, close, volume, taker_buy, quote_hi, quote_lo,
             trades, first_id, last_id, revision, final, coverage) = row  # fmt: skip
            yield (
                to_rfc3339(open_ns),
                one.price_text(open_),
                one.price_text(high),
                one.price_text(low),
                one.price_text(close),
                one.size_text(volume),
                to_text(join_128(quote_hi, quote_lo), one.quote_decimals),
                one.size_text(taker_buy),
                trades,
                first_id if first_id >= 0 else None,
                last_id if last_id >= 0 else None,
                revision,
                bool(final),
                Coverage(coverage).words(),
            )
        if len(page) < _PAGE_ROWS:
            return
        after = int(page.open_ns[-1])


def _trades(
    reader: Reader, one: Instrument, start_ns: int | None, end_ns: int | None
) -> Iterator[Cells]:
    """All pages are read: ids say nothing of times, so only the times decide what is inside."""
    from_id = 0
    while True:
        page = reader.trades_since(one.series, from_id, _PAGE_ROWS)
        inside = page.at_ns >= (page.at_ns if start_ns is None else start_ns)
        if end_ns is not None:
            inside &= page.at_ns < end_ns
        for _, id_, at_ns, _, price, size, side in page.take(inside).records().tolist():
            yield (
                to_rfc3339(at_ns),
                id_,
                one.price_text(price),
                one.size_text(size),
                _SIDES[side],
                one.venue,
                one.symbol,
            )
        if len(page) < _PAGE_ROWS:
            return
        from_id = int(page.id[-1]) + 1


def _indicators(
    reader: Reader, one: Instrument, interval_s: int, start_ns: int | None, end_ns: int | None
) -> Iterator[Cells]:
    after = None
    while True:
        page = reader.indicators(
            one.series, interval_s, (), start_ns, end_ns, _PAGE_ROWS, after=after
        )
        for row in page:
            time = to_rfc3339(row.open_ns)
            for name, value in row.values.items():
                yield time, name, value, row.revisions[name]
        if len(page) < _PAGE_ROWS:
            return
        after = page[-1].open_ns


def _write_csv(columns: tuple[str, ...], rows: Iterator[Cells], out: TextIO) -> int:
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(columns)
    count = 0
    for count, row in enumerate(rows, 1):  # noqa: B007 the last count is the answer
        writer.writerow([str(cell).lower() if isinstance(cell, bool) else cell for cell in row])
    return count


def _write_lines(columns: tuple[str, ...], rows: Iterator[Cells], out: TextIO) -> int:
    count = 0
    for count, row in enumerate(rows, 1):  # noqa: B007 the last count is the answer
        out.write(_object(columns, row) + "\n")
    return count


def _write_json(columns: tuple[str, ...], rows: Iterator[Cells], out: TextIO) -> int:
    count = 0
    out.write("[")
    for count, row in enumerate(rows, 1):
        out.write(("\n" if count == 1 else ",\n") + _object(columns, row))
    out.write("\n]\n")
    return count


def _object(columns: tuple[str, ...], row: Cells) -> str:
    return json.dumps(dict(zip(columns, row, strict=True)), allow_nan=False)


_WRITERS = {"csv": _write_csv, "json": _write_json, "jsonl": _write_lines}
