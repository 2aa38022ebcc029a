"""The documents, held to the program: what they say is run, followed and looked up.

takes   README.md, ARCHITECTURE.md, CONTRIBUTING.md, docs/; one running instance
gives   a failure for a command that does not work, an output or a shape that is not so, a link that
        leads nowhere, a setting, command, route or proof that is not there, or not written down
"""

from __future__ import annotations

import ast
import asyncio
import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import typer
from websockets.asyncio.client import connect

from candlewick.cli import app
from candlewick.config import Settings, keys
from candlewick.shell.api.access import WHO

REPO = Path(__file__).resolve().parent.parent
PAGES = [REPO / name for name in ("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md")]
PAGES += sorted((REPO / "docs").rglob("*.md"))
PORT = "localhost:8080"

# Commands that are not run here, each with where it is run instead.
ELSEWHERE = {
    "make run": "the fixture below starts what it starts; .ci/run starts from a clean checkout",
    "make test": "it runs this very test",
    "make check": "run by .ci/run",
    "make bench": "minutes; run by hand, its results are in docs/performance.md",
    "candlewick bench": "as make bench",
    "candlewick up ": "the fixture below starts exactly this",
    "curl -s 'https://": "needs the internet",
}


class Block(NamedTuple):
    """A fenced block: where it begins, its language, its text."""

    page: Path
    line: int
    language: str
    text: str


def blocks(page: Path) -> Iterator[Block]:
    found = re.finditer(
        r"^(?P<indent> *)```(?P<language>\w*)\n(?P<text>.*?)^(?P=indent)```",
        page.read_text("utf-8"),
        re.DOTALL | re.MULTILINE,
    )
    for one in found:
        line = one.string.count("\n", 0, one.start()) + 1
        text = re.sub(f"^{one['indent']}", "", one["text"], flags=re.MULTILINE)
        yield Block(page, line, one["language"], text)


def named(*languages: str, page: str = "") -> list[Any]:
    """Blocks as test parameters, called after their place."""
    return [
        pytest.param(block, id=f"{block.page.name}:{block.line}")
        for path in PAGES
        for block in blocks(path)
        if block.language in languages and page in ("", path.name)
    ]


class Place:
    """A folder with the documents in it and a running instance behind it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environ = {k: v for k, v in os.environ.items() if not k.startswith("CANDLEWICK")}
        self.environ |= {
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "XDG_CACHE_HOME": os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache"),
            "HOME": str(folder),
        }
        (folder / "docs").symlink_to(REPO / "docs")

    @property
    def address(self) -> str:
        return (self.folder / ".candlewick" / "local.url").read_text("ascii").strip()

    def here(self, text: str) -> str:
        """The same text with this instance's address; curl minds a refusal."""
        text = text.replace(PORT, self.address.removeprefix("http://"))
        return text.replace("curl -s ", "curl -sS --fail-with-body ")

    def run(self, command: str) -> str:
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", self.here(command)],
            cwd=self.folder,
            env=self.environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, f"$ {command}\n{done.stdout}"
        return done.stdout

    def get(self, path: str) -> Any:
        with urllib.request.urlopen(self.address + path, timeout=10) as answer:
            return json.load(answer)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    found = Place(tmp_path_factory.mktemp("documents"))
    command = [sys.executable, "-m", "candlewick", "up", "--source", "built-in"]
    quiet = {"CANDLEWICK__LOG__LEVEL": "warning", "CANDLEWICK__BUILTIN__TRADES_PER_S": "4"}
    running = subprocess.Popen(
        [*command, "--data-dir", ".candlewick", "--port", "0", "--no-open"],
        cwd=found.folder,
        env=found.environ | quiet,
        stdout=subprocess.DEVNULL,
    )
    try:
        until_s = time.monotonic() + 90
        while not ready(found):
            assert running.poll() is None, "the program ended by itself"
            assert time.monotonic() < until_s, "no indicator of a bitcoin candle in 90 s"
            time.sleep(0.2)
        yield found
    finally:
        running.terminate()
        running.wait(30)


def ready(place: Place) -> bool:
    """Whether its history is read: two fives of minutes and a warm price."""
    try:
        rows = place.get("/api/v1/historical/BTCUSDT?interval=5m")["data"]
        states = [feed["state"] for feed in place.get("/api/v1/status")["feeds"]]
        return len(rows) > 2 and states == ["live", "live"]
    except OSError:
        return False


def elsewhere(command: str) -> bool:
    return any(command.startswith(known) for known in ELSEWHERE)


def tools(text: str) -> None:
    for tool in ("curl", "sqlite3"):
        if re.search(rf"^\W*{tool} ", text, re.MULTILINE) and not shutil.which(tool):
            pytest.skip(f"{tool} is not installed")


@pytest.mark.proc
@pytest.mark.parametrize("block", named("sh"))
def test_every_command_works(block: Block, place: Place) -> None:
    lines = block.text.strip().splitlines()
    wanted = "\n".join(line for line in lines if not elsewhere(line))
    assert wanted or all(map(elsewhere, lines))
    tools(wanted)
    if wanted:
        place.run(wanted)


@pytest.mark.proc
@pytest.mark.parametrize("block", named("console"))
def test_every_output_is_as_shown(block: Block, place: Place) -> None:
    """A line `...` stands for any lines."""
    tools(block.text.replace("$ ", ""))
    for part in re.split(r"^\$ ", block.text, flags=re.MULTILINE)[1:]:
        command, *shown = part.splitlines()
        printed = "".join(f"{line.rstrip()}\n" for line in place.run(command).splitlines())
        lines = (r"(?:.*\n)*" if line == "..." else re.escape(line) + r"\n" for line in shown)
        assert re.fullmatch("".join(lines), printed), f"$ {command}\n{printed}"


def test_the_examples_are_what_the_built_in_market_makes(tmp_path: Path) -> None:
    """Byte for byte, and there is no other file: none is a copy of somebody's data."""
    folder = REPO / "docs" / "examples"
    subprocess.run([sys.executable, folder / "make.py", tmp_path], check=True, timeout=60)
    made = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert len(made) == 2
    there = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert there.keys() - {"README.md", "make.py"} == made.keys()
    assert made.items() <= there.items()


@pytest.mark.proc
def test_every_candle_of_the_example_is_the_exchanges(place: Place) -> None:
    """What the tour shows of one minute is so for each."""
    at = "--data-dir .candlewick/compared"
    place.run(f"candlewick replay docs/examples/kraken_trades_simulated.json --venue kraken {at}")
    told = place.run(f"candlewick export candles {at} --symbol BTC/USDT --format json")
    names = ("open", "high", "low", "close", "volume", "trades")
    found = [
        (row["open_time"][11:16], *(Decimal(row[name]) for name in names))
        for row in json.loads(told)
    ]
    text = (REPO / "docs" / "examples" / "kraken_ohlc_1m_simulated.json").read_text("ascii")
    (rows, _) = json.loads(text)["result"].values()
    theirs = [
        (f"14:{minute:02}", *(Decimal(row[column]) for column in (1, 2, 3, 4, 6, 7)))
        for minute, row in enumerate(rows)
    ]
    assert len(theirs) == 60
    assert found == theirs


@pytest.mark.proc
@pytest.mark.parametrize("block", named("sql"))
def test_every_query_works(block: Block, place: Place) -> None:
    with sqlite3.connect(place.folder / ".candlewick" / "candlewick.sqlite") as link:
        link.execute(block.text).fetchall()
    link.close()


@pytest.mark.proc
@pytest.mark.parametrize("block", named("python", page="websocket.md"))
def test_the_example_client_works(block: Block, place: Place) -> None:
    program = subprocess.run(
        [sys.executable, "-c", place.here(block.text)],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert "'final': False" in program.stdout


def shape(value: Any) -> Any:
    """Which keys are where; of a list, its first row."""
    if isinstance(value, dict):
        return {key: shape(one) for key, one in value.items()}
    return [shape(value[0])] if isinstance(value, list) and value else None


def agree(shown: Any, found: Any) -> bool:
    """The same keys, as far as both go: there may be no row at the moment."""
    if isinstance(shown, dict) and isinstance(found, dict):
        return shown.keys() == found.keys() and all(agree(shown[k], found[k]) for k in shown)
    if isinstance(shown, list) and isinstance(found, list):
        return agree(shown[0], found[0])
    return True


@pytest.mark.proc
def test_every_answer_has_the_shape_that_is_shown(place: Place) -> None:
    page = list(blocks(REPO / "docs" / "http-api.md"))
    compared = 0
    for asked, shown in pairwise(page):
        if shown.language == "json":
            path = re.search(rf"{PORT}(/[^' \n]*)", asked.text)
            assert path is not None, asked
            found = place.get(path[1])
            assert agree(shape(json.loads(shown.text)), shape(found)), path[1]
            compared += 1
    assert compared >= 8


@pytest.mark.proc
def test_every_frame_has_the_shape_that_is_shown(place: Place) -> None:
    page = blocks(REPO / "docs" / "websocket.md")
    shown = [json.loads(x) for b in page if b.language == "json" for x in b.text.splitlines()]
    asked = next(frame for frame in shown if frame.get("op") == "sub")

    def kind(frame: dict[str, Any]) -> str:
        return str(frame.get("op") or (frame.get("ch", "flat"), frame.get("t")))

    async def heard() -> dict[str, Any]:
        found: dict[str, Any] = {}
        async with connect(f"ws{place.address.removeprefix('http')}/ws") as socket:
            flat = json.loads(await socket.recv())
            found[kind(flat)] = flat
            for message in (asked, asked | {"ch": ["nope"]}):
                await socket.send(json.dumps(message))
            wanted = {kind(frame) for frame in shown} - {"sub"}
            wanted -= {kind(frame) for frame in shown if "signals" in frame.get("ch", "")}
            async with asyncio.timeout(40):
                while not wanted <= found.keys():
                    frame = json.loads(await socket.recv())
                    found[kind(frame)] = frame
        return found

    found = asyncio.run(heard())
    for frame in shown:
        if kind(frame) in found:
            one = found[kind(frame)]
            if "indicators" in frame.get("data", {}):
                assert set(frame["data"].pop("indicators")) <= set(one["data"].pop("indicators"))
            assert agree(shape(frame), shape(one)), frame
    assert found["ack"]["ch"] == asked["ch"]


@pytest.mark.parametrize("page", [*PAGES, REPO / "CHANGELOG.md"], ids=lambda page: page.name)
def test_every_link_leads_somewhere(page: Path) -> None:
    text = re.sub(r"```.*?```", "", page.read_text("utf-8"), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if not re.match(r"https?:", target):
            path, _, heading = target.partition("#")
            found = page.parent / path if path else page
            assert found.exists(), f"{page.name}: {target}"
            if heading:
                words = re.findall(r"^#+ (.+)$", found.read_text("utf-8"), re.MULTILINE)
                slugs = {re.sub(r"[^\w-]", "", w.lower().replace(" ", "-")) for w in words}
                assert heading in slugs, f"{page.name}: {target}"


def test_the_tree_in_the_readme_is_the_repositorys() -> None:
    tree = next(block for block in blocks(REPO / "README.md") if block.text.startswith(".\n"))
    above: list[str] = []
    named: set[str] = set()
    for line in tree.text.splitlines()[1:]:
        found = re.match(r"(?P<in>(?:│   |    )*)[├└]── (?P<name>\S+)", line)
        assert found is not None, line
        above = [*above[: len(found["in"]) // 4], found["name"].rstrip("/")]
        named.add("/".join(above))
    for path in named:
        assert (REPO / path).is_dir(), path
    rooms = (path.parent.name for path in (REPO / "src/candlewick").glob("*/__init__.py"))
    assert {f"src/candlewick/{room}" for room in rooms} <= named
    listed = subprocess.run(
        ["git", "ls-files"], cwd=REPO, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    tops = {path.partition("/")[0] for path in listed if "/" in path and not path.startswith(".")}
    assert tops <= {path.partition("/")[0] for path in named}


WORDS = {"str": "text", "int": "whole number", "float": "number", "Path": "path"}
WORDS |= {"bool": "true or false", "tuple[str, ...]": "list of text"}
WORDS |= {"tuple[Path, ...]": "list of paths"}


def test_every_setting_is_documented_with_its_type_and_default() -> None:
    page = (REPO / "docs" / "configuration.md").read_text("utf-8")
    rows = re.findall(r"^\| `([a-z_.]+)` \| ([^|]+) \| `([^|]+)` \| ([^|]+) \|$", page, re.M)
    told = {key: (type_, default) for key, type_, default, _ in rows}
    known = {key: (str(field.annotation), field) for key, field in keys(Settings)}
    assert told.keys() == known.keys()
    for key, (annotation, field) in known.items():
        type_, default = told[key]
        plain = json.loads(json.dumps(field.default, default=str))
        assert json.loads(default) == plain, key
        short = annotation.replace("<class '", "").replace("'>", "").replace("pathlib.", "")
        if "Literal" in annotation:
            words = re.findall(r"'([a-z-]+)'", annotation)
            assert all(f"`{word}`" in type_ for word in words), key
        else:
            assert type_.startswith(WORDS[short]), key


def commands(found: Any, name: str = "candlewick") -> Iterator[tuple[str, Any]]:
    for word, command in found.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, f"{name} {word}")
        else:
            yield f"{name} {word}", command


def test_every_command_and_option_is_documented() -> None:
    page = (REPO / "docs" / "cli.md").read_text("utf-8")
    told = re.findall(r"\*\*`(candlewick [a-z -]+)`\*\*", page)
    known = dict(commands(typer.main.get_command(app)))
    assert sorted(told) == sorted(known)
    for name, command in known.items():
        for parameter in command.params:
            long = [word for word in parameter.opts if word.startswith("--")]
            assert not long or long[0] == "--help" or f"{long[0]}" in page, f"{name} {long[0]}"


@pytest.mark.proc
def test_every_route_is_documented(place: Place) -> None:
    pages = "".join((REPO / "docs" / n).read_text("utf-8") for n in ("http-api.md", "websocket.md"))
    paths = set(place.get("/openapi.json")["paths"])
    paths |= {row.partition(" ")[2] for row in WHO if "/pages/" not in row}
    for path in paths - {"/{path:path}"}:
        assert path.replace(":path", "") in pages, path


def test_the_licence_is_mit() -> None:
    assert (REPO / "LICENSE").read_text("utf-8").startswith("MIT License")
    assert 'license = "MIT"' in (REPO / "pyproject.toml").read_text("utf-8")


def proofs() -> dict[str, list[str]]:
    """Requirement and what proves it, of the first table of docs/requirements.md."""
    page = (REPO / "docs" / "requirements.md").read_text("utf-8")
    works = page.partition("## Partly")[0]
    rows = re.findall(r"^\| ([A-Z]+-\d\d) \| [^|]+ \| ([^|]+) \|$", works, re.M)
    assert len({id_ for id_, _ in rows}) == len(rows)
    return {id_: re.findall(r"`([^`]+)`", proof) for id_, proof in rows}


def test_every_proof_of_a_requirement_exists(repo: Path) -> None:
    known = {name for name, _ in commands(typer.main.get_command(app))}
    told = proofs()
    assert len(told) > 60
    for id_, found in told.items():
        assert found, id_
        for proof in found:
            if proof.startswith("tests/"):
                path, _, name = proof.partition("::")
                tree = ast.parse((repo / path).read_text("utf-8"))
                defined = {n.name for n in ast.walk(tree) if hasattr(n, "name")}
                assert name in defined, f"{id_}: {proof}"
            else:
                named = any(proof.startswith(name) for name in known)
                assert named or proof in ("make run", "make test", "make check"), f"{id_}: {proof}"


def test_every_requirement_that_is_named_was_asked_for(shared_data: Path) -> None:
    asked = (shared_data.parent / "requirements.md").read_text("utf-8")
    page = (REPO / "docs" / "requirements.md").read_text("utf-8")
    for id_ in re.findall(r"^\| ([A-Z]+-\d\d) \|", page, re.M):
        assert f"**{id_}**" in asked, id_
