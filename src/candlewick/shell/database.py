"""Connections to the one SQLite file of a data directory, and what its errors mean.

takes   a data directory
gives   a writing or a reading connection; a `StoreError` for what the disk or a neighbour did
never   retries: SQLite waits `BUSY_WAIT_MS_MAX` for a lock, then the caller is told to stop
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

from candlewick.errors import UsageError

FILE_NAME = "candlewick.sqlite"
BUSY_WAIT_MS_MAX = 1_000
WAL_PAGES_MAX = 1_000  # A checkpoint every 4 MB: a longer log makes the one slow commit slower.
WAL_BYTES_KEPT_MAX = 64 * 2**20

_ADVICE = {
    sqlite3.SQLITE_FULL: "the disk is full; free space, then start again",
    sqlite3.SQLITE_BUSY: "another program holds the file locked; close it, then start again",
    sqlite3.SQLITE_LOCKED: "another program holds the file locked; close it, then start again",
    sqlite3.SQLITE_READONLY: "the file may not be written; give this user the right to write it",
    sqlite3.SQLITE_PERM: "the file may not be written; give this user the right to write it",
    sqlite3.SQLITE_CANTOPEN: "it cannot be opened; check that the directory exists and is yours",
    sqlite3.SQLITE_IOERR: "the disk refused to read or write; check the disk, then start again",
    sqlite3.SQLITE_CORRUPT: "the file is damaged; restore a copy, or start a new data directory",
    sqlite3.SQLITE_NOTADB: "that is no SQLite file; choose another data directory",
}


class StoreError(UsageError):
    """The file, its disk or a neighbour stopped us: names the file, the cause and the remedy."""


class DamagedError(StoreError):
    """The file itself is no longer what SQLite wrote."""


def file_of(data_dir: Path) -> Path:
    """Where a data directory keeps its rows."""
    return data_dir / FILE_NAME


def is_environment(error: sqlite3.Error) -> bool:
    """Whether disk, lock or file is to blame; otherwise the program is, and it should crash."""
    return (getattr(error, "sqlite_errorcode", 0) & 0xFF) in _ADVICE


def explained(path: Path, doing: str, error: sqlite3.Error) -> StoreError:
    """The stop that a user can act on."""
    code = error.sqlite_errorcode & 0xFF
    kind = DamagedError if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB) else StoreError
    return kind(f"{path}: {doing} failed ({error}, {error.sqlite_errorname}): {_ADVICE[code]}")


def connect(data_dir: Path) -> sqlite3.Connection:
    """The writing connection: autocommit, so that every transaction is spelled out.

    Raises:
        StoreError: the file cannot be opened, is no SQLite file, or its disk allows no WAL.
    """
    path = file_of(data_dir)
    try:
        link = sqlite3.connect(
            path,
            timeout=BUSY_WAIT_MS_MAX / 1_000,
            isolation_level=None,
            check_same_thread=False,
        )
    except sqlite3.OperationalError as error:
        raise explained(path, "opening", error) from error
    try:
        (mode,) = link.execute("PRAGMA journal_mode = WAL").fetchone()
        link.execute("PRAGMA synchronous = NORMAL")
        link.execute(f"PRAGMA wal_autocheckpoint = {WAL_PAGES_MAX}")
        link.execute(f"PRAGMA journal_size_limit = {WAL_BYTES_KEPT_MAX}")
        link.execute("PRAGMA cache_size = -32000")
    except sqlite3.DatabaseError as error:
        link.close()
        if is_environment(error):
            raise explained(path, "opening", error) from error
        raise
    if mode != "wal":
        link.close()
        raise StoreError(
            f"{path}: this file system allows no write-ahead log (journal mode {mode!r}); "
            "choose a data directory on a local disk"
        )
    return link


def connect_reading(data_dir: Path) -> sqlite3.Connection:
    """A connection that cannot write; works beside a writing process.

    Raises:
        StoreError: there is no store, or it cannot be opened.
    """
    path = file_of(data_dir)
    if not path.is_file():
        raise StoreError(
            f"{data_dir}: no store here ({FILE_NAME} is missing); "
            "run `candlewick up` or `candlewick replay` with this data directory first"
        )
    try:
        link = sqlite3.connect(
            f"{path.resolve().as_uri()}?mode=ro",
            uri=True,
            timeout=BUSY_WAIT_MS_MAX / 1_000,
            isolation_level=None,
            check_same_thread=False,
        )
    except sqlite3.OperationalError as error:
        raise explained(path, "opening", error) from error
    try:
        link.execute("PRAGMA schema_version").fetchone()
    except sqlite3.DatabaseError as error:
        link.close()
        if is_environment(error):
            raise explained(path, "reading", error) from error
        raise
    return link
