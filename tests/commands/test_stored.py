"""What a data directory holds, for people and for programs."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

from candlewick.shell import database, schema
from candlewick.shell.store import Store

Run = Callable[..., subprocess.CompletedProcess[str]]


def test_gaps_prints_the_ledger(run: Run, stored: Path) -> None:
    assert json.loads(run("gaps", "--data-dir", str(stored), "--json").stdout) == [
        {
            "venue": "binance",
            "symbol": "BTC/USDT",
            "kind": "trades",
            "first_id": 3,
            "last_id": 3,
            "missing": 1,
            "after": "2023-11-14T22:14:00.002Z",
            "before": "2023-11-14T22:14:00.003Z",
            "seen_at": "2023-11-14T22:14:00.004Z",
            "repaired_at": None,
            "how": None,
        }
    ]
    heading, row = run("gaps", "-d", str(stored), "-s", "btcusdt").stdout.splitlines()
    assert heading.split()[:5] == ["venue", "symbol", "kind", "first_id", "last_id"]
    assert row.split()[:5] == ["binance", "BTC/USDT", "trades", "3", "3"]
    assert json.loads(run("gaps", "-d", str(stored), "--json", "--kind", "late").stdout) == []
    assert "holds no ETH" in run("gaps", "-d", str(stored), "-s", "ETH", code=2).stderr


def test_export_prints_exact_rows_to_stdout_and_nothing_else(run: Run, stored: Path) -> None:
    ask = ("--data-dir", str(stored), "--symbol", "BTC/USDT")
    done = run("export", "candles", *ask, "--interval", "1m", "--format", "csv")
    assert done.stdout.splitlines() == [
        "open_time,open,high,low,close,volume,quote_volume,taker_buy_volume,trades,"
        "first_trade_id,last_trade_id,revision,final,coverage",
        "2023-11-14T22:14:00Z,60000,60000.5,59999.99,59999.99,0.20004,12002.4999997,0.00004,3,"
        "1,4,0,true,partial|gap",
    ]
    assert done.stderr == ""
    trades = json.loads(run("export", "trades", *ask, "--json").stdout)
    assert [(row["id"], row["price"]) for row in trades] == [
        (1, "60000"),
        (2, "60000.5"),
        (4, "59999.99"),
    ]
    lines = run("export", "trades", *ask, "--format", "jsonl").stdout.splitlines()
    assert [json.loads(line) for line in lines] == trades
    span = ("--start", "2023-11-14T22:14:00.002Z", "--end", "2023-11-14T22:14:00.003Z")
    assert [r["id"] for r in json.loads(run("export", "trades", *ask, *span, "--json").stdout)] == [
        2
    ]
    assert json.loads(run("export", "trades", *ask, "--start", "2024-01-01", "--json").stdout) == []
    assert "expected a form like" in run("export", "trades", *ask, "--end", "soon", code=2).stderr
    assert "candles" in run("export", "everything", *ask, code=2).stderr


def test_export_to_a_file_is_whole_or_not_there(run: Run, stored: Path, tmp_path: Path) -> None:
    ask = ("export", "trades", "--data-dir", str(stored), "--symbol", "BTC/USDT")
    done = run(*ask, "--out", "rows.csv", "--json")
    assert json.loads(done.stdout) == {"rows": 3, "file": "rows.csv"}
    assert (tmp_path / "rows.csv").read_bytes() == run(*ask).stdout.encode()
    assert "--out" in run(*ask, "--out", "missing/rows.csv", code=2).stderr
    run("export", "trades", "-d", str(stored), "-s", "ETH", "--out", "no.csv", code=2)
    assert sorted(path.name for path in tmp_path.glob("*.csv*")) == ["rows.csv"]


def test_verify_ends_with_1_when_a_promise_is_broken(run: Run, stored: Path) -> None:
    kept = json.loads(run("verify", "--data-dir", str(stored), "--json").stdout)
    assert kept["ok"] is True
    assert {"trade_ids", "candle_fold"} <= {finding["name"] for finding in kept["findings"]}
    link = database.connect(stored)
    link.execute("DELETE FROM trades WHERE id = 2")
    link.close()
    found = json.loads(run("verify", "--data-dir", str(stored), "--json", code=1).stdout)
    broken = [finding["name"] for finding in found["findings"] if not finding["ok"]]
    assert {"trade_ids", "candle_fold"} <= set(broken)
    assert "BROKEN" in run("verify", "--data-dir", str(stored), code=1).stdout


def test_symbols_are_eight_or_more_and_those_of_the_store(run: Run, stored: Path) -> None:
    found = json.loads(run("symbols", "--json", "-d", str(stored), "--venue", "binance").stdout)
    assert len(found) >= 8
    by_symbol = {row["symbol"]: row for row in found}
    assert by_symbol["BTC/USDT"]["native"] == "BTCUSDT"
    assert (by_symbol["BTC/USDT"]["stored"], by_symbol["ETH/USDT"]["stored"]) == (True, False)
    only = json.loads(
        run(
            "symbols", "--json", "-d", str(stored), "--venue", "binance", CANDLEWICK__SYMBOLS="sol"
        ).stdout
    )
    assert [(row["symbol"], row["configured"]) for row in only] == [
        ("BTC/USDT", False),
        ("SOL/USDT", True),
    ]


def test_migrating_a_store_that_is_up_to_date_changes_nothing(run: Run, stored: Path) -> None:
    now = len(schema.steps())
    answer = json.loads(run("db", "migrate", "--data-dir", str(stored), "--json").stdout)
    assert answer == {"from": now, "to": now}
    with Store.open(stored):
        assert "in use by process" in run("db", "migrate", "-d", str(stored), code=2).stderr
