"""`config show`, `config check`, `config schema`: the settings and where they came from."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from candlewick.commands import terminal
from candlewick.commands.options import AsJson, ConfigFile, settings_of


def add_to(app: typer.Typer) -> None:
    """Put the commands of this file into the program."""
    config = typer.Typer(
        help="The settings and where they come from.", no_args_is_help=True, rich_markup_mode=None
    )
    config.command("show")(show)
    config.command("check")(check)
    config.command("schema")(schema)
    app.add_typer(config, name="config")


def show(
    config: ConfigFile = None,
    origin: Annotated[
        bool, typer.Option("--origin", help="Say where each value came from.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Every setting in force; secrets are ***."""
    rows = settings_of(config, {}).rows()
    if as_json and origin:
        terminal.print_json({key: {"value": value, "origin": o} for key, value, o in rows})
    elif as_json:
        terminal.print_json({key: value for key, value, _ in rows})
    else:
        shown = [[key, json.dumps(value, ensure_ascii=False), o] for key, value, o in rows]
        columns = ("key", "value", "origin") if origin else ("key", "value")
        terminal.print_table(columns, [row[: len(columns)] for row in shown])


def check(config: ConfigFile = None, as_json: AsJson = False) -> None:
    """Read the settings and say whether they hold; exit code 2 if not."""
    from candlewick.errors import UsageError

    try:
        settings = settings_of(config, {})
    except UsageError as error:
        if as_json:
            terminal.print_json({"ok": False, "problems": str(error).splitlines()})
        raise
    given = {o for o in settings.origins().values() if o != "default"}
    if as_json:
        terminal.print_json({"ok": True, "problems": [], "sources": sorted(given)})
    else:
        terminal.tell(f"the settings hold; read from {', '.join(sorted(given)) or 'the defaults'}")


def schema(as_json: AsJson = False) -> None:
    """The JSON Schema of candlewick.toml, for editors."""
    del as_json  # It is JSON anyway.
    from candlewick.config import Settings

    terminal.print_json(Settings.model_json_schema())
