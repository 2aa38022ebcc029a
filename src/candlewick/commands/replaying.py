"""`replay`: recorded frames through the whole pipeline into a data directory."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from candlewick.commands import terminal
from candlewick.commands.options import AsJson, ConfigFile, DataDir, Symbols, settings_of


def add_to(app: typer.Typer) -> None:
    """Put the command into the program."""
    app.command("replay")(replay)


def replay(
    files: Annotated[
        list[str],
        typer.Argument(metavar="FILES...", help="Recordings in any form; - for stdin."),
    ],
    venue: Annotated[str, typer.Option("--venue", metavar="VENUE", help="Whose frames these are.")],
    config: ConfigFile = None,
    data_dir: DataDir = None,
    speed: Annotated[
        str | None, typer.Option(metavar="N|max", help="Times real time; max does not wait.")
    ] = None,
    symbol: Symbols = None,
    as_json: AsJson = False,
) -> None:
    """Replay recorded frames.  Exit code 1 if a file was damaged.

    The same recording again into the same directory changes nothing: its trades are duplicates.
    """
    settings = settings_of(config, {"data_dir": data_dir, "tape.speed": speed})
    from candlewick.model.instruments import canonical
    from candlewick.shell.logging import configure_logging

    configure_logging(settings.log.level, settings.log.as_json)
    from candlewick.runs.replay import run_replay

    wanted = tuple(canonical(one, settings.quote) for one in symbol or ())
    with terminal.progress("replay", not as_json) as step:
        found = run_replay(
            settings, [Path(name) for name in files], venue, settings.tape.speed, wanted, step
        )
    if as_json:
        terminal.print_json(found)
    else:
        terminal.print_table(("what", "how many"), [[k, _text(v)] for k, v in found.items()])
    if found.get("damaged"):
        terminal.say(f"candlewick: {found['damaged']}")
        terminal.end(terminal.PROBLEMS)


def _text(value: object) -> str:
    if isinstance(value, bool) or value is None:
        return "" if value is None else str(value).lower()
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:,.3f}" if isinstance(value, float) else str(value)
