"""`doctor`, `bench`, `version`: the installation itself."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from candlewick.commands import terminal
from candlewick.commands.options import AsJson, ConfigFile, DataDir, settings_of


def add_to(app: typer.Typer) -> None:
    """Put the commands of this file into the program."""
    app.command("doctor")(doctor)
    app.command("bench")(bench)
    app.command("version")(version)


def doctor(
    config: ConfigFile = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Check the installation.  Hop by hop; exit code 1 if something is wrong."""
    from candlewick.errors import UsageError
    from candlewick.shell.checkup import Hop, checkup

    hops: list[Hop] = []
    try:
        settings = settings_of(config, {"data_dir": data_dir})
        hops.append(Hop("settings", "ok", f"{len(settings.symbols)} symbols, no unknown key"))
    except UsageError as error:
        hops.append(Hop("settings", "bad", str(error), "correct it; the rest was not checked"))
    else:
        hops += checkup(settings)
    bad = any(hop.state == "bad" for hop in hops)
    if as_json:
        terminal.print_json({"ok": not bad, "hops": [hop._asdict() for hop in hops]})
    else:
        marks = {"ok": "ok", "note": "note", "bad": "BAD"}
        terminal.print_table(
            ("hop", "", "found", "to do"),
            [[hop.name, marks[hop.state], hop.found, hop.advice] for hop in hops],
        )
    terminal.end(terminal.PROBLEMS if bad else terminal.OK)


def bench(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[NAMES...]", help="Which ones; all if none.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the results here too.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Measure.  Every number beside a yardstick taken in the same run."""
    import subprocess

    import candlewick
    from candlewick.errors import UsageError

    checkout = Path(candlewick.__file__).resolve().parents[2]
    if not (checkout / "bench" / "__main__.py").is_file():
        raise UsageError(
            "bench needs a source checkout (its folder bench/ is not in the package); "
            "clone the repository, then run `make bench`"
        )
    command = [sys.executable, "-m", "bench", *(names or [])]
    command += ["--out", str(out.absolute())] if out else []
    command += ["--json"] if as_json else []
    terminal.end(subprocess.run(command, cwd=checkout, check=False).returncode)  # noqa: S603 ours


def version(as_json: AsJson = False) -> None:
    """Which Candlewick, which Python."""
    import platform

    from candlewick import __version__

    found = {
        "candlewick": __version__,
        "python": platform.python_version(),
        "implementation": platform.python_implementation(),
        "platform": platform.platform(),
    }
    if as_json:
        terminal.print_json(found)
    else:
        terminal.tell(f"candlewick {__version__} (Python {found['python']}, {found['platform']})")
