"""Every case of a topic in turn, each in a fresh process, as many rounds as asked.

takes   a topic's name
gives   its raw runs, medians, spreads, and what became of its goals
"""

from __future__ import annotations

import json
import os
import pkgutil
import subprocess
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from statistics import median
from typing import Any

from bench import machine
from bench.topic import Bound, Ratio, Topic

REPO = Path(__file__).resolve().parents[1]
SECONDS_MAX = 600  # A case; beyond it something hangs.


def names() -> list[str]:
    """Every topic."""
    folder = Path(__file__).parent / "topics"
    found = (module.name for module in pkgutil.iter_modules([str(folder)]))
    return sorted(name for name in found if not name.startswith("_"))


def measured(name: str, rounds: int, *, tiny: bool, say: Callable[[str], None]) -> dict[str, Any]:
    """One topic, all of it.

    Raises:
        RuntimeError: a case failed; the message has its words.
    """
    topic: Topic = import_module(f"bench.topics.{name}").TOPIC
    size = topic.tiny if tiny else topic.size
    load = machine.load()
    runs: dict[str, list[dict[str, Any]]] = {case.name: [] for case in topic.cases}
    for turn in range(rounds):
        for case in topic.cases:
            say(f"{name}: round {turn + 1} of {rounds}, {case.name}")
            if runs[case.name] and "not_installed" in runs[case.name][0]:
                continue
            runs[case.name].append(_run(name, case.name, size))
    return {
        "title": topic.title,
        "command": f"python -m bench {name}",
        "date": machine.described(REPO)["date"],
        "commit": machine.commit(REPO),
        "load": [load, machine.load()],
        "rounds": rounds,
        "size": size,
        "unit": topic.unit,
        "also": list(topic.also),
        "notes": list(topic.notes),
        "cases": {case: summed(found) for case, found in runs.items()},
        "goals": [judged(goal, runs, topic.unit) for goal in topic.goals],
    }


def _run(topic: str, case: str, size: int) -> dict[str, Any]:
    environment = dict(os.environ)
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # Else every start would compile numba anew.
    done = subprocess.run(
        [sys.executable, "-m", "bench.case", topic, case, str(size)],
        cwd=REPO, capture_output=True, text=True, timeout=SECONDS_MAX, env=environment,
    )  # fmt: skip
    if done.returncode != 0:
        raise RuntimeError(f"{topic}, {case}: {done.stderr.strip()[-2_000:]}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def summed(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """The median of every number, its smallest and largest value, and the runs themselves."""
    if "not_installed" in runs[0]:
        return {"not_installed": runs[0]["not_installed"]}
    numbers = [key for key, value in runs[0].items() if isinstance(value, int | float)]
    columns = {key: [run[key] for run in runs] for key in numbers}
    return {
        "median": {key: median(column) for key, column in columns.items()},
        "spread": {key: [min(column), max(column)] for key, column in columns.items()},
        "runs": runs,
    }


def judged(goal: Ratio | Bound, runs: dict[str, list[dict[str, Any]]], unit: str) -> dict[str, Any]:
    """A goal, what was found, and whether it was reached; None where a peer is absent."""
    if isinstance(goal, Bound):
        found = median(run[goal.number] for run in runs[goal.case])
        reached = (goal.at_least is None or found >= goal.at_least) and (
            goal.at_most is None or found <= goal.at_most
        )
        return {
            "of": goal.case, "number": goal.number, "at_least": goal.at_least,
            "at_most": goal.at_most, "found": found, "reached": reached,
        }  # fmt: skip
    told = {"of": goal.ours, "to": goal.peer, "at_least": goal.at_least}
    if any("not_installed" in runs[side][0] for side in (goal.ours, goal.peer)):
        return {**told, "found": None, "reached": None}
    pairs = zip(runs[goal.ours], runs[goal.peer], strict=True)
    ratios = [theirs[unit] / ours[unit] for ours, theirs in pairs]
    found = median(ratios)
    return {
        **told,
        "found": round(found, 2),
        "spread": [round(min(ratios), 2), round(max(ratios), 2)],
        "reached": found >= goal.at_least,
    }
