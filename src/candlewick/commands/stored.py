"""`gaps`, `symbols`, `export`, `verify`, `db migrate`: what a data directory holds."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from candlewick.commands import terminal
from candlewick.commands.options import AsJson, ConfigFile, DataDir, Venue, settings_of

if TYPE_CHECKING:
    from candlewick.shell.reader import Reader

Symbol = Annotated[
    str | None, typer.Option("--symbol", "-s", metavar="SYMBOL", help="Only this market.")
]
_DATE_CHARS = len("2026-01-01")


def add_to(app: typer.Typer) -> None:
    """Put the commands of this file into the program."""
    app.command("gaps")(gaps)
    app.command("symbols")(symbols)
    app.command("export")(export)
    app.command("verify")(verify)
    db = typer.Typer(help="The store's schema.", no_args_is_help=True, rich_markup_mode=None)
    db.command("migrate")(migrate)
    app.add_typer(db, name="db")


def gaps(
    config: ConfigFile = None,
    data_dir: DataDir = None,
    symbol: Symbol = None,
    venue: Venue = None,
    kind: Annotated[str | None, typer.Option(metavar="KIND", help="trades, book or late.")] = None,
    unrepaired: Annotated[
        bool, typer.Option("--open", help="Only those that are not repaired.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Every hole in the data.  The gap ledger: what is missing, since when, how repaired."""
    settings = settings_of(config, {"data_dir": data_dir})
    import msgspec

    from candlewick.errors import UsageError
    from candlewick.model.columns import GAP_KINDS
    from candlewick.model.instruments import Instruments
    from candlewick.shell import shapes
    from candlewick.shell.reader import Reader

    if kind is not None and kind not in GAP_KINDS:
        raise UsageError(f"--kind is {kind!r}, expected one of {', '.join(GAP_KINDS)}")
    with Reader(settings.data_dir) as reader:
        instruments = Instruments()
        for instrument in reader.instruments():
            instruments.declare(instrument)
        series = reader.find(symbol, venue).series if symbol else None
        ledger = reader.gaps(series, kind, open_only=unrepaired)
    rows = [msgspec.to_builtins(row) for row in shapes.gap_rows(instruments, ledger)]
    rows = [row for row in rows if venue in (None, row["venue"])]
    if as_json:
        terminal.print_json(rows)
        return
    if not rows:
        terminal.say("no gaps")
        return
    names = tuple(rows[0])
    terminal.print_table(names, [[row[name] for name in names] for row in rows])


def symbols(
    config: ConfigFile = None,
    data_dir: DataDir = None,
    venue: Venue = None,
    as_json: AsJson = False,
) -> None:
    """The configured and the stored markets."""
    settings = settings_of(config, {"data_dir": data_dir})
    from candlewick import feeds
    from candlewick.shell import database
    from candlewick.shell.reader import Reader

    rows: dict[tuple[str, str], dict[str, Any]] = {}
    for name in settings.venues if venue is None else (venue,):
        feed = feeds.venue(name).FEED
        for symbol in feed.symbols(settings.symbols, settings.quote):
            rows[name, symbol] = {
                "venue": name,
                "symbol": symbol,
                "native": feed.native(symbol),
                "configured": True,
                "stored": False,
                "price_decimals": None,
                "size_decimals": None,
            }
    if database.file_of(settings.data_dir).is_file():
        with Reader(settings.data_dir) as reader:
            for one in reader.instruments():
                if venue in (None, one.venue):
                    known = rows.setdefault((one.venue, one.symbol), {"configured": False})
                    known |= {
                        "venue": one.venue,
                        "symbol": one.symbol,
                        "native": one.native,
                        "configured": known["configured"],
                        "stored": True,
                        "price_decimals": one.price_decimals,
                        "size_decimals": one.size_decimals,
                    }
    found = [rows[key] for key in sorted(rows)]
    if as_json:
        terminal.print_json(found)
        return
    terminal.print_table(
        ("venue", "symbol", "native", "configured", "stored"),
        [
            [row["venue"], row["symbol"], row["native"]]
            + ["yes" if row[name] else "no" for name in ("configured", "stored")]
            for row in found
        ],
    )


def export(
    what: Annotated[str, typer.Argument(metavar="WHAT", help="candles, trades or indicators.")],
    symbol: Annotated[str, typer.Option("--symbol", "-s", metavar="SYMBOL", help="Which market.")],
    config: ConfigFile = None,
    data_dir: DataDir = None,
    interval: Annotated[str, typer.Option(metavar="INTERVAL", help="1s to 1d.")] = "1m",
    form: Annotated[
        str | None, typer.Option("--format", metavar="FORMAT", help="csv, json or jsonl.")
    ] = None,
    venue: Venue = None,
    start: Annotated[
        str | None, typer.Option(metavar="TIME", help="From here on: RFC 3339 or a date, UTC.")
    ] = None,
    end: Annotated[
        str | None, typer.Option(metavar="TIME", help="Before this: RFC 3339 or a date, UTC.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A file instead of stdout.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Rows as CSV or JSON.  Exact decimals, RFC 3339 times, in the order of time."""
    settings = settings_of(config, {"data_dir": data_dir})
    from candlewick.model.time import interval_s
    from candlewick.shell.export import export as write
    from candlewick.shell.reader import Reader

    asked: dict[str, Any] = {
        "venue": venue,
        "interval_s": interval_s(interval),
        "fmt": form or ("json" if as_json and out is None else "csv"),
        "start_ns": _time_ns(start, "--start"),
        "end_ns": _time_ns(end, "--end"),
    }
    with Reader(settings.data_dir) as reader:
        if out is None:
            write(reader, what, symbol, sys.stdout, **asked)  # type: ignore[arg-type]
            return
        rows = _write_file(reader, what, symbol, out, asked)
    if as_json:
        terminal.print_json({"rows": rows, "file": str(out)})
    else:
        terminal.say(f"{rows:,} rows in {out}")


def _write_file(reader: Reader, what: str, symbol: str, out: Path, asked: dict[str, Any]) -> int:
    """Whole or not at all: written beside it, then moved into its place."""
    from candlewick.errors import UsageError
    from candlewick.shell.export import export as write

    part = out.with_name(f"{out.name}.part")
    done = False
    try:
        with part.open("w", encoding="utf-8", newline="") as file:
            rows = write(reader, what, symbol, file, **asked)  # type: ignore[arg-type]
        part.replace(out)
        done = True
    except OSError as error:
        raise UsageError(
            f"--out {out}: {error.strerror}; choose a file that can be written"
        ) from None
    finally:
        if not done:
            part.unlink(missing_ok=True)
    return rows


def _time_ns(text: str | None, option: str) -> int | None:
    from candlewick.errors import PeerError, UsageError
    from candlewick.model.time import from_rfc3339

    if text is None:
        return None
    try:
        return from_rfc3339(f"{text}T00:00:00Z" if len(text) == _DATE_CHARS else text)
    except PeerError:
        raise UsageError(
            f"{option} is {text!r}, expected a form like 2026-01-31 or 2026-01-31T12:00:00Z"
        ) from None


def verify(
    config: ConfigFile = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Check the stored rows.  Every promise about them; exit code 1 if one is broken."""
    settings = settings_of(config, {"data_dir": data_dir})
    from candlewick.shell.verify import verify as check

    with terminal.progress("verify", not as_json) as step:
        findings = check(
            settings.data_dir,
            lambda done, total: step({"read_bytes": done, "total_bytes": total}),
        )
    broken = [finding for finding in findings if not finding.ok]
    if as_json:
        fields = ("name", "claim", "ok", "checked", "violations", "examples")
        rows = [{name: getattr(finding, name) for name in fields} for finding in findings]
        terminal.print_json({"ok": not broken, "findings": rows})
    else:
        terminal.print_table(
            ("promise", "", "checked", "wrong"),
            [[f.claim, "ok" if f.ok else "BROKEN", f.checked, f.violations] for f in findings],
        )
        for finding in broken:
            for example in finding.examples:
                terminal.tell(f"  {finding.name}: {example}")
    terminal.end(terminal.PROBLEMS if broken else terminal.OK)


def migrate(
    config: ConfigFile = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Bring the store's schema up to this program's; again changes nothing."""
    settings = settings_of(config, {"data_dir": data_dir})
    from candlewick.shell import schema

    found, now = schema.migrate(settings.data_dir)
    if as_json:
        terminal.print_json({"from": found, "to": now})
    else:
        terminal.tell(f"schema {now}" + (f", was {found}" if found != now else ", nothing to do"))
