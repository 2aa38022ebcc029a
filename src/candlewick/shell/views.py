"""Views for people who open the store with any SQLite program: symbols, words and decimals.

takes   a writing connection inside a transaction, and the indicator names that the store knows
gives   `candle_view`, `trade_view`, `gap_view` and `technical_indicators`, as this program has them
never   a column that the tables do not imply; views hold nothing and are made anew when they change
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping

# Columns that published SQL asks for; NULL where this store has no such indicator.
ASKED_FOR = ("rsi_14", "sma_21", "macd_7")


def refresh(link: sqlite3.Connection) -> None:
    """Make the views that are missing or of another shape."""
    names = dict(link.execute("SELECT name, id FROM indicator_names ORDER BY id").fetchall())
    found = dict(link.execute("SELECT name, sql FROM sqlite_master WHERE type = 'view'").fetchall())
    for view, body in _views(names).items():
        sql = f"CREATE VIEW {view} AS {body}"
        if found.get(view) != sql:
            link.execute(f"DROP VIEW IF EXISTS {view}")
            link.execute(sql)


def _views(names: Mapping[str, int]) -> dict[str, str]:
    return {
        "trade_view": f"""
            SELECT i.venue, i.symbol, t.id, {_time("t.at_ns")} AS time,
                   {_decimal("t.price", "i.price_decimals")} AS price,
                   {_decimal("t.size", "i.size_decimals")} AS size,
                   CASE t.side WHEN 1 THEN 'buy' WHEN -1 THEN 'sell' ELSE 'unknown' END AS side
            FROM trades t JOIN instruments i USING (series)""",
        "candle_view": f"""
            SELECT i.venue, i.symbol, c.interval_s, {_time("c.open_ns")} AS open_time,
                   {_decimal("c.open", "i.price_decimals")} AS open,
                   {_decimal("c.high", "i.price_decimals")} AS high,
                   {_decimal("c.low", "i.price_decimals")} AS low,
                   {_decimal("c.close", "i.price_decimals")} AS close,
                   {_decimal("c.volume", "i.size_decimals")} AS volume,
                   {_decimal("c.quote_volume", "i.price_decimals + i.size_decimals")}
                       AS quote_volume,
                   {_decimal("c.taker_buy_volume", "i.size_decimals")} AS taker_buy_volume,
                   c.trades, c.first_trade_id, c.last_trade_id, c.revision, c.final, c.coverage
            FROM candles c JOIN instruments i USING (series)""",
        "gap_view": f"""
            SELECT i.venue, i.symbol, g.kind, g.first_id, g.last_id, g.missing,
                   {_time("g.after_ns")} AS after, {_time("g.before_ns")} AS before,
                   {_time("g.seen_ns")} AS seen_at, {_time("g.repaired_ns")} AS repaired_at, g.how
            FROM gaps g JOIN instruments i USING (series)""",
        "technical_indicators": f"""
            SELECT i.symbol AS pair, i.venue, c.interval_s, c.open_ns / 1000000 AS window_start_ms,
                   CAST({_decimal("c.close", "i.price_decimals")} AS REAL) AS close,
                   {_pivot(names)}
            FROM candles c JOIN instruments i USING (series) WHERE c.final = 1""",
    }


def _pivot(names: Mapping[str, int]) -> str:
    """One column an indicator."""
    columns = [
        "(SELECT value FROM indicators n WHERE n.series = c.series AND "
        f"n.interval_s = c.interval_s AND n.open_ns = c.open_ns AND n.name = {id_}) "
        f"AS {_quoted(name)}"
        for name, id_ in names.items()
    ]
    columns += [f"NULL AS {name}" for name in ASKED_FOR if name not in names]
    return ", ".join(columns)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _decimal(units: str, decimals: str) -> str:
    """SQL for exact decimal text: as many digits as the units have, without trailing zeros."""
    zeros = "'0000000000000000000000000000000000000000'"
    padded = f"(substr({zeros}, 1, max(0, {decimals} + 1 - length({units}))) || {units})"
    whole = f"substr({padded}, 1, length({padded}) - ({decimals}))"
    fraction = f"substr({padded}, -({decimals}))"
    return (
        f"CASE {decimals} WHEN 0 THEN CAST({units} AS TEXT) "
        f"ELSE rtrim(rtrim({whole} || '.' || {fraction}, '0'), '.') END"
    )


def _time(ns: str) -> str:
    """SQL for RFC 3339 text in UTC to the nanosecond; NULL where the time is unknown."""
    second = f"strftime('%Y-%m-%dT%H:%M:%S', {ns} / 1000000000, 'unixepoch')"
    fraction = (
        f"CASE {ns} % 1000000000 WHEN 0 THEN 'Z' ELSE printf('.%09dZ', {ns} % 1000000000) END"
    )
    return f"CASE WHEN {ns} > 0 THEN {second} || {fraction} END"
