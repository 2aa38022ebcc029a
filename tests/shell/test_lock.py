"""One process per data directory, whatever happens to the others."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from candlewick.errors import UsageError
from candlewick.shell.lock import FILE_NAME, DirectoryLock
from candlewick.shell.store import Store

HOLDER = """
import sys
from pathlib import Path
from candlewick.shell.lock import DirectoryLock
lock = DirectoryLock(Path(sys.argv[1]))
print("held", flush=True)
sys.stdin.read()
"""


def test_a_second_lock_in_this_process_is_refused_and_names_it(tmp_path: Path) -> None:
    first = DirectoryLock(tmp_path)
    with pytest.raises(UsageError, match=rf"in use by process {os.getpid()}; stop that"):
        DirectoryLock(tmp_path)
    first.release()
    first.release()
    DirectoryLock(tmp_path).release()


@pytest.mark.proc
def test_a_second_process_is_refused_by_pid_and_a_killed_one_holds_nothing(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(UsageError, match=f"in use by process {holder.pid};"):
            Store.open(tmp_path)
        assert not (tmp_path / "candlewick.sqlite").exists()
        holder.send_signal(signal.SIGKILL)
        holder.wait()
    Store.open(tmp_path).close()


def test_a_stale_text_in_the_file_locks_nothing(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_text("1\n")
    lock = DirectoryLock(tmp_path)
    assert (tmp_path / FILE_NAME).read_text() == f"{os.getpid()}\n"
    lock.release()


def test_a_directory_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).mkdir()
    with pytest.raises(UsageError, match=r"cannot write its lock file .*; choose a directory"):
        DirectoryLock(tmp_path)
