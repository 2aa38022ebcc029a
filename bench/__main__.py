"""`python -m bench [NAMES...] [--out FILE] [--json]`, see the package's text.

Topics that were not named keep what a former run wrote into FILE, with its date and commit.  When
FILE is this folder's `results.json`, the tables of docs/performance.md are written again.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from bench import machine, rounds, tables
from candlewick.runs.warm import warm

ROUNDS = 5
RESULTS = rounds.REPO / "bench" / "results.json"
DOCUMENT = rounds.REPO / "docs" / "performance.md"


def main(arguments: list[str] | None = None) -> int:
    """Gives 0, also where a goal was missed: the table says so."""
    known = rounds.names()
    parser = argparse.ArgumentParser("bench", description=f"Topics: {', '.join(known)}.")
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--out", type=Path, help="write the results here")
    parser.add_argument("--json", action="store_true", help="results on stdout as JSON")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="fresh processes a case")
    parser.add_argument("--tiny", action="store_true", help="only whether it runs")
    chosen = parser.parse_args(arguments)
    for name in chosen.names:
        if name not in known:
            parser.error(f"no topic {name!r}; there are {', '.join(known)}")
    warm()
    kept = _former(chosen.out, known)
    for name in chosen.names or known:
        kept[name] = rounds.measured(name, chosen.rounds, tiny=chosen.tiny, say=_say)
    result = {
        "machine": machine.described(rounds.REPO),
        "topics": {name: kept[name] for name in known if name in kept},
    }
    if chosen.out:
        chosen.out.write_text(json.dumps(result, indent=1) + "\n", "utf-8")
        if chosen.out.resolve() == RESULTS and not chosen.tiny:
            tables.put_into(DOCUMENT, tables.written(result))
    print(json.dumps(result) if chosen.json else tables.written(result))
    return 0


def _former(out: Path | None, known: list[str]) -> dict[str, Any]:
    if out is None or not out.is_file():
        return {}
    topics: dict[str, Any] = json.loads(out.read_text("utf-8"))["topics"]
    return {name: topic for name, topic in topics.items() if name in known}


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
