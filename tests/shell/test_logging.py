"""The log: one line an event, whatever a value holds, and no secret in it."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from candlewick.shell.logging import configure_logging

FORGED = "ok\r\n2026-01-01T00:00:00Z [error] forged\x1b[31m\u2028end\x00"


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    root = logging.getLogger()
    before = (root.handlers[:], root.level)
    yield
    root.handlers, level = before
    root.setLevel(level)
    structlog.reset_defaults()


@pytest.fixture(params=[False, True], ids=["console", "json"])
def as_json(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


def logged(as_json: bool, event: str = "event", level: str = "info", **values: object) -> str:
    out = io.StringIO()
    configure_logging(level, as_json, out)
    structlog.get_logger("candlewick.test").info(event, **values)
    return out.getvalue()


def test_an_event_is_one_line_whatever_its_values_hold(as_json: bool) -> None:
    text = logged(
        as_json,
        FORGED,
        flat=FORGED,
        nested={FORGED: [FORGED, {"a": (FORGED,)}]},
        raw=FORGED.encode(),
        error=ValueError(FORGED),
    )
    assert text.endswith("\n")
    assert len(text[:-1].splitlines()) == 1
    assert "\x1b" not in text
    assert text.count("forged") == 7


@pytest.mark.parametrize(
    "key",
    [
        "token",
        "local_token",
        "X-Api-Key",
        "apikey",
        "API_KEY",
        "password",
        "jwt_secret",
        "Cookie",
        "Authorization",
        "passphrase",
        "private_key",
    ],
)
def test_a_value_under_a_secret_key_is_stars_at_any_depth(as_json: bool, key: str) -> None:
    text = logged(as_json, **{key: "hunter2"}, deep={"a": [{key: {"b": "hunter2"}}]})
    assert "hunter2" not in text
    assert text.count("***") == 2


@pytest.mark.parametrize(
    "said",
    [
        "GET /ws?token=hunter2&x=kept",
        "Authorization: Bearer hunter2 kept",
        "retry with api_key=hunter2; kept",
        "signature=hunter2 kept",
    ],
)
def test_a_secret_inside_a_text_is_stars_and_the_rest_of_it_stays(as_json: bool, said: str) -> None:
    text = logged(as_json, said, url=said, error=ValueError(said))
    assert "hunter2" not in text
    assert text.count("kept") == 3


def test_a_value_that_holds_itself_does_not_run_for_ever(as_json: bool) -> None:
    endless: list[object] = []
    endless.append(endless)
    assert "..." in logged(as_json, endless=endless)


def test_a_line_of_json_has_event_level_logger_and_utc_time() -> None:
    found = json.loads(logged(True, "started", port=8080))
    assert found.pop("timestamp").endswith("Z")
    assert found == {
        "event": "started",
        "level": "info",
        "logger": "candlewick.test",
        "port": 8080,
    }


def test_records_of_other_libraries_take_the_same_way(as_json: bool) -> None:
    out = io.StringIO()
    configure_logging("info", as_json, out)
    logging.getLogger("uvicorn.error").warning("token=%s\n", "hunter2", extra={"password": "x1y2"})
    assert "hunter2" not in out.getvalue()
    assert "x1y2" not in out.getvalue()
    assert out.getvalue().count("\n") == 1


def test_events_below_the_level_are_not_written(as_json: bool) -> None:
    assert logged(as_json, level="warning") == ""
    assert logged(as_json, level="debug") != ""


def test_a_traceback_stays_readable_and_no_line_of_it_passes_for_an_event() -> None:
    out = io.StringIO()
    configure_logging("info", False, out)
    try:
        raise ValueError("2026-01-01T00:00:00Z [info] x\n2026-01-01T00:00:00Z forged token=hunter2")
    except ValueError:
        structlog.get_logger().exception("crashed")
    first, *rest = out.getvalue().splitlines()
    assert "crashed" in first
    assert len(rest) > 3
    assert all(line.startswith("  | ") for line in rest)
    assert "hunter2" not in out.getvalue()


def test_there_is_no_color_in_what_is_no_terminal(as_json: bool) -> None:
    assert "\x1b" not in logged(as_json, a=1)
