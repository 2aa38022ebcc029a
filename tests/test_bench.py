"""The bench runs, case by case at a tiny size, and its result file has what the docs are made of.

No time is asserted: a test machine is not a measuring machine.
"""

from __future__ import annotations

import json
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

pytest.importorskip("polars", reason="the bench extra is not installed")

from bench import __main__ as bench
from bench import rounds, tables
from bench.topic import Bound, Case, Ratio, Topic
from bench.topics import candles, indicators

IN_PROCESS = [name for name in rounds.names() if name not in ("live", "replay")]


def topic(name: str) -> Topic:
    found: Topic = import_module(f"bench.topics.{name}").TOPIC
    return found


@pytest.mark.parametrize(
    ("name", "case"),
    [(name, case) for name in IN_PROCESS for case in topic(name).cases],
    ids=lambda value: value.name if isinstance(value, Case) else value,
)
def test_a_case_runs_and_gives_the_number_that_its_topic_shows(name: str, case: Case) -> None:
    wanted = topic(name)
    found = case_numbers(wanted, case)
    if "not_installed" not in found:
        assert found["items"] >= 1
        assert found[wanted.unit] > 0
        assert all(found[unit] > 0 for unit in wanted.also)


def case_numbers(wanted: Topic, case: Case) -> dict[str, float]:
    from bench.topic import NotInstalledError

    try:
        return case.run(max(1, int(wanted.tiny * case.size_share)))
    except NotInstalledError as absent:
        return {"not_installed": str(absent)}  # type: ignore[dict-item]


@pytest.mark.parametrize("name", rounds.names())
def test_goals_name_cases_that_are_there(name: str) -> None:
    names = {case.name for case in topic(name).cases}
    for goal in topic(name).goals:
        assert {goal.ours, goal.peer} <= names if isinstance(goal, Ratio) else goal.case in names


def test_the_yardsticks_compute_what_we_do() -> None:
    candles.check(20_000)
    indicators.check(2_000)


@pytest.mark.proc
def test_the_result_file_has_machine_versions_runs_and_goals(tmp_path: Path, repo: Path) -> None:
    out = tmp_path / "results.json"
    command = [sys.executable, "-m", "bench", "replay", "--tiny", "--rounds", "2"]
    done = subprocess.run(
        [*command, "--json", "--out", str(out)], cwd=repo, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    result = json.loads(out.read_text())
    assert result == json.loads(done.stdout)
    assert {"cpu", "cores", "python", "versions", "commit", "date"} <= result["machine"].keys()
    found = result["topics"]["replay"]
    assert found["command"] == "python -m bench replay"
    measured = found["cases"]["candlewick, trades only"]
    assert len(measured["runs"]) == 2
    assert measured["runs"][0]["stored"] == topic("replay").tiny
    assert {"median", "spread", "runs"} == measured.keys()
    assert all(goal["reached"] in (True, False, None) for goal in found["goals"])
    assert "Replay from disk" in tables.written(result)
    assert str(repo) not in out.read_text(), "a path of this machine is in the result file"


@pytest.mark.proc
def test_the_live_case_loses_nothing() -> None:
    found = topic("live").cases[0].run(topic("live").tiny)
    assert found["lost"] == 0
    assert found["frames"] > 0
    assert found["trades"] > 0


def test_a_goal_is_judged_pair_by_pair() -> None:
    runs = {"a": [{"ns": 10}, {"ns": 20}, {"ns": 30}], "b": [{"ns": 30}, {"ns": 60}, {"ns": 30}]}
    goal = rounds.judged(Ratio("a", "b", 3.0), runs, "ns")
    assert (goal["found"], goal["reached"], goal["spread"]) == (3.0, True, [1.0, 3.0])
    assert not rounds.judged(Ratio("a", "b", 3.1), runs, "ns")["reached"]
    absent = runs | {"b": [{"not_installed": "b"}]}
    assert rounds.judged(Ratio("a", "b", 3.0), absent, "ns")["reached"] is None
    assert rounds.judged(Bound("a", "ns", at_most=20), runs, "ns")["reached"]
    assert not rounds.judged(Bound("a", "ns", at_least=21), runs, "ns")["reached"]


def test_the_table_goes_between_the_marks_and_nowhere_else(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"before\n{tables.BEGIN}\nold\n{tables.END}\nafter\n")
    tables.put_into(page, "fresh")
    assert page.read_text() == f"before\n{tables.BEGIN}\n\nfresh\n{tables.END}\nafter\n"


def test_the_committed_page_is_made_of_the_committed_results(repo: Path) -> None:
    results, page = repo / "bench" / "results.json", repo / "docs" / "performance.md"
    assert tables.written(json.loads(results.read_text())) in page.read_text("utf-8")


def test_a_wrong_name_says_which_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        bench.main(["no_such_topic"])
    assert stop.value.code == 2
    assert "decode" in capsys.readouterr().err
