"""The style, held: direction of imports, sizes, one impure room, banned calls and words."""

from __future__ import annotations

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = "candlewick"
FILE_LINES_MAX, FUNCTION_LINES_MAX, LINE_MAX = 400, 60, 100

# An import may only point up this list; rooms on one line do not know each other.
LEVELS = (
    ("errors", "__init__"),
    ("model",),
    ("compiled",),
    ("kernel",),
    ("config_sources",),
    ("config",),
    ("feeds", "candles", "indicators", "signals", "anomalies", "exchange"),
    ("shell",),
    ("pipeline",),
    ("runs",),
    ("commands",),
    ("cli",),
    ("__main__",),
)
LEVEL_OF = {room: level for level, rooms in enumerate(LEVELS) for room in rooms}
# config reads the environment and one file, compiled.py the sources it compiles.
IMPURE = {"shell", "commands", "cli", "config", "config_sources", "compiled", "__main__"}

BANNED = {
    "time.time": "time belongs in shell/ (shell/clock.py)",
    "time.time_ns": "time belongs in shell/ (shell/clock.py)",
    "time.monotonic": "time belongs in shell/ (shell/pace.py)",
    "time.perf_counter": "time belongs in shell/ (shell/pace.py)",
    "time.sleep": "waiting belongs in shell/ (shell/pace.py)",
    "datetime.now": "time belongs in shell/ (shell/clock.py)",
    "datetime.utcnow": "time belongs in shell/ (shell/clock.py)",
    "random.random": "draw from a seed (exchange/draws.py)",
    "random.randint": "draw from a seed (exchange/draws.py)",
    "uuid.uuid4": "derive ids from content",
    "os.environ": "settings are read once, in config.py",
    "np.random.seed": "draw from a seed (exchange/draws.py)",
}
IMPURE_MODULES = {
    "socket": "sockets belong in shell/",
    "sqlite3": "stores belong in shell/",
    "threading": "threads belong in shell/",
    "websockets": "sockets belong in shell/",
    "httpx2": "sockets belong in shell/",
    "uvicorn": "servers belong in shell/",
    "fastapi": "servers belong in shell/",
    "random": "draw from a seed (exchange/draws.py)",
}
VAGUE = re.compile(r"(^|_)(manager|handler|helper|helpers|utils|util|enhanced|new|v2)(_|$)")
LIBRARY_NAMES = {"get_route_handler"}  # Overridden hooks keep the name that the library gave.
EVERYWHERE = {"print": "write through commands/terminal.py"}

Source = tuple[str, Path, ast.Module, str]


def sources(repo: Path) -> list[Source]:
    root = repo / "src" / PACKAGE
    found = []
    for path in sorted(root.rglob("*.py")):
        text = path.read_text("utf-8")
        room = path.relative_to(root).parts[0].removesuffix(".py")
        found.append((room, path, ast.parse(text), text))
    return found


def imports(tree: ast.Module) -> Iterator[tuple[str, int]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for name in node.names:
                yield name.name, node.lineno
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module, node.lineno
            if node.module == PACKAGE:
                for name in node.names:
                    yield f"{PACKAGE}.{name.name}", node.lineno


def wrong_imports(found: list[Source]) -> list[str]:
    wrong = []
    for room, path, tree, _ in found:
        for name, line in imports(tree):
            head, _, rest = name.partition(".")
            if head != PACKAGE or not rest:
                continue
            other = rest.partition(".")[0]
            if other not in LEVEL_OF:
                if other != "__version__":
                    wrong.append(f"{path.name}:{line}: {other} has no place in LEVELS")
            elif other != room and LEVEL_OF[other] >= LEVEL_OF[room]:
                wrong.append(f"{room}/{path.name}:{line}: {room} may not know {other}")
    return wrong


def dotted(node: ast.AST) -> str:
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else "?"


def impurities(found: list[Source]) -> list[str]:
    wrong = []
    for room, path, tree, _ in found:
        if room in IMPURE:
            continue
        for name, line in imports(tree):
            head = name.partition(".")[0]
            if head in IMPURE_MODULES:
                wrong.append(f"{room}/{path.name}:{line}: {IMPURE_MODULES[head]}")
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and dotted(node) in BANNED:
                wrong.append(f"{room}/{path.name}:{node.lineno}: {BANNED[dotted(node)]}")
            if isinstance(node, ast.Call) and dotted(node.func) == "open" and room != "runs":
                wrong.append(f"{room}/{path.name}:{node.lineno}: files belong in shell/")
    return wrong


def test_imports_point_up(repo: Path) -> None:
    assert wrong_imports(sources(repo)) == []


def test_only_shell_is_impure(repo: Path) -> None:
    assert impurities(sources(repo)) == []


def test_sizes(repo: Path) -> None:
    wrong = []
    for room, path, tree, text in sources(repo):
        lines = text.count("\n")
        if lines > FILE_LINES_MAX:
            wrong.append(f"{room}/{path.name}: {lines} lines, split at the second job")
        wrong += [
            f"{room}/{path.name}:{n}: line of {len(line)}"
            for n, line in enumerate(text.splitlines(), 1)
            if len(line) > LINE_MAX
        ]
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                length = (node.end_lineno or 0) - node.lineno + 1
                if length > FUNCTION_LINES_MAX:
                    wrong.append(f"{room}/{path.name}:{node.lineno}: {node.name} has {length}")
    assert wrong == []


def test_every_file_opens_with_what_it_is(repo: Path) -> None:
    bare = [str(path) for _, path, tree, _ in sources(repo) if not ast.get_docstring(tree)]
    assert bare == []


def test_no_broad_except_and_no_print(repo: Path) -> None:
    wrong = []
    for room, path, tree, _ in sources(repo):
        for node in ast.walk(tree):
            if isinstance(node, ast.ExceptHandler) and (
                node.type is None or dotted(node.type) in ("Exception", "BaseException")
            ):
                wrong.append(f"{room}/{path.name}:{node.lineno}: name what you expect")
            if isinstance(node, ast.Call) and dotted(node.func) in EVERYWHERE:
                wrong.append(f"{room}/{path.name}:{node.lineno}: {EVERYWHERE[dotted(node.func)]}")
    assert wrong == []


def test_names_are_domain_words(repo: Path) -> None:
    wrong = []
    for room, path, tree, _ in sources(repo):
        if VAGUE.search(path.stem):
            wrong.append(f"{room}/{path.name}: says nothing")
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                snake = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", node.name).lower()
                if VAGUE.search(snake) and node.name not in LIBRARY_NAMES:
                    wrong.append(f"{room}/{path.name}:{node.lineno}: {node.name} says nothing")
    assert wrong == []


def test_no_address_and_no_path_of_a_machine_is_committed(repo: Path) -> None:
    listed = subprocess.run(["git", "ls-files"], cwd=repo, capture_output=True, text=True)
    if listed.returncode != 0:
        pytest.skip("not a git checkout")
    wrong = []
    for name in listed.stdout.split():
        path = repo / name
        if path.suffix in (".lock", ".txt") or path.name in ("package-lock.json", ".npmrc"):
            text = path.read_text("utf-8", errors="replace")
            if "http://" in text or "https://" in text:
                wrong.append(f"{name}: a lock file names no address")
    assert wrong == []


def planted(room: str, text: str) -> list[Source]:
    return [(room, Path("planted.py"), ast.parse(text), text)]


def test_the_rules_find_what_they_are_for() -> None:
    """A rule that has never failed proves nothing."""
    assert wrong_imports(planted("candles", "from candlewick.feeds import venue"))
    assert wrong_imports(planted("shell", "from candlewick import pipeline"))
    assert not wrong_imports(planted("shell", "from candlewick.candles import bars"))
    assert impurities(planted("indicators", "import time\nx = time.time()"))
    assert impurities(planted("signals", "import sqlite3"))
    assert impurities(planted("feeds", "def f(p):\n    return open(p)"))
    assert not impurities(planted("shell", "import sqlite3"))
    assert VAGUE.search("order_manager")
    assert not VAGUE.search("newest_rows")
