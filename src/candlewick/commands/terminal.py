"""How commands speak: results to stdout, everything else to stderr, exit codes that stay.

takes   rows and objects
gives   JSON for programs, a table for people, plain aligned text where stdout is no terminal
never   colours with NO_COLOR or into a pipe, or draws a progress bar where nobody looks

Exit codes: 0 done; 1 problems were found (`verify`, `doctor`, a damaged tape, no instance runs);
2 a wrong setting, argument or data directory; 3 the store's disk or file; 130 interrupted.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import typer

OK, PROBLEMS, USAGE, STORE = 0, 1, 2, 3
Progress = Callable[[Mapping[str, object]], None]


def print_json(found: object) -> None:
    """One JSON value on stdout, indented: stable, exact, UTF-8."""
    sys.stdout.write(json.dumps(found, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def say(text: str) -> None:
    """A line for people, on stderr."""
    typer.echo(text, err=True)


def tell(text: str) -> None:
    """A line of the result, on stdout."""
    typer.echo(text)


def end(code: int) -> None:
    """Leave the command with a code other than 0."""
    if code:
        raise typer.Exit(code)


def print_table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Rows for people: a table on a terminal, aligned text elsewhere; None is empty."""
    cells = [["" if cell is None else str(cell) for cell in row] for row in rows]
    if sys.stdout.isatty():
        from rich.console import Console
        from rich.table import Table
        from rich.text import Text

        table = Table(box=None, header_style="bold", pad_edge=False)
        for column in columns:
            table.add_column(column, overflow="fold")
        for row in cells:
            table.add_row(*map(Text, row))
        Console().print(table)
        return
    widths = [max(map(len, column)) for column in zip(columns, *cells, strict=True)]
    for row in [list(columns), *cells]:
        tell("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


@contextmanager
def progress(what: str, shown: bool = True) -> Iterator[Progress]:
    """A bar on stderr that takes `{"read_bytes": .., "total_bytes": .., "frames": ..}`.

    Without a terminal, or not `shown`, the steps are taken and nothing is drawn.
    """
    if not (shown and sys.stderr.isatty()):
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[note]}"),
        console=Console(stderr=True),
        transient=True,
    ) as bar:
        task = bar.add_task(what, total=None, note="")

        def step(now: Mapping[str, object]) -> None:
            note = ", ".join(f"{now[key]:,} {key}" for key in ("frames", "trades") if key in now)
            done, total = now.get("read_bytes"), now.get("total_bytes")
            bar.update(
                task,
                completed=done if isinstance(done, int) else None,
                total=total if isinstance(total, int) and total else None,
                note=note,
            )

        yield step
