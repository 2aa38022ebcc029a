"""The settings in force and where they came from."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

Run = Callable[..., subprocess.CompletedProcess[str]]


def test_show_tells_where_each_value_came_from(run: Run, tmp_path: Path) -> None:
    (tmp_path / "candlewick.toml").write_text("[api]\nport = 9000\n")
    found = json.loads(run("config", "show", "--origin", "--json", CANDLEWICK__QUOTE="EUR").stdout)
    assert found["api.port"] == {"value": 9000, "origin": "candlewick.toml"}
    assert found["quote"] == {"value": "EUR", "origin": "CANDLEWICK__QUOTE"}
    assert found["api.host"] == {"value": "127.0.0.1", "origin": "default"}
    assert json.loads(run("config", "show", "--json").stdout)["api.port"] == 9000
    line = next(
        x for x in run("config", "show", "--origin").stdout.splitlines() if x.startswith("api.port")
    )
    assert line.split() == ["api.port", "9000", "candlewick.toml"]


def test_check_finds_a_mistyped_key_in_file_and_environment(run: Run, tmp_path: Path) -> None:
    assert "the defaults" in run("config", "check").stdout
    said = "config: unknown key 'api.prot'; did you mean 'api.port'?"
    assert said in run("config", "check", code=2, CANDLEWICK__API__PROT="1").stderr
    (tmp_path / "candlewick.toml").write_text("[api]\nprot = 1\n")
    answer = json.loads(run("config", "check", "--json", code=2).stdout)
    assert answer == {"ok": False, "problems": [f"{said} (in candlewick.toml)"]}


def test_the_schema_is_a_json_schema_that_forbids_unknown_keys(run: Run) -> None:
    found = json.loads(run("config", "schema").stdout)
    assert found["additionalProperties"] is False
    assert found["properties"]["env"]["enum"] == ["development", "production"]
