"""The version of a store's schema, and the steps from any older one to this program's.

takes   a data directory or a connection
gives   the schema of this program; each step in a transaction of its own with its number
never   touches a newer store, or a file that is no store of Candlewick
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import NamedTuple

from candlewick.errors import UsageError, VersionError
from candlewick.shell import database
from candlewick.shell.lock import DirectoryLock

APPLICATION_ID = 0x43574B31  # "CWK1", in the file's header: `file candlewick.sqlite` shows it.


class Step(NamedTuple):
    """One migration: `version` is the schema's number after it."""

    version: int
    name: str
    sql: str


def steps() -> tuple[Step, ...]:
    """Every step that this program knows, in order."""
    folder = resources.files("candlewick.shell.migrations")
    names = sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(".sql"))
    found = tuple(Step(int(name[:4]), name, (folder / name).read_text("utf-8")) for name in names)
    versions = [step.version for step in found]
    assert versions == list(range(1, len(found) + 1)), f"migrations are not 1, 2, ...: {versions}"
    return found


def version_of(link: sqlite3.Connection) -> int:
    """The version a file has; 0 for an empty one.

    Raises:
        UsageError: tables of somebody else.
    """
    (version,) = link.execute("PRAGMA user_version").fetchone()
    (application,) = link.execute("PRAGMA application_id").fetchone()
    (tables,) = link.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if application != APPLICATION_ID and (version or tables):
        raise UsageError(
            "the SQLite file in this data directory is not a Candlewick store; "
            "choose another data directory"
        )
    return int(version)


def check(link: sqlite3.Connection, path: Path) -> None:
    """Refuse to read a store of another version.

    Raises:
        VersionError: newer (use the newer program) or older (migrate first).
    """
    found, known = version_of(link), len(steps())
    refuse_newer(found, known, path)
    if found < known:
        raise VersionError(
            f"{path}: schema {found}, this program reads schema {known}; "
            "run `candlewick db migrate` with this data directory"
        )


def refuse_newer(found: int, known: int, path: Path) -> None:
    """Raises VersionError when the file was written by a later release."""
    if found > known:
        raise VersionError(
            f"{path}: schema {found} is newer than schema {known}, the latest that this program "
            "knows; nothing was touched; use the newer Candlewick, or another data directory"
        )


def advance(link: sqlite3.Connection, path: Path, known: Sequence[Step] | None = None) -> int:
    """Bring the schema up to date; a step that was killed half-way starts again.

    Returns:
        How many steps were taken.
    """
    plan = steps() if known is None else known
    found = version_of(link)
    refuse_newer(found, len(plan), path)
    for step in plan[found:]:
        _take(link, step)
    return len(plan) - found


def _take(link: sqlite3.Connection, step: Step) -> None:
    """One step and its number, both or neither."""
    link.execute("BEGIN IMMEDIATE")
    done = False
    try:
        for statement in _statements(step.sql):
            link.execute(statement)
        link.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        link.execute(f"PRAGMA user_version = {step.version}")
        link.execute("COMMIT")
        done = True
    finally:
        if not done and link.in_transaction:
            link.execute("ROLLBACK")


def _statements(sql: str) -> list[str]:
    """The statements of a script one by one: `executescript` would commit between them."""
    found, pending = [], ""
    for line in sql.splitlines(keepends=True):
        pending += line
        if sqlite3.complete_statement(pending):
            found.append(pending)
            pending = ""
    assert not pending.strip(), f"unfinished statement: {pending[:80]!r}"
    return found


def migrate(data_dir: Path) -> tuple[int, int]:
    """What `candlewick db migrate` does; again and again changes nothing.

    Returns:
        The version found and the version left.

    Raises:
        UsageError: in use, newer than this program, or the file stops us (`StoreError`).
    """
    database.connect_reading(data_dir).close()
    lock = DirectoryLock(data_dir)
    try:
        link = opened(data_dir)
        try:
            found = version_of(link)
            taken = advance(link, database.file_of(data_dir))
        except sqlite3.DatabaseError as error:
            if not database.is_environment(error):
                raise
            raise database.explained(database.file_of(data_dir), "migrating", error) from error
        finally:
            link.close()
        return found, found + taken
    finally:
        lock.release()


def opened(data_dir: Path) -> sqlite3.Connection:
    """The writing connection, after a look through a reading one that changes nothing."""
    path = database.file_of(data_dir)
    if path.is_file() and path.stat().st_size:
        probe = database.connect_reading(data_dir)
        try:
            refuse_newer(version_of(probe), len(steps()), path)
        finally:
            probe.close()
    return database.connect(data_dir)
