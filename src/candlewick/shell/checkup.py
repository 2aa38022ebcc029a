"""The checkup of an installation, hop by hop: what `candlewick doctor` shows.

takes   settings
gives   one `Hop` for each thing that must be right, with what was found and what to do
never   changes anything, apart from a probe file that it removes again
"""

from __future__ import annotations

import os
import shutil
import socket
import sqlite3
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from importlib import resources
from pathlib import Path
from typing import Literal, NamedTuple

from candlewick.config import Settings
from candlewick.errors import UsageError
from candlewick.model.time import NS_PER_S, to_rfc3339
from candlewick.shell import database, instance, schema
from candlewick.shell.lock import FILE_NAME as LOCK_NAME
from candlewick.shell.lock import DirectoryLock

State = Literal["ok", "note", "bad"]
_PYTHONS = ((3, 11), (3, 13))
_FREE_BYTES_BAD = 200 * 2**20
_FREE_BYTES_NOTE = 2 * 2**30
_CLOCK_MIN_NS = 1_767_225_600 * NS_PER_S  # 2026-01-01: this program is younger.
_CLOCK_BEHIND_S_MAX = 60


class Hop(NamedTuple):
    """One thing checked; `bad` ones make the command fail."""

    name: str
    state: State
    found: str
    advice: str = ""


def checkup(settings: Settings) -> Iterator[Hop]:
    """Every hop, as it is checked, in the order in which they depend on each other."""
    data_dir = settings.data_dir
    checks: tuple[Callable[[], Hop], ...] = (
        _python,
        lambda: _data_dir(data_dir),
        lambda: _disk(data_dir),
        lambda: _lock(data_dir),
        lambda: _schema(data_dir),
        lambda: _integrity(data_dir),
        lambda: _clock(data_dir),
        lambda: _port(settings),
        _dashboard,
    )
    for check in checks:
        yield check()


def _python() -> Hop:
    found = ".".join(map(str, sys.version_info[:3]))
    low, high = (".".join(map(str, version)) for version in _PYTHONS)
    if _PYTHONS[0] <= sys.version_info[:2] <= _PYTHONS[1]:
        return Hop("python", "ok", found)
    return Hop("python", "note", found, f"tested with CPython {low} to {high}")


def _data_dir(data_dir: Path) -> Hop:
    if not data_dir.exists():
        parent = next(folder for folder in data_dir.absolute().parents if folder.exists())
        if os.access(parent, os.W_OK | os.X_OK):
            return Hop("data directory", "ok", f"{data_dir} will be made at the first start")
        return Hop("data directory", "bad", f"{parent} is not writable", "choose another one")
    probe = data_dir / f".probe-{os.getpid()}"
    try:
        probe.write_bytes(b"x")
        probe.unlink()
    except OSError as error:
        return Hop(
            "data directory",
            "bad",
            f"{data_dir}: {error.strerror}",
            "make it writable for this user, or choose another with --data-dir",
        )
    return Hop("data directory", "ok", f"{data_dir} is writable")


def _disk(data_dir: Path) -> Hop:
    folder = data_dir.absolute()
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    found = f"{free / 2**30:.1f} GiB free"
    if free < _FREE_BYTES_BAD:
        return Hop("disk", "bad", found, "free some space: the store stops when the disk is full")
    if free < _FREE_BYTES_NOTE:
        return Hop("disk", "note", found, "a busy day of eight markets needs about 2 GiB")
    return Hop("disk", "ok", found)


def _lock(data_dir: Path) -> Hop:
    if not (data_dir / LOCK_NAME).is_file():
        return Hop("lock", "ok", "nobody has used this directory yet")
    try:
        DirectoryLock(data_dir).release()
    except UsageError as error:
        return Hop("lock", "note", str(error).partition("; ")[0])
    return Hop("lock", "ok", "free")


def _schema(data_dir: Path) -> Hop:
    path = database.file_of(data_dir)
    known = len(schema.steps())
    if not path.is_file():
        return Hop("schema", "ok", f"no store yet; this program makes schema {known}")
    try:
        with closing(database.connect_reading(data_dir)) as link:
            found = schema.version_of(link)
    except UsageError as error:
        return Hop("schema", "bad", str(error))
    if found == known:
        return Hop("schema", "ok", f"schema {found}")
    advice = "run `candlewick db migrate`" if found < known else "use the newer Candlewick"
    return Hop("schema", "bad", f"schema {found}, this program has {known}", advice)


def _integrity(data_dir: Path) -> Hop:
    if not database.file_of(data_dir).is_file():
        return Hop("store", "ok", "no store yet")
    try:
        with closing(database.connect_reading(data_dir)) as link:
            faults = [row[0] for row in link.execute("PRAGMA quick_check(3)")]
    except UsageError as error:
        return Hop("store", "bad", str(error))
    except sqlite3.DatabaseError as error:
        faults = [str(error)]
    if faults == ["ok"]:
        return Hop("store", "ok", "SQLite's quick check finds it whole")
    return Hop("store", "bad", "; ".join(faults), "restore a copy, or start a new data directory")


def _clock(data_dir: Path) -> Hop:
    now_ns = time.time_ns()
    found = to_rfc3339(now_ns // NS_PER_S * NS_PER_S)
    if now_ns < _CLOCK_MIN_NS:
        return Hop("clock", "bad", found, "set this machine's clock: this program is younger")
    newest_ns = _newest_ns(data_dir)
    if newest_ns > now_ns + _CLOCK_BEHIND_S_MAX * NS_PER_S:
        return Hop(
            "clock",
            "note",
            f"{found}, but the store has a trade seen at {to_rfc3339(newest_ns)}",
            "set this machine's clock, unless that is a recording",
        )
    return Hop("clock", "ok", found)


def _newest_ns(data_dir: Path) -> int:
    """When the newest trade of any series was seen; 0 where that cannot be read."""
    try:
        with closing(database.connect_reading(data_dir)) as link:
            rows = link.execute(
                "SELECT (SELECT seen_ns FROM trades WHERE series = i.series "
                "ORDER BY id DESC LIMIT 1) FROM instruments i"
            ).fetchall()
    except (UsageError, sqlite3.DatabaseError):
        return 0
    return max((seen_ns or 0 for (seen_ns,) in rows), default=0)


def _port(settings: Settings) -> Hop:
    host, port = settings.api.host, settings.api.port
    if port == 0:
        return Hop("port", "ok", "any free one")
    where = f"{host}:{port}"
    try:
        found = instance.ask_status(instance.url_of(host, port))
    except UsageError:
        found = {}
    if found:
        return Hop("port", "ok", f"Candlewick {found.get('version')} answers on {where}")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        if os.name == "posix":  # As the server does: a port in TIME_WAIT is free.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            return Hop(
                "port",
                "bad",
                f"{where}: {error.strerror or error}",
                "stop what uses it, or choose another with --port or api.port",
            )
    return Hop("port", "ok", f"{where} is free")


def _dashboard() -> Hop:
    if resources.files("candlewick").joinpath("static", "index.html").is_file():
        return Hop("dashboard", "ok", "the page is built")
    return Hop("dashboard", "bad", "the page is not built", "run `make build` in the checkout")
