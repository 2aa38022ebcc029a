"""Around every request: who is addressed, from which page, how big, how many, how long it took.

takes   ASGI connections
gives   the same with security headers and counted; refused are a foreign Host (DNS rebinding), a
        foreign Origin on a WebSocket handshake, a body over `BODY_BYTES_MAX`, and the request
        after `REQUESTS_MAX` that run at once
never   looks at what is asked for: that is `access.py`
"""

from __future__ import annotations

import ipaddress
import re
import time
from collections.abc import Collection

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from candlewick.shell.api.headers import SECURITY_HEADERS
from candlewick.shell.api.problems import Problem, response
from candlewick.shell.metrics import Metrics

BODY_BYTES_MAX = 64 * 1024
REQUESTS_MAX = 256

_HOST = re.compile(r"(\[[0-9a-f:.]{2,45}\]|[a-z0-9.-]{1,253})(?::\d{1,5})?\Z", re.ASCII)


class Shield:
    """The one middleware.

    Args:
        hosts: names under which this server may be addressed, besides localhost and addresses.
        origins: pages of other servers that may open a WebSocket.
    """

    def __init__(
        self, app: ASGIApp, hosts: Collection[str], origins: Collection[str], metrics: Metrics
    ) -> None:
        self.app = app
        self.hosts = {"localhost", *(host.lower() for host in hosts)}
        self.origins = {origin.rstrip("/").lower() for origin in origins}
        self.metrics = metrics
        self.requests = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await self._http(scope, receive, send)
        elif scope["type"] == "websocket":
            await self._websocket(scope, receive, send)
        else:
            await self.app(scope, receive, send)

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        # HEAD is GET; the server leaves out the body, by its own copy of the scope.
        head = scope["method"] == "HEAD"
        inner = {**scope, "method": "GET"} if head else scope
        started_s, status = time.perf_counter(), 500

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                for name, value in SECURITY_HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        self.requests += 1
        try:
            refused = self._refused(inner)
            if refused is not None:
                await response(Request(inner), refused)(inner, receive, answer)
            else:
                await self._limited(inner, receive, answer)
        finally:
            self.requests -= 1
            seconds = time.perf_counter() - started_s
            self.metrics.request(scope["method"], _template(inner), status, seconds)

    async def _limited(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The application, with a body that ends at the limit."""
        left = BODY_BYTES_MAX

        async def taken() -> Message:
            nonlocal left
            message = await receive()
            if message["type"] == "http.request":
                left -= len(message.get("body", b""))
                if left < 0:
                    raise HTTPException(413)  # The one kind that FastAPI passes on.
            return message

        await self.app(scope, taken, send)

    def _refused(self, scope: Scope) -> Problem | None:
        headers = Headers(scope=scope)
        if not self._knows(headers.get("host", "")):
            return Problem(
                400, "unknown_host", "this server is not addressed by that Host; see api.origins"
            )
        size = headers.get("content-length", "0")
        if not (size.isascii() and size.isdigit()) or int(size) > BODY_BYTES_MAX:
            return _too_big()
        if self.requests > REQUESTS_MAX:
            return Problem(503, "busy", "too many requests at once", {"Retry-After": "1"})
        return None

    async def _websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope)
        host, origin = headers.get("host", ""), headers.get("origin")
        refused = None
        if not self._knows(host):
            refused = Problem(400, "unknown_host", "this server is not addressed by that Host")
        elif origin is not None and not self._welcome(origin, host):
            refused = Problem(403, "foreign_origin", "pages of that origin may not connect")
        if refused is None:
            await self.app(scope, receive, send)
            return
        denial = response(HTTPConnection(scope), refused)
        await receive()  # The handshake, which has to be read before it is answered.
        await denial(scope, receive, send)

    def _knows(self, host: str) -> bool:
        """Names from the list; a plain address cannot be rebound."""
        match = _HOST.match(host.lower())
        if match is None:
            return False
        name = match[1].strip("[]")
        if name in self.hosts:
            return True
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return False
        return True

    def _welcome(self, origin: str, host: str) -> bool:
        if origin.lower() in self.origins:
            return True
        scheme, _, rest = origin.partition("://")
        return scheme in ("http", "https") and rest.lower() == host.lower()


def _too_big() -> Problem:
    return Problem(413, "too_big", f"a request body has at most {BODY_BYTES_MAX} bytes")


def _template(scope: Scope) -> str:
    """The route's own path: the label must not grow with what callers invent."""
    path = getattr(scope.get("route"), "path", None)
    return path if isinstance(path, str) else "unmatched"
