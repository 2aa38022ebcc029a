"""The checkup of an installation: every hop named, every fault with what to do."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from candlewick.shell import database, instance
from candlewick.shell.store import Store

Run = Callable[..., subprocess.CompletedProcess[str]]


def hops(done: subprocess.CompletedProcess[str]) -> dict[str, dict[str, str]]:
    return {hop["name"]: hop for hop in json.loads(done.stdout)["hops"]}


def doctor(run: Run, *arguments: str, **environ: str) -> dict[str, dict[str, str]]:
    """Every hop; the page may or may not be built here, so it decides the exit code."""
    built = (Path(instance.__file__).parents[1] / "static" / "index.html").is_file()
    port = {"CANDLEWICK__API__PORT": "0", **environ}
    return hops(run("doctor", "--json", *arguments, code=0 if built else 1, **port))


def test_doctor_names_every_hop(run: Run, stored: Path) -> None:
    found = doctor(run, "-d", str(stored))
    assert list(found) == [
        "settings", "python", "data directory", "disk", "lock", "schema", "store", "clock", "port",
        "dashboard",
    ]  # fmt: skip
    assert {hop["state"] for name, hop in found.items() if name != "dashboard"} <= {"ok", "note"}
    fresh = doctor(run, "-d", "fresh")
    assert "will be made" in fresh["data directory"]["found"]


def test_doctor_finds_what_is_wrong_and_says_what_to_do(
    run: Run, stored: Path, tmp_path: Path
) -> None:
    assert (
        "api.prot"
        in hops(run("doctor", "--json", code=1, CANDLEWICK__API__PROT="1"))["settings"]["found"]
    )
    with Store.open(stored):
        assert f"in use by process {os.getpid()}" in doctor(run, "-d", str(stored))["lock"]["found"]
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        found = hops(run("doctor", "--json", "-d", str(stored), code=1, CANDLEWICK__API__PORT=port))
        assert found["port"]["state"] == "bad"
        assert "--port" in found["port"]["advice"]
    link = database.connect(stored)
    link.execute("PRAGMA user_version = 99")
    link.close()
    found = hops(run("doctor", "--json", "-d", str(stored), code=1))
    assert found["schema"]["advice"] == "use the newer Candlewick"
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / database.FILE_NAME).write_bytes(b"not a database " * 500)
    found = hops(run("doctor", "--json", "-d", "other", code=1))
    assert {found["schema"]["state"], found["store"]["state"]} == {"bad"}


def test_version_and_bench_outside_a_checkout(run: Run) -> None:
    found = json.loads(run("version", "--json").stdout)
    assert found["python"] == ".".join(map(str, sys.version_info[:3]))
    assert run("version").stdout.startswith(f"candlewick {found['candlewick']} (Python ")
