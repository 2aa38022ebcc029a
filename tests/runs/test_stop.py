"""A disk that refuses: the running program stops with a sentence, and what it wrote is whole."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from candlewick.shell.reader import Reader
from candlewick.shell.verify import verify

pytestmark = pytest.mark.proc

FILE_BYTES_MAX = 2_500_000
STORE_FAILED = 3


def refuse_growth() -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (FILE_BYTES_MAX, FILE_BYTES_MAX))


def test_a_disk_that_refuses_stops_the_program_with_whole_batches(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "candlewick", "up", "--source", "built-in", "--no-open"]
    ended = subprocess.run(
        [*command, "--data-dir", str(tmp_path), "--port", "0"],
        env=os.environ | {"PYTHONDONTWRITEBYTECODE": "1", "CANDLEWICK__LOG__LEVEL": "error"},
        preexec_fn=refuse_growth,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert ended.returncode == STORE_FAILED, ended.stderr
    last = ended.stderr.strip().splitlines()[-1]
    assert "candlewick.sqlite" in last
    assert "writing a batch failed" in last
    assert "Traceback" not in ended.stderr
    with Reader(tmp_path) as reader:
        assert reader.counts()["trades"] > 0
    assert [finding for finding in verify(tmp_path) if not finding.ok] == []
