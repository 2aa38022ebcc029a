"""The store: whole batches or nothing, the same batch twice is the batch once, clear stops."""

from __future__ import annotations

import random
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from candlewick.errors import UsageError
from candlewick.model.columns import Candles, Gaps, Indicators
from candlewick.model.instruments import Instrument
from candlewick.model.money import to_text
from candlewick.model.outcome import Outcome, Quarantined
from candlewick.shell import store as store_module
from candlewick.shell.database import FILE_NAME, StoreError
from candlewick.shell.reader import Reader
from candlewick.shell.statements import QUARANTINE_RAW_BYTES_MAX
from candlewick.shell.store import Store

BATCH_ROWS = 40

# Commits batches of a known size for ever, or until the largest file that it may write is full.
WRITER = """
import resource, sys
from pathlib import Path
from candlewick.model.columns import Trades
from candlewick.model.outcome import Outcome
from candlewick.shell.database import StoreError
from candlewick.shell.store import Store

data_dir, rows, file_bytes_max = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
if file_bytes_max:
    resource.setrlimit(resource.RLIMIT_FSIZE, (file_bytes_max, file_bytes_max))
with Store.open(data_dir) as store:
    batch = int(store.offsets().get("loop", "0"))
    print("open", flush=True)
    while True:
        batch += 1
        ids = range(batch * rows, (batch + 1) * rows)
        try:
            store.commit(Outcome(
                trades=Trades.from_rows([(0, id_, batch, batch, 100, 1, 1) for id_ in ids]),
                states=[("loop", 0, b"%d" % batch)],
                offsets=[("loop", str(batch))],
                counts={"batches": 1},
            ))
        except StoreError as error:
            sys.exit(str(error))
"""


@pytest.fixture
def opened(
    tmp_path: Path,
    names: tuple[str, ...],
    kinds: tuple[str, ...],
    listing: tuple[Instrument, ...],
) -> Iterator[Store]:
    with Store.open(tmp_path, indicator_names=names, anomaly_kinds=kinds) as store:
        store.save_instruments(listing)
        yield store


def dump(data_dir: Path, *but: str) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every table but those named."""
    link = sqlite3.connect(data_dir / FILE_NAME)
    tables = [n for (n,) in link.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    found = {
        table: sorted(link.execute(f"SELECT * FROM {table}").fetchall(), key=repr)
        for table in tables
        if table not in but
    }
    link.close()
    return found


def candle(**changes: int) -> Candles:
    """One bar of series 0."""
    row = dict.fromkeys(Candles.DTYPES, 0) | {
        "interval_s": 60, "open_ns": 60 * 10**9, "open": 10, "high": 12, "low": 9, "close": 11,
        "volume": 5, "taker_buy": 2, "quote_lo": 55, "trades": 3, "first_id": 1, "last_id": 3,
        "final": 1,
    }  # fmt: skip
    return Candles.of({name: [value] for name, value in (row | changes).items()})


def test_a_batch_comes_back_as_it_went_in(
    opened: Store, tmp_path: Path, market: Callable[..., Any], names: tuple[str, ...]
) -> None:
    whole = market(5, missing={1: range(5_000_000_060, 5_000_000_063)}).outcome(400)
    opened.commit(whole)
    with Reader(tmp_path) as reader:
        for series in (0, 1):
            mine = whole.trades.take(whole.trades.series == series)
            assert reader.trades_since(series, 0, 10_000).same_as(mine)
            assert reader.trades(series, 10).same_as(mine.take(slice(-1, -11, -1)))
            signals = whole.signals.take(whole.signals.series == series)
            assert reader.signals(series, 10_000).same_as(signals.take(slice(None, None, -1)))
            for interval_s in reader.intervals(series):
                rows = (whole.candles.series == series) & (whole.candles.interval_s == interval_s)
                assert rows.any()
                assert reader.candles(series, interval_s).same_as(whole.candles.take(rows))
        assert reader.gaps().same_as(whole.gaps)
        assert len(whole.gaps) == 1
        alerts = reader.anomalies(limit=10_000)
        assert {a.kind for a in alerts} == {"volatility"}
        columns = ("series", "interval_s", "open_ns", "severity", "value", "limit", "open", "close")
        told = zip(*(whole.anomalies.column(name).tolist() for name in columns), strict=True)
        assert sorted((*a[:3], *a[4:]) for a in alerts) == sorted(told)
        row = reader.indicators(0, 60)[3]
        close = reader.candles(0, 60).close[3]
        assert row.values == {names[0]: close / 100, names[1]: None}
        assert reader.quarantine(1)[0].raw == b'{"e":'
        assert reader.counters() == whole.counts
    assert opened.states() == {("candles.bars", s): b"s1" for s in (0, 1)}
    assert opened.offsets() == {"tape": "1"}


def test_a_quote_volume_beyond_64_bits_is_exact(opened: Store, tmp_path: Path) -> None:
    whole = 2**100 + 12345678901234567890
    opened.commit(Outcome(candles=candle(quote_hi=whole >> 64, quote_lo=whole & (2**64 - 1))))
    with Reader(tmp_path) as reader:
        back = reader.last_candle(0, 60)
        assert (int(back.quote_hi[0]) << 64) + int(back.quote_lo[0]) == whole
        ((text,),) = reader.query("SELECT quote_volume FROM candle_view")
        assert text == f"{whole // 10**10}.{whole % 10**10:010d}".rstrip("0")


def test_replaying_the_same_batches_changes_no_row(
    opened: Store, tmp_path: Path, market: Callable[..., Any]
) -> None:
    tape = market(7, missing={0: range(1_030, 1_040)})
    batches = [tape.outcome(BATCH_ROWS) for _ in range(6)]
    for outcome in batches:
        opened.commit(outcome)
    before = dump(tmp_path, "counters")
    for outcome in batches:
        opened.commit(outcome)
    assert dump(tmp_path, "counters") == before
    assert sum(map(len, before.values())) > 600


def test_a_higher_revision_wins_and_a_lower_one_never_comes_back(
    opened: Store, tmp_path: Path
) -> None:
    with Reader(tmp_path) as reader:
        for row, revision, close in (
            (candle(), 0, 11),
            (candle(revision=2, close=13, trades=4, coverage=8), 2, 13),
            (candle(revision=1, close=99, trades=9), 2, 13),
            (candle(), 2, 13),
        ):
            opened.commit(Outcome(candles=row))
            stored = reader.last_candle(0, 60)
            assert (stored.revision[0], stored.close[0]) == (revision, close)


def test_an_open_candle_grows_and_a_final_one_is_never_opened_again(
    opened: Store, tmp_path: Path
) -> None:
    with Reader(tmp_path) as reader:
        for row, trades, final in (
            (candle(final=0, trades=1), 1, 0),
            (candle(final=0, trades=2), 2, 0),
            (candle(final=1, trades=3), 3, 1),
            (candle(final=0, trades=4), 3, 1),
            # A tape that begins in the middle of the bar knows less of it.
            (candle(final=1, trades=2, coverage=1), 3, 1),
        ):
            opened.commit(Outcome(), open_candles=row)
            stored = reader.last_candle(0, 60)
            assert (stored.trades[0], stored.final[0]) == (trades, final)


def test_previews_are_not_stored(opened: Store, tmp_path: Path) -> None:
    opened.commit(Outcome(previews=candle(final=0)))
    with Reader(tmp_path) as reader:
        assert reader.counts()["candles"] == 0


def test_a_later_row_of_the_ledger_replaces_the_earlier_one(opened: Store, tmp_path: Path) -> None:
    opened.commit(Outcome(gaps=Gaps.from_rows([(0, 0, 10, 19, 5, 1, 9, 10, 0, 0)])))
    opened.commit(Outcome(gaps=Gaps.from_rows([(0, 0, 10, 19, 5, 1, 9, 0, 77, 2)])))
    with Reader(tmp_path) as reader:
        assert reader.gaps().records().tolist() == [(0, 0, 10, 19, 5, 1, 9, 0, 77, 2)]
        assert len(reader.gaps(open_only=True)) == 0
        assert len(reader.gaps(0, "trades", limit=5)) == 1
        assert len(reader.gaps(0, "book")) == len(reader.gaps(1)) == 0


def test_indicator_names_keep_their_places_when_the_configuration_changes(tmp_path: Path) -> None:
    rows = Indicators.from_rows([(0, 60, 0, 0, 1.5, 0), (0, 60, 0, 1, 2.5, 0)])
    for names in (("sma_20", "ema_12"), ("ema_12", "rsi_14")):
        with Store.open(tmp_path, indicator_names=names) as store:
            store.commit(Outcome(indicators=rows))
    with Reader(tmp_path) as reader:
        assert reader.indicators(0, 60)[0].values == {"sma_20": 1.5, "ema_12": 1.5, "rsi_14": 2.5}
        assert reader.indicators(0, 60, ["rsi_14"])[0].values == {"rsi_14": 2.5}
        assert reader.indicator_names() == ["sma_20", "ema_12", "rsi_14"]


def test_an_instrument_keeps_its_decimals_and_its_place(
    opened: Store, listing: tuple[Instrument, ...]
) -> None:
    finer = replace(listing[0], tick=5, lot=7)
    opened.save_instruments([finer])
    assert opened.instruments() == [finer, listing[1]]
    with pytest.raises(UsageError, match="stored as binance BTC/USDT with 2/8 decimals"):
        opened.save_instruments([replace(listing[0], price_decimals=3)])
    with pytest.raises(StoreError, match="stopped before"):
        opened.commit(Outcome())


def test_a_reset_takes_what_trades_tell_of_one_series_and_leaves_a_mark(
    opened: Store, tmp_path: Path, market: Callable[..., Any]
) -> None:
    opened.commit(market(5, missing={0: range(1_030, 1_040)}).outcome(200))
    opened.commit(Outcome(gaps=Gaps.from_rows([(0, 1, 5, 5, 5, 1, 9, 1, 0, 0)])))
    opened.commit(Outcome(gaps=Gaps.from_rows([(0, 0, 7, 7, 5, 1, 9, 0, 8, 2)])))
    before = dump(tmp_path)
    opened.reset_series(0, mark="rebuild:0")
    after = dump(tmp_path)
    assert opened.offsets() == {"tape": "1", "rebuild:0": "begun"}
    for table in ("trades", "anomalies", "quarantine", "instruments", "counters"):
        assert after[table] == before[table]
    for table in ("candles", "indicators", "signals"):
        assert after[table] == [row for row in before[table] if row[0] == 1] != before[table]
    assert {key[1] for key in opened.states()} == {1}
    assert [row[1:3] for row in after["gaps"]] == [("book", 5), ("trades", 7)]
    opened.clear_offset("rebuild:0")
    assert opened.offsets() == {"tape": "1"}
    assert opened.data_dir == tmp_path


def test_the_quarantine_keeps_the_newest_and_counts_the_rest(
    opened: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_module, "QUARANTINE_ROWS_MAX", 5)
    for n in range(8):
        frames = [Quarantined(venue, "bad", "m", b"%d" % n, n) for venue in ("binance", "kraken")]
        opened.commit(Outcome(quarantined=frames))
    with Reader(tmp_path) as reader:
        rows = reader.quarantine(100)
        assert [r.raw for r in rows if r.venue == "kraken"] == [b"7", b"6", b"5", b"4", b"3"]
        assert len(rows) == 10
        assert reader.counters()["quarantine_dropped_binance"] == 3


def test_a_giant_message_is_kept_to_a_bound_with_its_whole_length(
    opened: Store, tmp_path: Path
) -> None:
    giant = b"x" * (16 * 2**20)
    opened.commit(Outcome(quarantined=[Quarantined("kraken", "too_large", "m", giant, 1)]))
    with Reader(tmp_path) as reader:
        (row,) = reader.quarantine()
    assert row.raw == giant[:QUARANTINE_RAW_BYTES_MAX]
    assert row.raw_bytes == len(giant)


def test_a_full_disk_stops_the_store_with_the_batch_wholly_absent(
    opened: Store, tmp_path: Path, market: Callable[..., Any]
) -> None:
    tape = market(3)
    opened.commit(tape.outcome(BATCH_ROWS))
    before = dump(tmp_path)
    (pages,) = opened._link.execute("PRAGMA page_count").fetchone()
    opened._link.execute(f"PRAGMA max_page_count = {pages + 2}")
    with pytest.raises(StoreError, match=r"candlewick\.sqlite: writing a batch .*free space"):
        opened.commit(tape.outcome(5_000))
    with pytest.raises(StoreError, match="stopped before"):
        opened.commit(tape.outcome(1))
    with pytest.raises(StoreError, match="stopped before"):
        opened.offsets()
    opened.close()
    assert dump(tmp_path) == before
    with Store.open(tmp_path) as again:
        assert again.offsets() == {"tape": "1"}


@pytest.mark.proc
def test_a_file_size_limit_stops_a_real_process_at_a_whole_batch(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", WRITER, str(tmp_path), "500", "600000"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert "candlewick.sqlite: writing a batch failed" in done.stderr
    assert "Traceback" not in done.stderr
    assert check_whole_batches(tmp_path, 500) > 0


def test_a_file_that_another_program_holds_is_a_clear_stop(
    opened: Store, tmp_path: Path, market: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    tape = market(3)
    opened.commit(tape.outcome(BATCH_ROWS))
    before = dump(tmp_path)
    opened._link.execute("PRAGMA busy_timeout = 50")
    other = sqlite3.connect(tmp_path / FILE_NAME, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    with pytest.raises(StoreError, match="another program holds the file locked; close it"):
        opened.commit(tape.outcome(BATCH_ROWS))
    other.execute("ROLLBACK")
    other.close()
    with pytest.raises(StoreError, match="stopped before"):
        opened.commit(tape.outcome(BATCH_ROWS))
    assert dump(tmp_path) == before


def test_a_bug_in_the_middle_of_a_batch_leaves_nothing_and_is_no_store_error(
    opened: Store, tmp_path: Path, market: Callable[..., Any]
) -> None:
    before = dump(tmp_path)
    outcome = market(3).outcome(BATCH_ROWS)
    outcome.offsets = [("tape", None)]
    with pytest.raises(sqlite3.IntegrityError):
        opened.commit(outcome)
    assert dump(tmp_path) == before
    with pytest.raises(StoreError, match="stopped before"):
        opened.commit(Outcome())


def check_whole_batches(data_dir: Path, rows: int) -> int:
    """Trades, state, offset and counter tell of the same last batch."""
    with Store.open(data_dir) as store:
        batches = int(store.offsets().get("loop", "0"))
        assert store.states() == ({("loop", 0): b"%d" % batches} if batches else {})
        with Reader(data_dir) as reader:
            assert reader.counts()["trades"] == batches * rows
            assert reader.counters() == ({"batches": batches} if batches else {})
            assert reader.query("PRAGMA integrity_check") == [("ok",)]
    return batches


@pytest.mark.proc
def test_kill_9_in_the_middle_of_commits_leaves_whole_batches_and_goes_on(tmp_path: Path) -> None:
    rng, before = random.Random(11), 0
    rounds = []
    for _ in range(8):
        with subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path), "300", "0"], stdout=subprocess.PIPE
        ) as writer:
            assert writer.stdout is not None
            assert writer.stdout.readline() == b"open\n"
            time.sleep(rng.uniform(0.02, 0.25))
            writer.send_signal(signal.SIGKILL)
        after = check_whole_batches(tmp_path, 300)
        rounds.append(after - before)
        before = after
    assert min(rounds) >= 0
    assert sum(done > 0 for done in rounds) > 4


def test_readers_see_whole_batches_while_a_writer_writes(
    opened: Store, tmp_path: Path, market: Callable[..., Any]
) -> None:
    """Two threads share one reader; every moment they see has an offset and all of its trades."""
    faults: list[str] = []
    seen: set[int] = set()
    done = threading.Event()
    reader = Reader(tmp_path)

    def look() -> None:
        while not done.is_set():
            ((position, trades),) = reader.query(
                "SELECT (SELECT position FROM offsets), (SELECT count(*) FROM trades)"
            )
            seen.add(int(position or 0))
            if trades != int(position or 0) * 2 * BATCH_ROWS:
                faults.append(f"offset {position} with {trades} trades")
            reader.trades(0, 5)

    threads = [threading.Thread(target=look) for _ in range(2)]
    for thread in threads:
        thread.start()
    tape = market(9)
    for _ in range(60):
        opened.commit(tape.outcome(BATCH_ROWS))
    done.set()
    for thread in threads:
        thread.join()
    reader.close()
    assert faults == []
    assert len(seen) > 3


def test_the_hot_queries_walk_the_primary_key(opened: Store, tmp_path: Path) -> None:
    """No full scan, no sorting: the cost of a page does not grow with the table."""
    plans: list[str] = []
    reader = Reader(tmp_path)

    class Spy:
        def execute(self, sql: str, arguments: tuple[Any, ...] = ()) -> sqlite3.Cursor:
            plan = reader_link.execute("EXPLAIN QUERY PLAN " + sql, arguments).fetchall()
            plans.extend(f"{row[3]} <- {sql}" for row in plan)
            return reader_link.execute(sql, arguments)

        def close(self) -> None:
            reader_link.close()

    reader_link, reader._link = reader._link, Spy()  # type: ignore[assignment]
    reader.candles(0, 60)
    reader.candles(0, 60, 5, 10, descending=True, after=9)
    reader.last_candle(0, 60)
    reader.trades(0)
    reader.trades(0, before_id=5)
    reader.trades_since(0, 5, 10)
    reader.signals(0)
    reader.anomalies(0)
    reader.anomalies()
    reader.gaps()
    reader.intervals(0)
    reader.count_trades(0, 1, 2)
    reader.indicators(0, 60, ["sma_2"], descending=True)
    reader.close()
    assert len(plans) >= 13
    for plan in plans:
        assert "TEMP B-TREE" not in plan, plan
        # Walking an index backwards to a LIMIT is a "SCAN ... USING INDEX" to SQLite.
        step = plan.partition(" <- ")[0]
        assert step.startswith("SEARCH") or "USING INDEX" in step or "indicator_names" in plan, plan


def test_pages_join_without_a_hole_or_a_repeat(
    opened: Store, tmp_path: Path, market: Callable[..., Any]
) -> None:
    opened.commit(market(5).outcome(2_000))
    with Reader(tmp_path) as reader:
        whole = reader.candles(0, 60, limit=1_000)
        for descending in (False, True):
            pages, after = [], None
            while True:
                page = reader.candles(0, 60, limit=7, descending=descending, after=after)
                if len(page) == 0:
                    break
                pages.append(page)
                after = int(page.open_ns[-1])
            joined = Candles.concat(pages)
            assert joined.take(slice(None, None, -1 if descending else 1)).same_as(whole)
        low, high = int(whole.open_ns[3]), int(whole.open_ns[9])
        assert reader.candles(0, 60, low, high).same_as(whole.take(slice(3, 9)))
        bars = reader.indicators(0, 60, start_ns=low, end_ns=high, limit=4, descending=True)
        assert [b.open_ns for b in bars] == whole.open_ns[5:9][::-1].tolist()
        trades = reader.trades(0, 50)
        older = reader.trades(0, 50, before_id=int(trades.id[-1]))
        assert np.all(np.diff(np.r_[trades.id, older.id]) == -1)


def test_a_reader_cannot_write(opened: Store, tmp_path: Path) -> None:
    with Reader(tmp_path) as reader, pytest.raises(StoreError, match="readonly"):
        reader.query("DELETE FROM trades")


def test_a_reader_without_a_store_says_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"no store here .*run `candlewick up`"):
        Reader(tmp_path / "nowhere")


def test_published_sql_finds_its_columns_in_the_store(
    opened: Store, tmp_path: Path, market: Callable[..., Any]
) -> None:
    """IND-12's query; SQLite has no to_timestamp, its own function stands in."""
    opened.commit(market(5).outcome(200))
    link = sqlite3.connect(tmp_path / FILE_NAME)
    rows = link.execute(
        "SELECT pair, close, rsi_14, sma_21, macd_7, window_start_ms, "
        "datetime(window_start_ms/1000, 'unixepoch') FROM technical_indicators "
        "ORDER BY window_start_ms DESC LIMIT 10"
    ).fetchall()
    values = link.execute("SELECT close, sma_2 FROM technical_indicators").fetchall()
    trade = link.execute("SELECT * FROM trade_view LIMIT 1").fetchone()
    link.close()
    assert len(rows) == 10
    assert all(close == sma_2 for close, sma_2 in values)
    assert trade[:2] == ("binance", "BTC/USDT")


def test_decimals_in_the_views_are_exact_text(opened: Store, tmp_path: Path) -> None:
    opened.save_instruments([Instrument("kraken", "A/B", "A/B", 0, 8, series=2)])
    amounts = (1, 10, 100_000_000, 123_456_789_012, 120)
    for place, units in enumerate(amounts):
        row = candle(series=2, open_ns=place, volume=units, close=units)
        opened.commit(Outcome(candles=row))
    with Reader(tmp_path) as reader:
        rows = reader.query("SELECT close, volume FROM candle_view WHERE symbol = 'A/B'")
    assert rows == [(to_text(units, 0), to_text(units, 8)) for units in amounts]
