"""Requirements that are seen in the stored tables after a crafted tape went through the program."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from tests.requirements.conftest import START_NS, Tape, Trade, frame

from candlewick.model.time import NS_PER_S
from candlewick.shell.export import export
from candlewick.shell.reader import Reader
from candlewick.shell.verify import verify

Ask = Callable[..., list[tuple[Any, ...]]]


@pytest.fixture
def ask(tmp_path: Path) -> Ask:
    """`ask("SELECT ...")` in the store that `tape` filled."""

    def asked(sql: str, to: str = "stored") -> list[tuple[Any, ...]]:
        link = sqlite3.connect(tmp_path / to / "candlewick.sqlite")
        try:
            return link.execute(sql).fetchall()
        finally:
            link.close()

    return asked


def minutes(closes: list[float], opens: list[float] | None = None) -> list[Trade]:
    """Two trades a minute, at its open and its close, and one that lets the last one end."""
    opens = opens or closes
    rows: list[Trade] = []
    for at, (open_, close) in enumerate(zip(opens, closes, strict=True)):
        rows += [(60 * at + 1.0, 2 * at + 1, open_, 0.5), (60 * at + 50.0, 2 * at + 2, close, 0.25)]
    return [*rows, (60.0 * len(closes) + 10, 2 * len(closes) + 1, closes[-1], 0.5)]


MOVES = [(106.0, "PRICE_SPIKE", 1), (92.0, "PRICE_DROP", 2), (112.0, "PRICE_SPIKE", 3)]


@pytest.mark.parametrize(("close", "kind", "severity"), MOVES)
def test_a_minute_that_moves_too_far_alerts_once(
    tape: Tape, ask: Ask, close: float, kind: str, severity: int
) -> None:
    """ANO-01: 6 % up is LOW, 8 % down MEDIUM, 12 % up HIGH; the minutes around say nothing."""
    tape(minutes([100.0, close, close], [100.0, 100.0, close]))
    assert ask("SELECT kind, severity FROM anomalies") == [(kind, severity)]


def test_a_window_alerts_once_over_replays_late_trades_and_restarts(tape: Tape, ask: Ask) -> None:
    """ANO-02, ANO-03: each `tape` call is a restart on the same directory."""
    rows = minutes([100.0, 106.0, 106.0], [100.0, 100.0, 106.0])
    late = (100.0, 4, 106.5, 0.5)
    on_time = [row for row in rows if row[1] != 4]
    tape([*on_time, late])
    for _ in range(5):
        tape(rows)
        tape([*on_time, late])
    assert ask("SELECT kind, severity FROM anomalies") == [("PRICE_SPIKE", 1)]


def test_a_trade_that_is_thirty_seconds_late_corrects_its_candle(
    tape: Tape, ask: Ask, tmp_path: Path
) -> None:
    """CDL-09, CDL-10: the stored row has the trade, and a higher revision."""
    rows = [(1.0, 1, 100.0, 1.0), (90.0, 3, 101.0, 1.0), (59.0, 2, 110.0, 0.5)]
    tape([*rows, (130.0, 4, 102.0, 1.0)])
    found = ask(
        "SELECT high, close, volume, trades, revision FROM candle_view "
        "WHERE interval_s = 60 ORDER BY open_time LIMIT 1"
    )
    high, close, volume, trades, revision = found[0]
    assert (high, close, volume, trades) == ("110", "110", "1.5", 2)
    assert revision >= 1
    assert all(finding.ok for finding in verify(tmp_path / "stored"))


def test_volume_is_the_sum_of_the_traded_sizes_of_its_window(tape: Tape, ask: Ask) -> None:
    """CDL-01, CDL-14: [start, start + interval), by the exchange's time."""
    tape(
        [(0.0, 1, 100.0, 0.1), (59.999999, 2, 101.0, 0.2), (60.0, 3, 99.0, 0.4), (70.0, 4, 98.0, 1)]
    )
    found = ask(
        "SELECT open, close, volume, trades FROM candle_view "
        "WHERE interval_s = 60 ORDER BY open_time"
    )
    assert found == [("100", "101", "0.3", 2), ("99", "98", "1.4", 2)]


def test_one_tape_gives_every_configured_interval(tape: Tape, ask: Ask) -> None:
    """CDL-02, CDL-08, CDL-11: also 30 s; each holds every trade, the open ones up to the last."""
    tape(minutes([100.0 + n for n in range(20)]), candles={"intervals": ["30s", "1m", "5m", "15m"]})
    found = dict(ask("SELECT interval_s, sum(trades) FROM candles GROUP BY interval_s"))
    assert found == {30: 41, 60: 41, 300: 41, 900: 41}
    open_ = ask("SELECT interval_s, last_trade_id FROM candles WHERE final = 0")
    assert sorted(open_) == [(30, 41), (60, 41), (300, 41), (900, 41)]


def test_a_coarse_candle_stays_open_while_its_market_is_quiet(tape: Tape, ask: Ask) -> None:
    """CDL-11: the venue's clock has closed the last minute, and the hour goes on."""
    trades = [(n * 20.0, n + 1, 100.0 + n, 1.0) for n in range(7)]
    quiet = '{"channel":"heartbeat"}'
    lines = [json.dumps({"ts": START_NS / 1e9 + t[0], "raw": frame([t])}) for t in trades]
    lines.append(json.dumps({"ts": START_NS / 1e9 + 200.0, "raw": quiet}))
    tape(raw=lines)
    newest = (
        "SELECT interval_s, max(open_ns), last_trade_id, final FROM candles GROUP BY interval_s"
    )
    rows = {interval_s: (last, final) for interval_s, _, last, final in ask(newest)}
    assert rows[3600] == rows[86400] == (7, 0)
    assert ask("SELECT count(*) FROM candles WHERE interval_s = 60 AND final = 0") == [(0,)]


def test_bad_trades_are_counted_and_kept_and_change_no_candle(tape: Tape, ask: Ask) -> None:
    """ING-07, CDL-03: malformed, negative, NaN, unknown and non-JSON frames between good ones."""
    good = minutes([100.0, 101.0, 102.0])
    clean = tape(good, to="clean")
    bad = [
        "not json",
        frame([(2.0, 900, -5.0, 1.0)]),
        frame([(2.0, 901, 5.0, 0.0)]),
        frame([(2.0, 902, 5.0, 1.0)]).replace("5.0", "NaN"),
        frame([(2.0, 903, 5.0, 1.0)])[:40],
        frame([(2.0, 904, 5.0, 1.0)]).replace("BTC/USD", "<script>"),
    ]
    mixed = [text for trade in good for text in (frame([trade]), *bad)]
    found = tape(raw=mixed)
    assert found["trades"] == clean["trades"] == len(good)
    assert found["peer_errors"] == len(bad) * len(good)
    candles = "SELECT * FROM candles ORDER BY interval_s, open_ns"
    assert ask(candles) == ask(candles, to="clean")
    assert ask("SELECT count(*) > 0, min(raw_bytes) > 0 FROM quarantine") == [(1, 1)]


def test_periods_that_are_configured_later_are_computed_over_what_is_stored(
    tape: Tape, ask: Ask, tmp_path: Path
) -> None:
    """IND-08, IND-13: new names need no change of the schema, and reach back to the first bar."""
    tape(minutes([100.0 + n for n in range(40)]))
    tape([(60 * 41.0, 82, 140.0, 1.0)], indicators={"names": ["sma_5", "sma_30"]})
    rows = ask(
        "SELECT sma_5, sma_30 FROM technical_indicators WHERE interval_s = 60 "
        "ORDER BY window_start_ms"
    )
    means = [row[0] for row in rows[:40]]
    assert means[:4] == [None] * 4
    assert means[4:] == pytest.approx([102.0 + n for n in range(36)])
    assert [row[1] for row in rows[:29]] == [None] * 29
    assert rows[29][1] == pytest.approx(114.5)
    with Reader(tmp_path / "stored") as reader:
        (newest,) = reader.indicators(0, 60, ["sma_5"], limit=1, descending=True)
        assert newest.values["sma_5"] is not None


def test_the_published_sql_gives_its_columns(tape: Tape, ask: Ask) -> None:
    """STO-10, IND-12 apart from `to_timestamp`, which is PostgreSQL's."""
    tape(minutes([100.0 + n for n in range(30)]), indicators={"names": ["rsi_14", "sma_21"]})
    rows = ask(
        "SELECT pair, close, rsi_14, sma_21, macd_7, window_start_ms FROM technical_indicators "
        "ORDER BY window_start_ms DESC LIMIT 10"
    )
    assert len(rows) == 10
    ((count, pairs, first, last),) = ask(
        "SELECT COUNT(*), COUNT(DISTINCT pair), MIN(window_start_ms), MAX(window_start_ms) "
        "FROM technical_indicators WHERE interval_s = 60"
    )
    assert (count, pairs, first) == (30, 1, START_NS // 10**6)
    assert last == first + 29 * 60_000


def test_a_flat_price_gives_numbers_or_nothing_and_never_nan(tape: Tape, tmp_path: Path) -> None:
    """IND-18: RSI of no change is 50; no NaN or infinity leaves the program."""
    tape(minutes([100.0] * 40))
    out = StringIO()
    with Reader(tmp_path / "stored") as reader:
        export(reader, "indicators", "BTC/USD", out, fmt="jsonl")
        (newest,) = reader.indicators(0, 60, ["rsi_14"], limit=1, descending=True)
    assert newest.values == {"rsi_14": 50.0}
    assert "nan" not in out.getvalue().lower()
    assert "inf" not in out.getvalue().lower()


def test_a_scripted_path_gives_exactly_its_signals_and_stores_them(tape: Tape, ask: Ask) -> None:
    """SIG-01, SIG-04, IND-16: nothing in the first 19 trades; then one row a change of side."""
    path = [100.0] * 20 + [101.0, 101.0] + [99.0, 99.0] + [101.0]
    tape([(n * 2.0, n + 1, price, 1.0) for n, price in enumerate(path)])
    assert ask("SELECT id, side FROM signals ORDER BY id") == [(21, 1), (23, -1), (25, 1)]
    ((mean,),) = ask("SELECT mean FROM signals WHERE id = 21")
    assert mean == pytest.approx((19 * 100 + 101) / 20)


def test_every_trade_is_kept_whole_and_once(tape: Tape, ask: Ask) -> None:
    """ING-01, STO-22, STO-29: id, time, price, size and side; a second replay adds no row."""
    rows = [(n * 3.0, n + 1, 100.0 + n, 0.5 + n) for n in range(30)]
    first = tape(rows)
    again = tape(rows)
    assert (first["trades"], first["duplicates"]) == (30, 0)
    assert (again["trades"], again["duplicates"]) == (0, 30)
    stored = ask("SELECT id, CAST(price AS REAL), CAST(size AS REAL), side FROM trade_view")
    assert stored == [(id_, price, size, "buy") for _, id_, price, size in rows]
    times = [row[0] for row in ask("SELECT at_ns FROM trades ORDER BY id")]
    assert times == [START_NS + 3 * n * NS_PER_S for n in range(30)]
