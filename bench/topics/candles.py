"""Many trades of ten symbols to candles of 1, 5 and 15 minutes."""

from __future__ import annotations

from typing import Any

import numpy as np

from bench import inputs
from bench.topic import Case, Numbers, Ratio, Topic, fresh, need, timed
from candlewick.candles.bars import Bars

MINUTES = (1, 5, 15)
_FROM_TRADES = (
    "CREATE OR REPLACE TEMP TABLE {table} AS SELECT series, time_ns // {span} AS minute, "
    "arg_min(price, time_ns) AS open, max(price) AS high, min(price) AS low, "
    "arg_max(price, time_ns) AS close, sum(size) AS volume, count(*) AS trades "
    "FROM trades GROUP BY ALL"
)
_NS = 60 * 10**9


def _candlewick(batch: int) -> Any:
    def run(size: int) -> Numbers:
        events = inputs.events(size)
        cuts = [events.take(slice(at, at + batch)) for at in range(0, size, batch)]

        def make() -> Any:
            bars = Bars(inputs.markets(10), [60 * m for m in MINUTES])

            def work() -> None:
                late = 0
                for cut in cuts:
                    late += len(bars.scan(cut)[1])
                assert late == 0

            return work

        return fresh(size, make)

    return run


def _frame(size: int) -> Any:
    import polars as pl

    events = inputs.events(size)
    return pl.DataFrame(
        {"series": events.series, "at": events.at_ns, "price": events.price, "size": events.size}
    ).with_columns(pl.col("at").cast(pl.Datetime("ns")).set_sorted())


def _ohlcv(pl: Any) -> list[Any]:
    price = pl.col("price")
    return [
        price.first().alias("open"), price.max().alias("high"), price.min().alias("low"),
        price.last().alias("close"), pl.col("size").sum().alias("volume"),
        pl.len().alias("trades"),
    ]  # fmt: skip


def _coarser(pl: Any) -> list[Any]:
    return [
        pl.col("open").first(), pl.col("high").max(), pl.col("low").min(), pl.col("close").last(),
        pl.col("volume").sum(), pl.col("trades").sum(),
    ]  # fmt: skip


def _dynamic(size: int) -> Numbers:
    need("polars")
    import polars as pl

    frame = _frame(size)

    def work() -> None:
        for minutes in MINUTES:
            frame.group_by_dynamic("at", every=f"{minutes}m", group_by="series").agg(*_ohlcv(pl))

    return timed(size, work, 1)


def _roll_up(engine: str) -> Any:
    """One minute by a plain group_by of the minute's number, then minutes to coarser ones."""

    def run(size: int) -> Numbers:
        need("polars")
        import polars as pl

        lazy = _frame(size).lazy()
        number = pl.col("at").cast(pl.Int64) // _NS

        def work() -> None:
            fine = (
                lazy.group_by("series", number.alias("minute"))
                .agg(*_ohlcv(pl))
                .collect(engine=engine)
                .sort("series", "minute")
            )
            for minutes in MINUTES[1:]:
                fine.group_by("series", pl.col("minute") // minutes).agg(*_coarser(pl))

        return timed(size, work)

    return run


def _duckdb(size: int) -> Numbers:
    """One minute from the trades, coarser ones from the minutes."""
    need("duckdb")
    link = _stored(size)

    def work() -> None:
        link.execute(_FROM_TRADES.format(table="fine", span=_NS))
        for minutes in MINUTES[1:]:
            link.execute(
                f"CREATE OR REPLACE TEMP TABLE coarse{minutes} AS SELECT series, "
                f"minute // {minutes} AS period, arg_min(open, minute) AS open, "
                "max(high) AS high, min(low) AS low, arg_max(close, minute) AS close, "
                "sum(volume) AS volume, sum(trades) AS trades FROM fine GROUP BY ALL"
            )

    return timed(size, work)


def _stored(size: int) -> Any:
    """The trades in a table of duckdb's own."""
    import duckdb

    events = inputs.events(size)
    link = duckdb.connect()
    columns = {"series": events.series, "time_ns": events.at_ns, "price": events.price,
               "size": events.size}  # fmt: skip
    link.register("columns", columns)
    link.execute("CREATE TABLE trades AS SELECT * FROM columns")
    return link


def _duckdb_direct(size: int) -> Numbers:
    """Every interval from the trades, as one would write it first."""
    need("duckdb")
    link = _stored(size)

    def work() -> None:
        for minutes in MINUTES:
            link.execute(_FROM_TRADES.format(table=f"direct{minutes}", span=minutes * _NS))

    return timed(size, work)


def _plain(size: int) -> Numbers:
    """The plain twin: a dictionary of lists, one trade after the other, then the roll-up."""
    events = inputs.events(size)
    columns = [c.tolist() for c in (events.series, events.at_ns, events.price, events.size)]

    def work() -> None:
        fine: dict[tuple[int, int], list[int]] = {}
        for series, at, price, amount in zip(*columns, strict=True):
            key = (series, at // _NS)
            bar = fine.get(key)
            if bar is None:
                fine[key] = [price, price, price, price, amount, 1]
                continue
            if price > bar[1]:
                bar[1] = price
            elif price < bar[2]:
                bar[2] = price
            bar[3] = price
            bar[4] += amount
            bar[5] += 1
        for minutes in MINUTES[1:]:
            coarse: dict[tuple[int, int], list[int]] = {}
            for (series, minute), new in fine.items():
                bar = coarse.get((series, minute // minutes))
                if bar is None:
                    coarse[series, minute // minutes] = list(new)
                    continue
                bar[1], bar[2], bar[3] = max(bar[1], new[1]), min(bar[2], new[2]), new[3]
                bar[4] += new[4]
                bar[5] += new[5]

    return timed(size, work)


def check(size: int) -> None:
    """Ours and polars' one-minute bars are equal: a yardstick that computes something else is
    none.  Run by the tests."""
    import polars as pl

    bars = Bars(inputs.markets(10), [60])
    found, _ = bars.scan(inputs.events(size))
    final = found.records()[found.trades > 0]
    number = (pl.col("at").cast(pl.Int64) // _NS).alias("minute")
    fine = _frame(size).group_by("series", number).agg(*_ohlcv(pl)).sort("series", "minute")
    other = {(r["series"], r["minute"]): r for r in fine.to_dicts()}
    assert len(final)
    for row in final:
        twin = other[int(row["series"]), int(row["open_ns"]) // _NS]
        names = ("open", "high", "low", "close", "volume", "trades")
        assert all(int(row[name]) == twin[name] for name in names), (row, twin)
    assert np.all(final["final"] == 1)


TOPIC = Topic(
    title="Candles of 1, 5 and 15 minutes, ten symbols",
    cases=(
        Case("candlewick, 100,000 a call", _candlewick(100_000)),
        Case("candlewick, 10,000 a call", _candlewick(10_000)),
        Case("candlewick, 1,000 a call", _candlewick(1_000)),
        Case("polars roll-up", _roll_up("in-memory")),
        Case("polars roll-up, streaming", _roll_up("streaming")),
        Case("polars group_by_dynamic", _dynamic, 0.1),
        Case("duckdb, three queries", _duckdb_direct),
        Case("duckdb roll-up", _duckdb),
        Case("plain Python", _plain, 0.05),
    ),
    goals=(
        Ratio("candlewick, 100,000 a call", "polars roll-up", 3.0),
        Ratio("candlewick, 100,000 a call", "polars roll-up, streaming", 3.0),
        Ratio("candlewick, 100,000 a call", "duckdb, three queries", 8.0),
        Ratio("candlewick, 100,000 a call", "duckdb roll-up", 8.0),
    ),
    size=10_000_000,
    tiny=3_000,
    also=("cpu_ns",),
    notes=(
        "Wall time: polars and duckdb use both cores, candlewick one. Ours also carries taker "
        "volume, 128-bit quote volume, first and last id and coverage; theirs is OHLCV and count.",
    ),
)
