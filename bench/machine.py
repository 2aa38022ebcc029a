"""What a result belongs to: machine, versions, commit.

takes   nothing
gives   plain values for the result file; no path and no name of this machine
"""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

_LIBRARIES = (
    "candlewick", "numpy", "numba", "llvmlite", "msgspec", "zstandard", "polars", "duckdb",
    "TA-Lib",
)  # fmt: skip


def described(repo: Path) -> dict[str, Any]:
    """The machine, what runs on it, and how busy it is."""
    return {
        "cpu": _cpu(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None,
        "memory_gib": _memory_gib(),
        "system": f"{platform.system()} {platform.release().partition('-')[0]}",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "versions": {name: found for name in _LIBRARIES if (found := _version(name))},
        "commit": commit(repo),
        "date": datetime.now(UTC).strftime("%Y-%m-%dT%H:%MZ"),
        "load": load(),
    }


def load() -> float | None:
    """Programs that wanted a core in the last minute; above the number of cores figures suffer."""
    return round(os.getloadavg()[0], 1) if hasattr(os, "getloadavg") else None


def commit(repo: Path) -> str:
    """The commit, with a mark where what is measured differs from it."""
    found = _git(repo, "rev-parse", "--short", "HEAD")
    changed = _git(repo, "status", "--porcelain", "--", "src/candlewick", "bench/*.py")
    return f"{found}-changed" if changed else found or "unknown"


def _git(repo: Path, *words: str) -> str:
    done = subprocess.run(["git", *words], cwd=repo, capture_output=True, text=True)
    return done.stdout.strip() if done.returncode == 0 else ""


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


def _cpu() -> str:
    if sys.platform == "linux":
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _memory_gib() -> int | None:
    if not hasattr(os, "sysconf"):
        return None
    return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30)
