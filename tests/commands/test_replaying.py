"""Recordings through the whole program: one JSON object, a store, and what a stranger checks."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest
import zstandard

from candlewick.model.time import NS_PER_S, to_rfc3339

Run = Callable[..., subprocess.CompletedProcess[str]]

NAMES = {
    "frames", "data_frames", "control_frames", "peer_errors", "trades", "duplicates", "disorder",
    "late", "gaps", "candles", "indicators", "signals", "anomalies", "seconds", "trades_per_s",
    "rss_mb", "damaged",
}  # fmt: skip


@pytest.fixture
def capture(shared_data: Path) -> Path:
    name = "binance_spot_btcusdt_2024-08-08_2354_to_2024-08-09_0005.jsonl.zst"
    return shared_data / "hftbacktest" / name


def text_of(path: Path) -> bytes:
    return zstandard.ZstdDecompressor().decompressobj().decompress(path.read_bytes())


def replayed(run: Run, *arguments: str, code: int = 0) -> dict[str, object]:
    done = run("replay", *arguments, "--data-dir", "stored", "--json", code=code)
    found: dict[str, object] = json.loads(done.stdout)
    assert found.keys() >= NAMES
    return found


def test_a_capture_becomes_candles_and_again_changes_nothing(run: Run, capture: Path) -> None:
    found = replayed(run, str(capture), "--venue", "binance")
    assert found["frames"] == 99_574
    assert (found["trades"], found["duplicates"], found["gaps"]) == (19_904, 0, 0)
    assert (found["peer_errors"], found["damaged"]) == (0, None)
    assert found["frames"] == sum(
        found[name]  # type: ignore[misc]
        for name in ("data_frames", "control_frames", "peer_errors")
    )
    ask = ("export", "candles", "--data-dir", "stored", "--symbol", "BTC/USDT")
    before = run(*ask).stdout
    assert len(before.splitlines()) > 10
    again = replayed(run, str(capture), "--venue", "binance")
    assert (again["trades"], again["duplicates"]) == (0, 19_904)
    assert run(*ask).stdout == before
    assert json.loads(run("verify", "--data-dir", "stored", "--json").stdout)["ok"] is True


def test_frames_taken_out_of_a_capture_are_exactly_the_holes_of_the_ledger(
    run: Run, capture: Path, tmp_path: Path
) -> None:
    lines = text_of(capture).splitlines(keepends=True)[:30_000]
    trades = [n for n, line in enumerate(lines) if b"@trade" in line[:100]]
    lost = trades[700:703] + trades[2_000:2_001]
    frames = [json.loads(json.loads(lines[n])["raw"])["data"] for n in lost]
    kept = [line for n, line in enumerate(lines) if n not in set(lost)]
    (tmp_path / "damaged.jsonl").write_bytes(b"".join(kept))
    found = replayed(run, "damaged.jsonl", "--venue", "binance")
    assert found["gaps"] == 2
    ledger = json.loads(run("gaps", "--data-dir", "stored", "--json", "--kind", "trades").stdout)
    assert sorted((row["first_id"], row["last_id"], row["missing"]) for row in ledger) == [
        (frames[0]["t"], frames[2]["t"], 3),
        (frames[3]["t"], frames[3]["t"], 1),
    ]
    assert {row["repaired_at"] for row in ledger} == {None}
    assert json.loads(run("verify", "--data-dir", "stored", "--json").stdout)["ok"] is True


def test_a_torn_file_is_read_to_its_end_told_about_and_exit_code_1(
    run: Run, capture: Path, tmp_path: Path
) -> None:
    packed = capture.read_bytes()
    (tmp_path / "torn.zst").write_bytes(packed[: len(packed) // 2])
    done = run("replay", "torn.zst", "--venue", "binance", "-d", "stored", "--json", code=1)
    found = json.loads(done.stdout)
    assert found["trades"] > 5_000
    assert found["damaged"].startswith("torn.zst ends inside its compressed part")
    assert found["damaged"] in done.stderr


def test_a_rest_answer_is_a_tape_too_and_gives_the_exchanges_own_candles(
    run: Run, shared_data: Path
) -> None:
    folder = shared_data / "nautilus_trader"
    trades = folder / "kraken_rest_trades_xbtusdt_2025-11-10_until_2130.json.zst"
    found = replayed(run, str(trades), "--venue", "kraken")
    assert found["frames"] == 1
    ask = ("--data-dir", "stored", "--symbol", "BTC/USDT", "--interval", "1m", "--json")
    ours = {row["open_time"]: row for row in json.loads(run("export", "candles", *ask).stdout)}
    answer = json.loads(text_of(folder / trades.name.replace("trades", "ohlc_1m")))["result"]
    first = json.loads(text_of(trades))["result"]["XBTUSDT"][0][2]
    compared = 0
    for at_s, open_, high, low, close, _vwap, volume, count in answer["XBTUSDT"]:
        row = ours.get(to_rfc3339(at_s * NS_PER_S))
        if row is None or at_s < first or not count or not row["final"]:
            continue
        compared += 1
        theirs = [Decimal(value) for value in (open_, high, low, close, volume, str(count))]
        names = ("open", "high", "low", "close", "volume", "trades")
        assert [Decimal(str(row[name])) for name in names] == theirs, row
    assert compared > 50


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("missing.zst", "--venue", "kraken"), "missing.zst is not there"),
        ((".", "--venue", "kraken"), "is a folder"),
        (("x.jsonl", "--venue", "mtgox"), "expected one of binance, kraken"),
        (("x.jsonl", "--venue", "kraken", "--speed", "fast"), "(flag --speed)"),
        (("x.jsonl", "--venue", "kraken", "--symbol", "$$"), "symbol '$$'"),
    ],
)
def test_what_cannot_be_replayed_is_refused_with_exit_code_2(
    run: Run, tmp_path: Path, arguments: tuple[str, ...], said: str
) -> None:
    (tmp_path / "x.jsonl").write_bytes(b"{}\n")
    assert said in run("replay", *arguments, "-d", "stored", code=2).stderr


@pytest.mark.proc
def test_an_interrupted_replay_ends_with_130(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "candlewick.cli", "replay", "-", "--venue", "kraken"]
    with subprocess.Popen(
        [*command, "-d", str(tmp_path / "stored")],
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=tmp_path,
    ) as program:
        assert program.stdin is not None
        while not (tmp_path / "stored" / "candlewick.sqlite").is_file():
            assert program.poll() is None
        program.send_signal(signal.SIGINT)
        assert program.wait(30) == 130


def test_a_test_spike_without_an_instance_runs_offline_and_gives_an_alert(run: Run) -> None:
    ask = ("test-spike", "--symbol", "BTC/USDT", "--pct", "6", "--data-dir", "stored", "--json")
    found = json.loads(run(*ask, CANDLEWICK__API__PORT="1").stdout)
    assert found["symbol"] == "BTC/USDT"
    assert [alert["severity"] for alert in found["alerts"]].count("LOW") >= 1
