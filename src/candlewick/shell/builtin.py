"""The built-in exchange: the seeded market on a loopback port, in Binance's and Kraken's words.

One port serves both venues: `/api/v3/*`, `/ws`, `/stream` are Binance's, `/0/public/*` and `/v2`
Kraken's.  A pump publishes, every 20 ms, the stretch of exchange time that has passed; nothing is
stored, so after a restart the same market goes on with the same trade ids.

takes   a seed, an activity, a clock
gives   `http_url`, `ws_url`; faults on demand (`cut`, `pause`)
never   publishes more than ten seconds at once: after a longer stall the rest is a hole for the
        clients to find and to repair by REST, as after a real exchange's outage
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter, deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Literal, Self

from candlewick.errors import UsageError
from candlewick.exchange import binance_frames, draws
from candlewick.exchange.answers import Answer, Closing, Window
from candlewick.exchange.binance_rest import BinanceRest
from candlewick.exchange.binance_session import BinanceSession, BinanceStreams
from candlewick.exchange.kraken_rest import KrakenRest
from candlewick.exchange.kraken_session import KrakenChannels, KrakenSession
from candlewick.exchange.market import MINUTE_NS, Market, binance_market, kraken_market
from candlewick.model.time import NS_PER_S
from candlewick.shell.builtin_wire import House, Link, Session, Target

TURN_S = 0.02
CATCH_UP_NS_MAX = 10 * NS_PER_S
CONNECTIONS_MAX, CONNECTIONS_WINDOW_NS = 300, 300 * NS_PER_S
QUEUE_BYTES_MAX = 4 * 1024 * 1024
STOP_S_MAX = 2.0
BINANCE_SHARE = 0.75


class BuiltinExchange:
    """A running exchange; an async context manager, or `start()` and `stop()`.

    Args:
        seed: of the market; the same seed, activity and clock give the same frames.
        trades_per_s: of both venues together, on average; three quarters are Binance's.
        port: 0 takes a free one, see `port` after the start.
        now_ns: the exchange's clock; it may run faster than the wall's.
        queue_bytes_max: unsent bytes at which a slow client is cut.
        weight_a_minute: Binance's REST limit.
    """

    def __init__(
        self,
        seed: int = 7,
        trades_per_s: float = 40.0,
        host: str = "127.0.0.1",
        port: int = 0,
        now_ns: Callable[[], int] = time.time_ns,
        queue_bytes_max: int = QUEUE_BYTES_MAX,
        weight_a_minute: int = binance_frames.WEIGHT_A_MINUTE,
    ) -> None:
        self.binance: Market = binance_market(seed, trades_per_s * BINANCE_SHARE)
        self.kraken: Market = kraken_market(seed, trades_per_s * (1.0 - BINANCE_SHARE))
        self.host, self.port = host, port
        self.counts: Counter[str] = Counter()
        self._now_ns, self._queue_bytes_max = now_ns, queue_bytes_max
        self._binance_rest = BinanceRest(self.binance, weight_a_minute)
        self._kraken_rest = KrakenRest(self.kraken)
        self._streams, self._channels = BinanceStreams(self.binance), KrakenChannels(self.kraken)
        self._listed = [(m, s.symbol) for m in (self.binance, self.kraken) for s in m.symbols]
        self._links: set[Link] = set()
        self._opened_ns: deque[int] = deque(maxlen=CONNECTIONS_MAX)
        self._published_ns, self._turns, self._paused = 0, 0, False
        self._server: asyncio.Server | None = None
        self._pump: asyncio.Task[None] | None = None
        self._clerk: ThreadPoolExecutor | None = None

    @property
    def http_url(self) -> str:
        """The base of the REST calls of both venues."""
        return f"http://{self.host}:{self.port}"

    @property
    def ws_url(self) -> str:
        """The base of the WebSocket paths of both venues."""
        return f"ws://{self.host}:{self.port}"

    @property
    def connections(self) -> int:
        """How many WebSocket connections are open."""
        return sum(link.is_open for link in self._links)

    async def start(self) -> None:
        """Listen and publish.

        Raises:
            UsageError: the port is taken.
        """
        loop = asyncio.get_running_loop()
        house = House(
            self._now_ns,
            self._answer,
            self._session,
            lambda: self._paused,
            self._links.discard,
            self._queue_bytes_max,
            self.counts,
        )

        def accept() -> Link:
            link = Link(house)
            self._links.add(link)
            return link

        try:
            self._server = await loop.create_server(accept, self.host, self.port)
        except OSError as error:
            raise UsageError(
                f"built-in exchange: cannot listen on {self.host}:{self.port} ({error.strerror}); "
                "set builtin.port = 0 for a free port"
            ) from error
        self.port = self._server.sockets[0].getsockname()[1]
        self._clerk = ThreadPoolExecutor(1, "builtin-exchange-rest")
        self._advance(Window(self._now_ns(), self._now_ns()))
        self._pump = loop.create_task(self._publish_for_ever())
        self._pump.add_done_callback(self._pump_ended)

    async def stop(self) -> None:
        """Close every connection and the port."""
        if self._pump is None or self._server is None or self._clerk is None:
            return
        self._pump.cancel()
        await asyncio.gather(self._pump, return_exceptions=True)
        self._server.close()
        for link in list(self._links):
            link.close(Closing(1001, "Going away"))
        until_s = time.monotonic() + STOP_S_MAX
        while self._links and time.monotonic() < until_s:
            await asyncio.sleep(0.001)
        for link in list(self._links):
            link.cut("reset")
        await self._server.wait_closed()
        self._clerk.shutdown(wait=True, cancel_futures=True)
        self._server = self._pump = self._clerk = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.stop()

    # Faults

    def cut(self, kind: Literal["fin", "reset"] = "fin") -> int:
        """Drop every WebSocket connection without a closing frame; how many there were."""
        open_links = [link for link in self._links if link.is_open]
        for link in open_links:
            link.cut(kind)
        self.counts["cut"] += len(open_links)
        return len(open_links)

    def pause(self) -> None:
        """Fall silent on every WebSocket: no frame, no heartbeat, no answer; REST goes on."""
        self._paused = True

    def resume(self) -> None:
        """Speak again, from now on: what happened in the silence was never sent."""
        self._paused = False

    # What the connections ask

    async def _answer(self, target: Target) -> Answer:
        """A REST call, worked out beside the loop: a thousand candles take most of a second."""
        assert self._clerk is not None
        rest = self._kraken_rest if target.path.startswith("/0/") else self._binance_rest
        self.counts["requests"] += 1
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._clerk, rest.answer, *target, self._now_ns())

    def _session(self, target: Target) -> Session | Answer:
        now_ns = self._now_ns()
        if target.path == "/v2":
            self.counts["connections"] += 1
            number = draws.key_of(now_ns, self.counts["connections"])
            return KrakenSession(self._channels, number, now_ns)
        if target.path != "/stream" and target.path.split("/")[1] != "ws":
            return Answer(404, b"")
        opened = self._opened_ns
        if len(opened) == CONNECTIONS_MAX and now_ns - opened[0] < CONNECTIONS_WINDOW_NS:
            return Answer(429, b"Too many connections")
        opened.append(now_ns)
        self.counts["connections"] += 1
        return BinanceSession(self._streams, target.path, target.query, now_ns)

    # The pump

    def _advance(self, window: Window) -> None:
        self._published_ns = window.to_ns
        self._streams.advance(window)
        self._channels.advance(window)

    async def _publish_for_ever(self) -> None:
        loop = asyncio.get_running_loop()
        next_s = loop.time()
        while True:
            next_s = max(next_s + TURN_S, loop.time())
            await asyncio.sleep(next_s - loop.time())
            self._turn()

    def _pump_ended(self, pump: asyncio.Task[None]) -> None:
        """The pump ends only when cancelled; anything else is a bug, told at once."""
        if not pump.cancelled() and pump.exception() is not None:
            what = {"message": "built-in exchange: the pump has stopped"}
            pump.get_loop().call_exception_handler(what | {"exception": pump.exception()})
            self.cut("reset")

    def _turn(self) -> None:
        """Publish what has happened since the last turn, and draw one block of what will."""
        now_ns = self._now_ns()
        if now_ns > self._published_ns:
            from_ns = max(self._published_ns, now_ns - CATCH_UP_NS_MAX)
            self.counts["skipped_ms"] += (from_ns - self._published_ns) // 1_000_000
            window = Window(from_ns, now_ns)
            self._advance(window)
            if not self._paused:
                self.counts["frames"] += sum(link.publish(window) for link in list(self._links))
        market, name = self._listed[self._turns % len(self._listed)]
        self._turns += 1
        market.prepare(name, now_ns + MINUTE_NS)
