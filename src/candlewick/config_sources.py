"""The places that settings come from, each as `{dotted key: (value, origin)}`.

takes   a TOML file, the environment, flags; the known keys
gives   the values with their origin, and every complaint in one form
never   guesses: an unknown key is refused with the nearest known one
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypeAlias

import msgspec
from pydantic import SecretStr, ValidationError

from candlewick.errors import UsageError

Given: TypeAlias = dict[str, tuple[object, str]]
_FOUND_CHARS_MAX = 60


def from_toml(named: Path | None, usual: Path, known: Mapping[str, Any]) -> Given:
    """The keys of a TOML file; the usual one may be absent, a named one may not."""
    path = named or usual
    if named is None and not usual.is_file():
        return {}
    try:
        table = tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        raise UsageError(
            f"config: file {path} is not there; name an existing one or leave it out"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(
            f"config: file {path} cannot be read ({error}); expected UTF-8 TOML"
        ) from None
    except tomllib.TOMLDecodeError as error:
        raise UsageError(
            f"config: file {path} is not TOML: {error}; correct it there, then run "
            "`candlewick config check`"
        ) from None
    given: Given = {}
    for key, value in _flat(table, "", known):
        _refuse_unknown(key, str(path), known)
        if known[key].annotation is SecretStr:
            raise UsageError(
                f"config: {key!r} is a secret and stands in {path}; take it out and set the "
                f"variable CANDLEWICK__{key.upper().replace('.', '__')}"
            )
        given[key] = (value, str(path))
    return given


def from_environ(
    environ: Mapping[str, str], prefix: str, aliases: Mapping[str, str], known: Mapping[str, Any]
) -> Given:
    """The keys of variables `PREFIX` + `SECTION__KEY`; a list is JSON or has commas."""
    given: Given = {}
    for name in sorted(environ):
        key = aliases.get(name)
        if key is None and name.startswith(prefix):
            key = name.removeprefix(prefix).lower().replace("__", ".")
            _refuse_unknown(key, f"variable {name}", known)
        if key is not None:
            given[key] = (_listed(environ[name], name, known[key]), name)
    return given


def from_flags(flags: Mapping[str, object], known: Mapping[str, Any]) -> Given:
    """The flags that were given, by dotted key."""
    given: Given = {}
    for key, value in flags.items():
        if value is None:
            continue
        _refuse_unknown(key, "a flag", known)
        given[key] = (value, f"flag --{key.rpartition('.')[2].replace('_', '-')}")
    return given


def nested(given: Given) -> dict[str, Any]:
    """Dotted keys back to tables."""
    tables: dict[str, Any] = {}
    for key, (value, _) in given.items():
        *sections, last = key.split(".")
        table = tables
        for section in sections:
            table = table.setdefault(section, {})
        table[last] = value
    return tables


def problems(error: ValidationError, given: Given, known: Mapping[str, Any]) -> list[str]:
    """A line for each complaint: the key, what was found and where, what was expected."""
    lines = []
    for one in error.errors(include_url=False):
        key = _known_part(one["loc"], known)
        message = str(one["msg"]).removeprefix("Value error, ")
        message = message.replace("Input should be ", "expected ", 1)
        if key not in given:  # A rule between several keys of a section, or of all.
            lines.append(f"config: {key + ': ' if key else ''}{message}")
            continue
        value, origin = given[key]
        found = "***" if known[key].annotation is SecretStr else repr(value)[:_FOUND_CHARS_MAX]
        lines.append(f"config: {key!r} is {found} ({origin}): {message}")
    return lines


def _flat(
    table: Mapping[str, Any], prefix: str, known: Mapping[str, Any]
) -> Iterable[tuple[str, Any]]:
    for name, value in table.items():
        key = f"{prefix}{name}"
        is_section = any(other.startswith(f"{key}.") for other in known)
        if isinstance(value, dict) and key not in known and (is_section or value):
            yield from _flat(value, f"{key}.", known)
        elif not (is_section and isinstance(value, dict)):  # An empty section says nothing.
            yield key, value


def _refuse_unknown(key: str, origin: str, known: Mapping[str, Any]) -> None:
    if key in known:
        return
    inside = [other for other in known if other.startswith(f"{key}.")]
    if inside:
        raise UsageError(
            f"config: {key!r} ({origin}) is a section; expected a key of it: {', '.join(inside)}"
        )
    section = key.rpartition(".")[0]
    near = difflib.get_close_matches(key, known, n=1, cutoff=0.6) or [
        other for other in known if other.rpartition(".")[2] == key.rpartition(".")[2]
    ]
    if near:
        raise UsageError(f"config: unknown key {key!r}; did you mean {near[0]!r}? (in {origin})")
    beside = [k for k in known if k.rpartition(".")[0] == section] or sorted(
        {k.partition(".")[0] for k in known}
    )
    raise UsageError(
        f"config: unknown key {key!r}; expected one of: {', '.join(beside)} (in {origin})"
    )


def _listed(text: str, name: str, field: Any) -> object:
    """The text of a variable; for a list, JSON or comma-separated parts."""
    if getattr(field.annotation, "__origin__", None) is not tuple:
        return text
    if not text.lstrip().startswith("["):
        return [part.strip() for part in text.split(",") if part.strip()]
    try:
        return msgspec.json.decode(text, type=list[str])
    except msgspec.MsgspecError as error:
        raise UsageError(
            f"config: {name} is {text[:_FOUND_CHARS_MAX]!r}: expected a JSON list of texts "
            f"({error}), or parts with commas"
        ) from None


def _known_part(place: tuple[int | str, ...], known: Mapping[str, Any]) -> str:
    """The dotted key inside pydantic's place, which goes on into list positions and unions."""
    for end in range(len(place), 0, -1):
        key = ".".join(map(str, place[:end]))
        if key in known or any(other.startswith(f"{key}.") for other in known):
            return key
    return ""
