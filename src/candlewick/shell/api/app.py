"""The one app: routes, errors, the shield around them, and the pulse of the fan-out.

takes   the settings and the parts of the running program
gives   an ASGI app for `serve.py`
never   starts in production on an address that others can reach
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit

from fastapi import FastAPI

from candlewick import __version__
from candlewick.config import Settings
from candlewick.model.instruments import Instruments
from candlewick.shell.api import problems
from candlewick.shell.api.access import GuardedRoute, refuse_unsafe
from candlewick.shell.api.dashboard import STATIC, Dashboard
from candlewick.shell.api.market import Market
from candlewick.shell.api.schema import Schema
from candlewick.shell.api.shield import Shield
from candlewick.shell.api.socket import Sockets
from candlewick.shell.api.system import Control, System
from candlewick.shell.hub import Hub
from candlewick.shell.live import Live
from candlewick.shell.metrics import Metrics
from candlewick.shell.reader import Reader

_ABOUT = """\
Prices and sizes are exact decimal text, `ts` is integer milliseconds, other times RFC 3339 in UTC.
Errors are `application/problem+json` with a `code` and a `trace_id`.  Live data: WebSocket `/ws`.
"""


def create_app(
    settings: Settings,
    reader: Reader,
    live: Live,
    hub: Hub,
    instruments: Instruments,
    control: Control,
    metrics: Metrics | None = None,
    *,
    static: Path = STATIC,
) -> FastAPI:
    """Put it together.

    Args:
        metrics: the registry that the program counts in; its own if it counts nothing else.
        static: the folder of the dashboard's build.

    Raises:
        UsageError: production on an address that others can reach.
    """
    assert live.instruments is instruments, "one registry a run"
    assert hub.instruments is instruments, "one registry a run"
    refuse_unsafe(settings.env, settings.api.host)
    metrics = Metrics(hub.fanout, live) if metrics is None else metrics
    schema = Schema()

    @contextlib.asynccontextmanager
    async def pulse(_app: FastAPI) -> AsyncIterator[None]:
        flushing = asyncio.create_task(hub.fanout.run(), name="fan-out")
        yield
        flushing.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await flushing

    app = FastAPI(
        title="Candlewick",
        version=__version__,
        description=_ABOUT,
        lifespan=pulse,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
    )
    app.router.route_class = GuardedRoute
    app.state.env = settings.env
    app.state.control = control
    app.state.fanout = hub.fanout
    hub.fanout.status = lambda: live.status(time.time_ns(), len(hub.fanout))
    problems.install(app)
    System(live, metrics, control, schema).install(app)
    intervals_s = settings.candles.intervals_s
    Market(reader, live, hub, intervals_s).install(app, schema)
    Sockets(hub, live, intervals_s).install(app)
    Dashboard(static).install(app)
    app.add_middleware(
        Shield, hosts=_hosts(settings), origins=settings.api.origins, metrics=metrics
    )
    return app


def _hosts(settings: Settings) -> set[str]:
    """The names that the settings give to this server."""
    names = {urlsplit(origin).hostname for origin in settings.api.origins}
    return {settings.api.host, *(name for name in names if name)}
