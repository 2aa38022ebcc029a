"""Routes about the program itself: health, version, metrics, the API's own pages, one command.

takes   the live state, the metrics, the operator's `Control`
gives   small answers that need no store
never   says a reason for being unwell that only a stranger would want to know
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Protocol

import msgspec
from fastapi import Body, FastAPI, Request
from pydantic import BaseModel, Field
from starlette.responses import Response

from candlewick import __version__
from candlewick.errors import UsageError
from candlewick.shell.api.problems import RETRY_AFTER_S, Problem
from candlewick.shell.api.schema import Schema
from candlewick.shell.live import Live
from candlewick.shell.metrics import CONTENT_TYPE, Metrics

_PAGES = Path(__file__).parent / "pages"
_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
}


class Control(Protocol):
    """What the operator may ask of the running program.

    `local_token` is made anew at every start and written where only this user can read it; it is
    asked for at every call, and while it is empty nobody may.
    """

    local_token: str

    async def test_spike(self, symbol: str, pct: float) -> dict[str, Any]:
        """Make a market jump; gives what was done.  Raises UsageError where it cannot."""


class Spike(BaseModel):
    """A jump of `pct` per cent in `symbol`."""

    symbol: str = Field("BTC/USDT", max_length=60)
    pct: float = Field(6.0, ge=-90, le=900, allow_inf_nan=False)


class Health(msgspec.Struct, frozen=True):
    status: str
    version: str
    source: str
    reasons: list[str]


class Version(msgspec.Struct, frozen=True):
    name: str
    version: str
    env: str


class System:
    """The routes, and what they read from."""

    def __init__(self, live: Live, metrics: Metrics, control: Control, schema: Schema) -> None:
        self.live = live
        self.metrics = metrics
        self.control = control
        self.schema = schema
        self.pages = {
            path.name: path.read_bytes() for path in _PAGES.iterdir() if path.suffix in _TYPES
        }

    async def health(self) -> Response:
        """200 while the program can do its work, else 503 with the reasons."""
        return self._health(self.live.failures())

    async def readyz(self) -> Response:
        """As `/health`, and 503 until a feed has spoken."""
        reasons = self.live.failures()
        if not any(feed.state != "connecting" for feed in self.live.feeds.values()):
            reasons = [*reasons, "starting: no feed has answered yet"]
        return self._health(reasons)

    async def healthz(self) -> Response:
        """200 as long as the process answers at all."""
        return _json(Health("ok", __version__, self.live.source, []))

    def _health(self, reasons: list[str]) -> Response:
        body = Health("failing" if reasons else "ok", __version__, self.live.source, reasons)
        if not reasons:
            return _json(body)
        return _json(body, 503, {"Retry-After": str(RETRY_AFTER_S)})

    async def version(self) -> Response:
        """Name, version and environment."""
        return _json(Version("candlewick", __version__, self.live.env))

    async def prometheus(self) -> Response:
        """Prometheus metrics."""
        return Response(self.metrics.text(), headers={"Content-Type": CONTENT_TYPE})

    async def openapi(self, request: Request) -> Response:
        """This document."""
        return Response(self.schema.document(request.app), media_type="application/json")

    async def docs(self) -> Response:
        return self._page("docs.html")

    async def ws_test(self) -> Response:
        return self._page("ws-test.html")

    async def page(self, name: str) -> Response:
        return self._page(name)

    async def test_spike(self, asked: Annotated[Spike, Body()]) -> Response:
        """Let the built-in market jump, to see an alert come; for this machine's operator."""
        try:
            return _json(await self.control.test_spike(asked.symbol, asked.pct))
        except UsageError as error:
            raise Problem(409, "cannot_spike", str(error)) from None

    def _page(self, name: str) -> Response:
        body = self.pages.get(name)
        if body is None:
            raise Problem(404, "not_found", "there is no such page")
        headers = {"Cache-Control": "no-cache", "Content-Type": _TYPES[Path(name).suffix]}
        return Response(body, headers=headers)

    def install(self, app: FastAPI) -> None:
        def get(path: str, endpoint: Callable[..., Any], *, told: bool = True) -> None:
            app.add_api_route(
                path,
                endpoint,
                methods=["GET"],
                operation_id=endpoint.__name__,
                response_class=Response,
                tags=["system"],
                include_in_schema=told,
            )

        get("/health", self.health)
        get("/healthz", self.healthz)
        get("/readyz", self.readyz)
        get("/version", self.version)
        get("/metrics", self.prometheus)
        get("/openapi.json", self.openapi)
        get("/docs", self.docs)
        get("/pages/{name}", self.page, told=False)
        get("/ws/test", self.ws_test)
        app.add_api_route(
            "/api/v1/test-spike",
            self.test_spike,
            methods=["POST"],
            operation_id="test_spike",
            response_class=Response,
            tags=["operator"],
        )


def _json(row: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    told = {"Cache-Control": "no-store", **(headers or {})}
    return Response(msgspec.json.encode(row), status, told, "application/json")
