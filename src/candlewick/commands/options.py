"""Options that several commands share, and how they become settings.

takes   what typer parsed
gives   `Settings`, read once
never   imports the settings' schema before a command runs: help does not need it
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from candlewick.config import Settings

ConfigFile = Annotated[
    Path | None,
    typer.Option("--config", "-c", metavar="FILE", help="Settings instead of ./candlewick.toml."),
]
DataDir = Annotated[
    Path | None,
    typer.Option("--data-dir", "-d", metavar="DIR", help="Where everything is stored."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON to stdout, nothing else.")]
Symbols = Annotated[
    list[str] | None,
    typer.Option("--symbol", "-s", metavar="SYMBOL", help="BTC/USDT, BTCUSDT or btc; repeatable."),
]
Venues = Annotated[
    list[str] | None,
    typer.Option("--venue", metavar="VENUE", help="binance, kraken; repeatable."),
]
Venue = Annotated[str | None, typer.Option("--venue", metavar="VENUE", help="binance or kraken.")]
Url = Annotated[
    str | None,
    typer.Option("--url", metavar="URL", help="The running instance, if not the one configured."),
]


def settings_of(config: Path | None, flags: Mapping[str, object]) -> Settings:
    """Settings with these flags on top, by dotted key; None and empty lists were not given.

    Raises:
        UsageError: as `Settings.load`.
    """
    from candlewick.config import Settings

    return Settings.load(
        config, {key: None if value == [] else value for key, value in flags.items()}
    )
