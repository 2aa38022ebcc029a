"""What the program says about itself: structlog over the standard library, to standard error.

takes   a level, and JSON or console
gives   one line an event, UTC, with secrets as `***`; other libraries' records in the same form
never   lets a value start a line of its own: control characters are escaped
"""

from __future__ import annotations

import logging
import os
import re
import sys
from collections.abc import Mapping
from typing import Any, TextIO, cast

import structlog
from structlog.typing import EventDict, Processor

_SECRET_KEY = re.compile(
    r"secret|token|passw|passphrase|api[_-]?key|authorization|cookie|credential|private[_-]?key",
    re.IGNORECASE,
)
# The same inside a text: an address with a token in its query, a header that was printed.
_SECRET_TEXT = re.compile(
    r"((?:secret|token|password|passphrase|api[_-]?key|signature)=|bearer\s+|basic\s+)"
    r"[^\s&;,'\"]+",
    re.IGNORECASE,
)
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_STARS = "***"
_DEPTH_MAX = 8
_QUIET = dict.fromkeys(
    ("uvicorn.access", "uvicorn.error", "httpx2", "httpcore2", "numba", "asyncio"), logging.WARNING
)


def configure_logging(
    level: str = "info", as_json: bool = False, out: TextIO | None = None
) -> None:
    """Set up both structlog and the standard library; the last call holds.

    Args:
        level: debug, info, warning or error.
        out: standard error if not given.
    """
    out = out or sys.stderr
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
        structlog.processors.format_exc_info,
        redact,
        one_line,
    ]
    if as_json:
        render: Processor = structlog.processors.JSONRenderer(ensure_ascii=False)
    else:
        colors = out.isatty() and not _no_color()
        render = structlog.dev.ConsoleRenderer(colors=colors, pad_event_to=0)
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, render],
    )
    to_out = logging.StreamHandler(out)
    to_out.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers = [to_out]
    root.setLevel(level.upper())
    for name, least in _QUIET.items():
        logging.getLogger(name).setLevel(max(least, root.level))
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.stdlib.PositionalArgumentsFormatter(),
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )


def redact(_logger: Any, _method: str, event: EventDict) -> EventDict:
    """Secrets as stars: by the name of their key, and where a text carries one."""
    return cast("EventDict", _redacted(event, 0))


def _redacted(value: object, depth: int) -> object:
    if isinstance(value, BaseException):
        value = f"{type(value).__name__}: {value}"
    if isinstance(value, str):
        return _SECRET_TEXT.sub(rf"\g<1>{_STARS}", value)
    if depth > _DEPTH_MAX:
        return "..."
    if isinstance(value, Mapping):
        return {
            key: _STARS
            if isinstance(key, str) and _SECRET_KEY.search(key)
            else _redacted(part, depth + 1)
            for key, part in value.items()
        }
    if isinstance(value, list | tuple):
        return [_redacted(part, depth + 1) for part in value]
    if isinstance(value, bytes):
        return _redacted(value.decode("utf-8", "backslashreplace"), depth)
    return value


def one_line(_logger: Any, _method: str, event: EventDict) -> EventDict:
    """Control characters as their escapes, in keys and values at any depth.

    A traceback of our own (`exception`, `stack`) keeps its lines, each behind a bar, so that no
    part of it can pass for an event.
    """
    lines = {
        key: "\n".join(f"  | {_escaped(line)}" for line in str(event.pop(key)).splitlines())
        for key in ("exception", "stack")
        if key in event
    }
    flat = cast("EventDict", _flat(event))
    flat.update(lines)
    return flat


def _flat(value: object) -> object:
    if isinstance(value, str):
        return _escaped(value)
    if isinstance(value, Mapping):
        return {_flat(key): _flat(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_flat(part) for part in value]
    return value


def _escaped(text: str) -> str:
    return _CONTROL.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def _no_color() -> bool:
    """https://no-color.org: set and not empty."""
    return bool(os.environ.get("NO_COLOR"))
