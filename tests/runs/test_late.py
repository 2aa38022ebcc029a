"""Trades that come after the allowed lateness: listed and flagged first, then made good."""

from __future__ import annotations

import json
from pathlib import Path

from candlewick.config import Settings
from candlewick.model.columns import GAP_KINDS, Coverage
from candlewick.model.outcome import Frame
from candlewick.runs.opened import opened
from candlewick.runs.replay import run_replay
from candlewick.shell.reader import Reader
from candlewick.shell.verify import verify

START_MS = 1_700_000_040_000  # The start of a minute.
HOLE = range(30, 35)
LATENESS_S = 60


def trade(number: int) -> bytes:
    """One trade every two seconds, 0.01 each."""
    at_ms = START_MS + 2000 * number
    return json.dumps(
        {"e": "trade", "E": at_ms, "s": "BTCUSDT", "t": 1000 + number,
         "p": f"{100 + number % 7}.00", "q": "0.01000000", "T": at_ms, "m": False, "M": True}
    ).encode()  # fmt: skip


def frames() -> list[bytes]:
    """Trades 0 to 299 without the hole; the missing ones come minutes later."""
    in_time = [trade(n) for n in range(300) if n not in HOLE]
    return [*in_time[:250], *(trade(n) for n in HOLE), *in_time[250:]]


def settings(data_dir: Path) -> Settings:
    flags = {
        "data_dir": data_dir,
        "candles.lateness_s": LATENESS_S,
        "candles.intervals": ["1m", "5m"],
    }
    return Settings.load(flags=flags, environ={})


def minutes(data_dir: Path, interval_s: int = 60) -> list[tuple[int, str]]:
    """Trades and coverage of each candle."""
    with Reader(data_dir) as reader:
        rows = reader.candles(0, interval_s, limit=100).records()
    return [(int(r["trades"]), Coverage(int(r["coverage"])).words()) for r in rows]


def test_until_it_is_made_anew_the_candle_says_what_it_lacks(tmp_path: Path) -> None:
    """The ids are whole again, the candles are not: flag and ledger stay, `verify` agrees."""
    chosen = settings(tmp_path)
    with opened(chosen, tmp_path) as run:
        for start in range(0, 300, 37):
            batch = [Frame(raw, 1) for raw in frames()[start : start + 37]]
            run.commit(run.pipeline.take({"binance": [f._replace(seen_ns=0) for f in batch]}))
    found = minutes(tmp_path)
    assert found[1][0] == 25
    assert "gap" in found[1][1]
    assert "gap" in minutes(tmp_path, 300)[0][1]
    assert all("gap" not in words for _, words in found[2:])
    with Reader(tmp_path) as reader:
        late = reader.gaps(0, "late")
        assert sorted(late.first_id.tolist()) == [1000 + n for n in HOLE]
        assert reader.gaps(0, "trades", open_only=True).first_id.tolist() == []
    assert [finding for finding in verify(tmp_path) if not finding.ok] == []
    with opened(chosen, tmp_path):
        pass  # The next start makes it good.
    assert minutes(tmp_path)[1] == (30, "complete")
    assert [finding for finding in verify(tmp_path) if not finding.ok] == []


def test_a_replay_makes_it_good_at_its_end(tmp_path: Path) -> None:
    """The tables are those of a tape on which nothing was late."""
    late, whole = tmp_path / "late.jsonl", tmp_path / "whole.jsonl"
    late.write_bytes(b"\n".join(frames()) + b"\n")
    whole.write_bytes(b"\n".join(trade(n) for n in range(300)) + b"\n")
    found = {}
    for tape in (late, whole):
        chosen = settings(tmp_path / tape.stem)
        told = run_replay(chosen, [tape], "binance", "max", (), lambda _: None)
        assert told["trades"] == 300
        assert told["late"] == (len(HOLE) if tape is late else 0)
        with Reader(chosen.data_dir) as reader:
            found[tape.stem] = [
                reader.candles(0, seconds, limit=100).records().tolist() for seconds in (60, 300)
            ]
            open_rows = reader.gaps(0, open_only=True)
        assert len(open_rows) == 0
        assert [finding for finding in verify(chosen.data_dir) if not finding.ok] == []
    assert found["late"] == found["whole"]
    assert GAP_KINDS[2] == "late"
