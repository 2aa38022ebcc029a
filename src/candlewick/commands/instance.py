"""`up`, `status`, `test-spike`: the running program."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from candlewick.commands import terminal
from candlewick.commands.options import (
    AsJson,
    ConfigFile,
    DataDir,
    Symbols,
    Url,
    Venues,
    settings_of,
)

_UP_S_MAX = 60.0  # The first start compiles the kernels.


def add_to(app: typer.Typer) -> None:
    """Put the commands of this file into the program."""
    app.command("up")(up)
    app.command("status")(status)
    app.command("test-spike")(spike)


def up(
    config: ConfigFile = None,
    data_dir: DataDir = None,
    source: Annotated[
        str | None,
        typer.Option(help="auto, live, built-in or tape.", metavar="SOURCE"),
    ] = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on.", metavar="HOST")] = None,
    port: Annotated[int | None, typer.Option(help="Port; 0 takes any.", metavar="PORT")] = None,
    symbol: Symbols = None,
    venue: Venues = None,
    tape: Annotated[
        list[Path] | None,
        typer.Option(help="A recording to play (--source tape); repeatable.", metavar="FILE"),
    ] = None,
    open_page: Annotated[
        bool, typer.Option("--open/--no-open", help="Open the page in a browser.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Run everything, with the page.  Ctrl-C stops it; twice stops it now."""
    settings = settings_of(
        config,
        {
            "data_dir": data_dir,
            "source": source or ("tape" if tape else None),
            "api.host": host,
            "api.port": port,
            "symbols": symbol,
            "venues": venue,
            "tape.files": tape,
        },
    )
    from candlewick.shell import instance
    from candlewick.shell.logging import configure_logging

    configure_logging(settings.log.level, settings.log.as_json)
    from candlewick.runs.up import run_up

    def tell(url: str, found: dict[str, object]) -> None:
        if as_json:
            names = ("version", "source", "source_reason")
            terminal.print_json({"url": url, **{name: found.get(name) for name in names}})
        else:
            reason = f" ({found['source_reason']})" if found.get("source_reason") else ""
            terminal.tell(f"Candlewick is up: {url}  source: {found.get('source')}{reason}")
            terminal.say("Ctrl-C stops it.")
        if open_page:
            typer.launch(url)

    instance.when_up(settings.data_dir, settings.api.host, settings.api.port, tell, _UP_S_MAX)
    terminal.end(run_up(settings))


def status(
    config: ConfigFile = None,
    data_dir: DataDir = None,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """What the running instance does.  Exit code 1 if none runs."""
    settings = settings_of(config, {"data_dir": data_dir})
    from candlewick.shell import instance

    where = url or instance.find_url(settings.data_dir, settings.api.host, settings.api.port)
    found = instance.ask_status(where)
    if found is None:
        if as_json:
            terminal.print_json({"running": False, "url": where})
        terminal.say(f"no instance answers at {where}; start one with `candlewick up`")
        terminal.end(terminal.PROBLEMS)
        return
    if as_json:
        terminal.print_json({"running": True, "url": where, **found})
        return
    terminal.tell(
        f"Candlewick {found.get('version')} at {where}, source {found.get('source')}, "
        f"since {found.get('started_at')}"
    )
    if found.get("source_reason"):
        terminal.tell(f"{found['source_reason']}")
    if found.get("store_failure"):
        terminal.tell(f"store: {found['store_failure']}")
    feeds: Any = found.get("feeds") or []
    names = ("venue", "state", "lag_ms", "age_ms", "reconnects", "frames", "peer_errors")
    terminal.print_table(names, [[feed.get(name) for name in names] for feed in feeds])


def spike(
    symbol: Annotated[
        str, typer.Option("--symbol", "-s", metavar="SYMBOL", help="Which market moves.")
    ],
    pct: Annotated[
        float, typer.Option("--pct", metavar="PCT", help="How far it moves, in per cent.")
    ] = 6.0,
    config: ConfigFile = None,
    data_dir: DataDir = None,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Make a price jump, to see the alert.  In the running instance, or without one offline."""
    settings = settings_of(config, {"data_dir": data_dir})
    from candlewick.errors import UsageError
    from candlewick.model.instruments import canonical
    from candlewick.shell import instance

    if not -90 <= pct <= 900 or pct == 0:
        raise UsageError(f"--pct is {pct}, expected -90 to 900, and not 0")
    wanted = canonical(symbol, settings.quote)
    where = url or instance.find_url(settings.data_dir, settings.api.host, settings.api.port)
    running = instance.ask_status(where)
    if running is not None:
        found = instance.ask_spike(where, settings.data_dir, wanted, pct)
    elif url is not None:
        raise UsageError(f"no instance answers at {url}; leave --url out to run it offline")
    else:
        from candlewick.shell.logging import configure_logging

        configure_logging(settings.log.level, settings.log.as_json)
        from candlewick.runs.spike import test_spike

        terminal.say(f"no instance runs; trying it offline in {settings.data_dir}")
        found = test_spike(settings, wanted, pct)
    if as_json:
        terminal.print_json(found)
        return
    for name, value in (found or {}).items():
        terminal.tell(f"{name}: {value}")
