"""The last room: every command of `candlewick`, and what an error looks like.

takes   the command line
gives   an exit code (see `commands/terminal.py`), results on stdout, words on stderr
never   shows a traceback for somebody else's mistake, or imports a room before a command needs it
"""

from __future__ import annotations

import sys

import typer

from candlewick.commands import checking, instance, replaying, settings, stored, terminal
from candlewick.errors import UsageError

app = typer.Typer(
    name="candlewick",
    help="Exchange feeds to candles, indicators, signals and anomalies, live in a browser.",
    epilog="Exit codes: 0 done, 1 problems found, 2 usage, 3 store, 130 interrupted.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for group in (instance, replaying, stored, checking, settings):
    group.add_to(app)


def main() -> None:
    """The entry point."""
    try:
        app(prog_name="candlewick")
    except UsageError as error:
        from candlewick.shell.database import StoreError

        terminal.say(f"candlewick: {error}")
        code = terminal.STORE if isinstance(error, StoreError) else terminal.USAGE
        sys.stdout.flush()
        raise SystemExit(code) from None


if __name__ == "__main__":
    main()
