"""Migrations: each whole or not at all, again without effect, and never a newer file."""

from __future__ import annotations

import hashlib
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from candlewick.errors import UsageError, VersionError
from candlewick.shell import database, schema
from candlewick.shell.database import FILE_NAME, StoreError
from candlewick.shell.lock import DirectoryLock
from candlewick.shell.reader import Reader
from candlewick.shell.schema import Step
from candlewick.shell.store import Store

LATEST = len(schema.steps())
FIRST = Step(1, "0001_a.sql", "CREATE TABLE a (x);\nINSERT INTO a VALUES (1);\n")
SECOND = Step(2, "0002_b.sql", "ALTER TABLE a ADD COLUMN y;\nCREATE TABLE b (x);\n")
BROKEN = Step(2, "0002_b.sql", "ALTER TABLE a ADD COLUMN y;\nCREATE TABLE a (x);\n")

KILLED = """
import os, signal, sys
from pathlib import Path
from candlewick.shell import database, schema
link = database.connect(Path(sys.argv[1]))
link.create_function("die", 0, lambda: os.kill(os.getpid(), signal.SIGKILL))
step = schema.Step(1, "0001_a.sql", "CREATE TABLE a (x);\\nSELECT die();\\nCREATE TABLE b (x);\\n")
schema.advance(link, Path("x"), [step])
"""


def raw(data_dir: Path) -> sqlite3.Connection:
    return sqlite3.connect(data_dir / FILE_NAME, isolation_level=None)


def tables(data_dir: Path) -> set[str]:
    link = raw(data_dir)
    rows = link.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
    link.close()
    return {name for (name,) in rows}


def test_migrating_twice_is_migrating_once(tmp_path: Path) -> None:
    Store.open(tmp_path).close()
    before = tables(tmp_path)
    assert schema.migrate(tmp_path) == (LATEST, LATEST)
    assert schema.migrate(tmp_path) == (LATEST, LATEST)
    assert tables(tmp_path) == before >= {"trades", "candles", "gaps", "states", "offsets"}


def test_steps_are_taken_in_order_and_only_the_missing_ones(tmp_path: Path) -> None:
    link = database.connect(tmp_path)
    assert schema.advance(link, tmp_path, [FIRST]) == 1
    assert schema.advance(link, tmp_path, [FIRST, SECOND]) == 1
    assert schema.advance(link, tmp_path, [FIRST, SECOND]) == 0
    assert schema.version_of(link) == 2
    assert link.execute("SELECT x, y FROM a").fetchall() == [(1, None)]
    link.close()


def test_a_step_that_fails_in_the_middle_leaves_nothing_of_itself(tmp_path: Path) -> None:
    link = database.connect(tmp_path)
    with pytest.raises(sqlite3.OperationalError, match="already exists"):
        schema.advance(link, tmp_path, [FIRST, BROKEN])
    assert schema.version_of(link) == 1
    assert [row[1] for row in link.execute("PRAGMA table_info(a)")] == ["x"]
    assert schema.advance(link, tmp_path, [FIRST, SECOND]) == 1
    link.close()


@pytest.mark.proc
def test_a_process_killed_in_a_migration_leaves_the_old_schema_and_can_go_on(
    tmp_path: Path,
) -> None:
    done = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], check=False)
    assert done.returncode == -signal.SIGKILL
    link = database.connect(tmp_path)
    assert schema.version_of(link) == 0
    assert link.execute("SELECT count(*) FROM sqlite_master").fetchone() == (0,)
    link.close()
    Store.open(tmp_path).close()
    assert schema.migrate(tmp_path) == (LATEST, LATEST)


def test_a_newer_store_is_refused_by_name_of_both_versions_and_not_touched(tmp_path: Path) -> None:
    Store.open(tmp_path).close()
    link = raw(tmp_path)
    link.execute(f"PRAGMA user_version = {LATEST + 7}")
    link.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    link.close()
    before = hashlib.sha256((tmp_path / FILE_NAME).read_bytes()).digest()
    for refused in (Store.open, Reader, schema.migrate):
        with pytest.raises(
            VersionError, match=rf"schema {LATEST + 7} is newer than schema {LATEST}"
        ):
            refused(tmp_path)
    assert hashlib.sha256((tmp_path / FILE_NAME).read_bytes()).digest() == before


def test_an_older_store_is_not_read_before_it_is_migrated(tmp_path: Path) -> None:
    Store.open(tmp_path).close()
    link = raw(tmp_path)
    link.execute(f"PRAGMA user_version = {LATEST - 1}")
    link.close()
    with pytest.raises(VersionError, match="run `candlewick db migrate`"):
        Reader(tmp_path)


def test_somebody_elses_sqlite_file_is_refused_and_not_touched(tmp_path: Path) -> None:
    link = raw(tmp_path)
    link.execute("CREATE TABLE photos (x)")
    link.close()
    before = (tmp_path / FILE_NAME).read_bytes()
    with pytest.raises(UsageError, match="not a Candlewick store"):
        Store.open(tmp_path)
    assert (tmp_path / FILE_NAME).read_bytes() == before


def test_a_file_that_is_no_sqlite_at_all_is_refused_in_words(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_bytes(b"a diary, not a database\n" * 500)
    with pytest.raises(StoreError, match=r"not a database.*choose another data directory"):
        Store.open(tmp_path)


def test_migrating_where_nothing_is_says_so(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no store here"):
        schema.migrate(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_migrating_a_directory_in_use_is_refused(tmp_path: Path) -> None:
    Store.open(tmp_path).close()
    lock = DirectoryLock(tmp_path)
    with pytest.raises(UsageError, match="in use by process"):
        schema.migrate(tmp_path)
    lock.release()
