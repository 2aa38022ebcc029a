"""Where `up` gets its frames: the live venues, the built-in exchange, or a recording.

takes   the settings
gives   a `Source`: its kind, why it was chosen, and the feeds to connect to
never   mixes simulated and real trades in one data directory
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import structlog

from candlewick import feeds
from candlewick.config import Settings
from candlewick.errors import PeerError, UsageError
from candlewick.feeds.decoded import Feed
from candlewick.shell.builtin import BuiltinExchange
from candlewick.shell.rest import Rest

log = structlog.get_logger(__name__)

_MARK_NAME = "source"
_CALLS_PER_S_LIVE, _CALLS_PER_S_LOCAL = 1.0, 500.0
_WEIGHT_A_MINUTE = 1_000_000  # The demo fills hours of history at its start.
# A live venue weighs every page of history; the built-in one fills an hour in a second.
_LOOK_BACK_S_LIVE, _LOOK_BACK_S_LOCAL = 120.0, 3_600.0


@dataclass(frozen=True, slots=True)
class Source:
    """What `up` runs on.  `feeds` with their symbols' native names; none for a tape."""

    kind: str
    reason: str
    feeds: tuple[tuple[Feed, tuple[str, ...]], ...]
    calls_per_s_max: float
    look_back_s: float

    @property
    def simulated(self) -> bool:
        return self.kind == "built-in"


def directory(settings: Settings, source: Source) -> Path:
    """The data directory for this kind of trades: its own part where the other kind is there."""
    kind = "simulated" if source.simulated else "real"
    root = settings.data_dir
    root.mkdir(parents=True, exist_ok=True)
    mark = root / _MARK_NAME
    held = mark.read_text("ascii").strip() if mark.exists() else ""
    if not held and not (root / "candlewick.sqlite").exists():
        mark.write_text(kind, "ascii")
        held = kind
    if (held or "real") == kind:
        return root
    log.warning("the data directory holds other trades", holds=held or "real", using=kind)
    return root / kind


@asynccontextmanager
async def chosen(settings: Settings) -> AsyncIterator[Source]:
    """The source that the settings ask for, running while the block does."""
    kind, reason = str(settings.source), "asked for"
    if kind == "auto":
        first = feeds.venue(settings.venues[0]).FEED
        kind, reason = await probe(*_wanted(first, settings), settings.auto_wait_s)
    if kind == "tape":
        yield Source("tape", reason, (), 1.0, 0.0)
    elif kind == "live":
        found = tuple(_wanted(feeds.venue(name).FEED, settings) for name in settings.venues)
        yield Source("live", reason, found, _CALLS_PER_S_LIVE, _LOOK_BACK_S_LIVE)
    else:
        async with _builtin(settings) as source:
            yield replace(source, reason=reason)


async def probe(feed: Feed, natives: Sequence[str], wait_s: float) -> tuple[str, str]:
    """`live` if the venue lists a market in time, else `built-in`; and the reason in words."""
    try:
        async with asyncio.timeout(wait_s), Rest(feed.rest_url, 1.0) as rest:
            await rest.get(feed.instruments_path(natives[:1]))
    except (TimeoutError, PeerError):
        return "built-in", f"{feed.name} did not answer within {wait_s:g} s: simulated market"
    return "live", f"{feed.name} answers"


def _wanted(feed: Feed, settings: Settings) -> tuple[Feed, tuple[str, ...]]:
    """A venue and its own names for the symbols."""
    return feed, tuple(map(feed.native, feed.symbols(settings.symbols, settings.quote)))


@asynccontextmanager
async def _builtin(settings: Settings) -> AsyncIterator[Source]:
    builtin = settings.builtin
    exchange = BuiltinExchange(
        builtin.seed,
        builtin.trades_per_s,
        builtin.host,
        builtin.port,
        weight_a_minute=_WEIGHT_A_MINUTE,
    )
    async with exchange:
        yield of_exchange(settings, exchange, "")


def of_exchange(settings: Settings, exchange: BuiltinExchange, reason: str) -> Source:
    """A running built-in exchange as the source, each venue with the symbols that it lists.

    Raises:
        UsageError: a venue that it does not speak.
    """
    markets = {"binance": exchange.binance, "kraken": exchange.kraken}
    paths = {"binance": "", "kraken": "/v2"}
    found = []
    for name in settings.venues:
        if name not in markets:
            raise UsageError(
                f"the built-in exchange does not speak {name!r}; it speaks {', '.join(markets)}"
            )
        feed, natives = _wanted(feeds.venue(name).FEED, settings)
        names = {one.instrument.native for one in markets[name].symbols}
        local = replace(feed, ws_url=exchange.ws_url + paths[name], rest_url=exchange.http_url)
        found.append((local, tuple(native for native in natives if native in names)))
    return Source("built-in", reason, tuple(found), _CALLS_PER_S_LOCAL, _LOOK_BACK_S_LOCAL)
