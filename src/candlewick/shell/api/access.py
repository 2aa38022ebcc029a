"""Who may call which route: one table, and the door that every route goes through.

takes   a route's method and path, the caller's address and headers
gives   nothing, or a `Problem`
never   lets a route exist without a row: the program does not start, and a test says so first

There are no accounts yet.  In development market data is open to whoever reaches the port; in
production the port may only be on a loopback address, and only loopback callers are answered.
"""

from __future__ import annotations

import ipaddress
import secrets
from collections.abc import Callable, Coroutine
from enum import Enum
from typing import Any

from fastapi.routing import APIRoute
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response

from candlewick.errors import UsageError
from candlewick.shell.api.problems import Problem

TOKEN_HEADER = "x-candlewick-local"  # noqa: S105 the name of a header


class Who(Enum):
    """Callers, from anybody to the operator on this machine."""

    ANYBODY = "health, version and the pages: nothing of the market, nothing secret"
    MARKET = "public market data: anybody in development, loopback callers in production"
    OPERATOR = "a loopback caller with this run's local token"


WHO: dict[str, Who] = {
    "GET /health": Who.ANYBODY,
    "GET /healthz": Who.ANYBODY,
    "GET /readyz": Who.ANYBODY,
    "GET /version": Who.ANYBODY,
    "GET /metrics": Who.MARKET,
    "GET /docs": Who.ANYBODY,
    "GET /openapi.json": Who.ANYBODY,
    "GET /pages/{name}": Who.ANYBODY,
    "GET /ws/test": Who.ANYBODY,
    "GET /api/v1/symbols": Who.MARKET,
    "GET /api/v1/status": Who.MARKET,
    "GET /api/v1/btc": Who.MARKET,
    "GET /api/v1/gaps": Who.MARKET,
    "GET /api/v1/history/{symbol:path}": Who.MARKET,
    "GET /api/v1/latest/{symbol:path}": Who.MARKET,
    "GET /api/v1/historical/{symbol:path}": Who.MARKET,
    "GET /api/v1/indicators/{symbol:path}": Who.MARKET,
    "GET /api/v1/signals/{symbol:path}": Who.MARKET,
    "GET /api/v1/alerts/{symbol:path}": Who.MARKET,
    "GET /latest": Who.MARKET,
    "GET /latest/{symbol:path}": Who.MARKET,
    "GET /historical": Who.MARKET,
    "GET /historical/{symbol:path}": Who.MARKET,
    "POST /api/v1/test-spike": Who.OPERATOR,
    "WS /ws": Who.MARKET,
    "WS /ws/prices/{symbol:path}": Who.MARKET,
    "GET /{path:path}": Who.ANYBODY,
}


def refuse_unsafe(env: str, host: str) -> None:
    """Raises UsageError: production on an address that others can reach."""
    if env == "production" and not is_loopback(host):
        raise UsageError(
            f"api.host is {host!r} in production, and there are no accounts yet: market data would "
            "be open to everybody; set api.host = '127.0.0.1' and put a proxy with its own login "
            "in front of it, or env = 'development'"
        )


def is_loopback(host: str) -> bool:
    """Whether an address is this machine's own.

    >>> is_loopback("127.0.0.1"), is_loopback("localhost"), is_loopback("0.0.0.0")
    (True, True, False)
    """
    if host == "localhost":
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return bool((mapped or address).is_loopback)


def admit(connection: HTTPConnection, who: Who) -> None:
    """Raises Problem: this caller may not."""
    local = connection.client is not None and is_loopback(connection.client.host)
    if who is Who.MARKET and connection.app.state.env == "production" and not local:
        raise Problem(403, "not_local", "in production only callers on this machine are answered")
    if who is Who.OPERATOR:
        given = connection.headers.get(TOKEN_HEADER, "")
        known = str(connection.app.state.control.local_token)
        # Compared as bytes: a header may hold any character, and the time must not tell where.
        same = secrets.compare_digest(given.encode(), known.encode())
        if not (local and known and same):
            raise Problem(
                403, "not_operator", "only this machine's operator may, with this run's local token"
            )


class GuardedRoute(APIRoute):
    """A route that asks the table first; without a row it cannot be made."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        answer = super().get_route_handler()
        (method,) = self.methods or {"GET"}
        who = WHO.get(f"{method} {self.path}")
        assert who is not None, f"{method} {self.path} has no row in access.WHO"

        async def guarded(request: Request) -> Response:
            admit(request, row)
            return await answer(request)

        row = who
        return guarded
