"""REST calls to a venue: paced, bounded, and obedient.

takes   a base address and paths that begin with `/`
gives   the body of a 200; everything else is a `PeerError`
never   calls faster than `calls_per_s_max`, hammers a venue that said 429 or 418 (it waits for
        `Retry-After`, at most `retry_s_max`), or reads a body beyond `FRAME_BYTES_MAX`
"""

from __future__ import annotations

import asyncio
import time

import httpx2

from candlewick.errors import PeerError
from candlewick.feeds.decoded import FRAME_BYTES_MAX

_TRIES_MAX = 5
_RETRY_S_MAX = 120.0
_TIMEOUT_S = 10.0


class Rest:
    """One venue's REST side; use as an async context manager."""

    def __init__(self, base_url: str, calls_per_s_max: float) -> None:
        self._client = httpx2.AsyncClient(base_url=base_url, timeout=_TIMEOUT_S, trust_env=False)
        self._step_s = 1.0 / calls_per_s_max
        self._next_s = 0.0

    async def __aenter__(self) -> Rest:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.aclose()

    async def get(self, path: str) -> bytes:
        """The body of `path`.

        Raises:
            PeerError: no usable answer after `_TRIES_MAX` tries.
        """
        reason, told = "", ""
        for attempt in range(_TRIES_MAX):
            await self._pace()
            try:
                answer = await self._client.get(path)
            except httpx2.HTTPError as error:
                reason, told = "unreachable", f"{type(error).__name__}: {error}"
                await asyncio.sleep(min(0.2 * 2.0**attempt, 5.0))
                continue
            if answer.status_code == 200 and len(answer.content) <= FRAME_BYTES_MAX:
                return answer.content
            reason, told = f"http_{answer.status_code}", answer.text[:200]
            if answer.status_code in (418, 429):
                await asyncio.sleep(_retry_s(answer.headers.get("Retry-After")))
            elif answer.status_code < 500:
                break
            else:
                await asyncio.sleep(min(0.2 * 2.0**attempt, 5.0))
        raise PeerError(reason, f"GET {path.partition('?')[0]}: {reason} {told!r}")

    async def _pace(self) -> None:
        now_s = time.monotonic()
        start_s = max(now_s, self._next_s)
        self._next_s = start_s + self._step_s
        await asyncio.sleep(start_s - now_s)


def _retry_s(header: str | None) -> float:
    """`Retry-After` in seconds; a venue that says nothing usable gets a second's rest."""
    wait_s = float(header) if header and header.isascii() and header.isdigit() else 1.0
    return min(wait_s, _RETRY_S_MAX)
