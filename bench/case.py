"""One case in this process: `python -m bench.case TOPIC CASE SIZE`; a line of JSON on stdout.

The folder in CANDLEWICK_BENCH_PEERS, if set, is searched last for peers that are no dependency:
the `site-packages` of a throw-away environment.
"""

from __future__ import annotations

import json
import os
import sys
from importlib import import_module

from bench.topic import NotInstalledError, Topic
from candlewick.shell.pace import rss_mb

PEERS_VARIABLE = "CANDLEWICK_BENCH_PEERS"


def main(topic_name: str, case_name: str, size: int) -> None:
    if os.environ.get(PEERS_VARIABLE):
        sys.path.append(os.environ[PEERS_VARIABLE])
    topic: Topic = import_module(f"bench.topics.{topic_name}").TOPIC
    (case,) = (case for case in topic.cases if case.name == case_name)
    try:
        found = case.run(max(1, int(size * case.size_share)))
    except NotInstalledError as absent:
        found = {"not_installed": str(absent)}
    print(json.dumps({"rss_mb": rss_mb(), **found}))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
