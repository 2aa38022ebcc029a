"""`candlewick up`: everything in one process and one loop.

takes   the settings
gives   feeds into the pipeline, batches into the store, rows to the page, until it is stopped
never   loses a committed row: on Ctrl-C what has arrived is written, then the doors close
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Callable, Coroutine
from functools import partial
from pathlib import Path
from typing import Any

import structlog

from candlewick.config import Settings
from candlewick.errors import PeerError, UsageError
from candlewick.model.instruments import Instrument
from candlewick.model.outcome import Frame, Outcome
from candlewick.runs.opened import Opened, opened
from candlewick.runs.sources import Source, chosen, directory
from candlewick.runs.spike import checked, spike, told
from candlewick.shell import collector, instance
from candlewick.shell.api.app import create_app
from candlewick.shell.api.serve import listening
from candlewick.shell.budget import Backoff, Budget
from candlewick.shell.clock import now_ns
from candlewick.shell.database import StoreError
from candlewick.shell.history import End, History
from candlewick.shell.hub import Hub
from candlewick.shell.inbox import Inbox
from candlewick.shell.live import Live
from candlewick.shell.metrics import Metrics
from candlewick.shell.pace import Pace, Stopwatch
from candlewick.shell.reader import Reader
from candlewick.shell.rest import Rest
from candlewick.shell.runner import Runner, Timed
from candlewick.shell.session import Health, Session
from candlewick.shell.tape import Tape

log = structlog.get_logger(__name__)


def run_up(settings: Settings) -> int:
    """Run until stopped; gives the exit code.

    Raises:
        UsageError: a setting, the data directory or the address cannot be used.
        StoreError: the disk refused: what was committed stays, the program stops.
    """
    factory: Callable[[], asyncio.AbstractEventLoop] | None = None
    with contextlib.suppress(ImportError):
        import uvloop

        factory = uvloop.new_event_loop
    with asyncio.Runner(loop_factory=factory) as loop:
        try:
            loop.run(_up(settings))
        except BaseExceptionGroup as group:
            raise _first(group) from group
    return 0


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """The one that says what to do, else any."""
    flat = list(_flat(group))
    return next((one for one in flat if isinstance(one, UsageError | StoreError)), flat[0])


def _flat(group: BaseExceptionGroup[BaseException]) -> list[BaseException]:
    found: list[BaseException] = []
    for one in group.exceptions:
        found += _flat(one) if isinstance(one, BaseExceptionGroup) else [one]
    return found


async def _up(settings: Settings) -> None:
    async with chosen(settings) as source:
        data_dir = directory(settings, source)
        say = log.warning
        with (
            opened(settings, data_dir, say) as run,
            Reader(data_dir) as reader,
            collector.seldom(),
        ):
            await Program(settings, source, run, reader, data_dir).run()


class Program:
    """The parts of a running instance, wired."""

    def __init__(
        self, settings: Settings, source: Source, run: Opened, reader: Reader, data_dir: Path
    ) -> None:
        self.settings, self.source, self.run_, self.reader = settings, source, run, reader
        self.data_dir = data_dir
        self.instruments = run.pipeline.instruments
        self.inbox = Inbox()
        self.live = Live(self.instruments, now_ns(), run.pipeline.panel.names, settings.env)
        self.live.source, self.live.source_reason = source.kind, source.reason
        self.hub = Hub(self.instruments)
        self.metrics = Metrics(self.hub.fanout, self.live)
        self.sessions: dict[str, Session] = {}
        self.local_token = ""
        self.stopped = asyncio.Event()
        self.runner = Runner(
            self.inbox,
            self._compute,
            run.commit,
            self._tell,
            rows_max=settings.batch.rows_max,
            wait_s=settings.batch.wait_ms / 1e3,
        )

    async def run(self) -> None:
        """Serve first, so that the page is there while the first history is read."""
        self._recall()
        app = create_app(
            self.settings, self.reader, self.live, self.hub, self.instruments, self, self.metrics
        )
        loop = asyncio.get_running_loop()
        for name in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(name, self._on_signal)
        api = self.settings.api
        async with listening(app, api.host, api.port) as server:
            url = instance.url_of(api.host, server.port)
            self.local_token = instance.announce(self.settings.data_dir, url)
            log.info("up", url=url, source=self.source.kind, why=self.source.reason)
            try:
                await self._serve()
            finally:
                instance.forget(self.settings.data_dir)

    async def test_spike(self, symbol: str, pct: float) -> dict[str, Any]:
        """`Control` of the API: a made-up minute on the venue `test`."""
        checked(symbol, pct)
        outcome = await self.runner.call(lambda: spike(self.run_.pipeline, symbol, pct, now_ns()))
        return told(outcome, symbol, pct)

    async def _serve(self) -> None:
        """Work until somebody stops the program or a part of it fails; then close in order."""
        async with contextlib.AsyncExitStack() as stack:
            running = asyncio.create_task(self.runner.run(), name="runner")
            works = [asyncio.create_task(work) for work in await self._works(stack)]
            ended = asyncio.create_task(self.stopped.wait(), name="stop")
            failed = await _first_failure(ended, [running, *works])
            for task in (*works, ended):
                task.cancel()
            await asyncio.gather(*works, ended, return_exceptions=True)
            self.runner.stop()
            await running
            if failed is not None:
                raise failed
        self.run_.commit(Outcome(), self.run_.pipeline.open_candles())

    async def _works(self, stack: contextlib.AsyncExitStack) -> list[Coroutine[Any, Any, None]]:
        if self.source.kind == "tape":
            return [self._play()]
        feeds = self.settings.feeds
        budget = Budget(feeds.connections_max, feeds.connections_window_s)
        for feed, natives in self.source.feeds:
            rest = await stack.enter_async_context(Rest(feed.rest_url, self.source.calls_per_s_max))
            history = History(
                feed,
                rest,
                partial(self._instrument, feed.name),
                self._end,
                self.source.look_back_s,
                feeds.history_rows_max,
            )
            self.sessions[feed.name] = Session(
                feed=feed,
                natives=natives,
                inbox=self.inbox,
                rest=rest,
                history=history,
                budget=budget,
                backoff=Backoff(feeds.reconnect_s_min, feeds.reconnect_s_max),
                tell=partial(self._hear, feed.name),
                silence_s_max=min(feeds.silence_s_max, feed.silence_s_max),
            )
        return [session.run() for session in self.sessions.values()]

    async def _play(self) -> None:
        """A recording as the source, at its pace; the page stays when it has ended."""
        tape, venue = Tape(self.settings.tape.files), self.settings.venues[0]
        pace = Pace(self.settings.tape.speed)
        feed = self.live.feed(venue)
        feed.state = "live"
        for batch in tape.batches(pace.rows_max(self.settings.batch.rows_max)):
            await asyncio.sleep(pace.wait_s(batch.frames))
            await self.inbox.room()
            self.inbox.put(venue, batch.frames)
        await self.inbox.passed(venue)
        await self.runner.call(self._end_of_tape)
        feed.state, feed.reason = "ended", tape.damaged or "the tape has ended"

    def _end_of_tape(self) -> Outcome:
        """Holes that might have been disorder are listed; bars that stay open are kept as such."""
        outcome = self.run_.pipeline.flush()
        outcome.previews = self.run_.pipeline.open_candles()
        self.run_.commit(Outcome(), outcome.previews)
        return outcome

    def _compute(self, frames: dict[str, list[Frame]]) -> Outcome:
        for venue, arrived in frames.items():
            self.live.feed(venue).frames += len(arrived)
        return self.run_.pipeline.take(frames, previews=True)

    def _tell(self, timed: Timed) -> None:
        """On the loop, after the commit."""
        watch = Stopwatch()
        outcome, pipeline = timed.outcome, self.run_.pipeline
        self.live.apply(outcome, outcome.ticks)
        self.hub.publish(outcome, self.live)
        hops_s = {**timed.hops_s, "publish": watch.seconds()}
        self.metrics.batch(outcome, hops_s, now_ns())
        wants, pipeline.wants = pipeline.wants, []
        for venue, want in wants:
            if venue in self.sessions:
                self.sessions[venue].fetch(want)
        notices, pipeline.notices = pipeline.notices, []
        for venue, notice in notices:
            log.info("notice", venue=venue, kind=notice.kind, text=notice.text)

    def _recall(self) -> None:
        """What the restored states know, before the first frame."""
        ticks = self.run_.pipeline.ticks
        self.live.apply(
            Outcome(), {one.series: ticks.latest(one.series) for one in self.instruments}
        )

    def _instrument(self, venue: str, native: str) -> Instrument | None:
        try:
            return self.instruments.native(venue, native, (0, 0), admit=False)
        except PeerError:
            return None

    def _end(self, instrument: Instrument) -> End | None:
        newest = self.reader.trades(instrument.series, 1)
        return End(int(newest.id[0]), int(newest.at_ns[0])) if len(newest) else None

    def _hear(self, venue: str, health: Health) -> None:
        feed = self.live.feed(venue)
        feed.state, feed.reason, feed.reconnects = health

    def _on_signal(self) -> None:
        """Once: stop in order.  Twice: now."""
        if self.stopped.is_set():
            log.warning("stopped at once; the last batch may be missing")
            raise SystemExit(130)
        log.info("stopping")
        self.stopped.set()


async def _first_failure(
    ended: asyncio.Task[bool], works: list[asyncio.Task[None]]
) -> BaseException | None:
    """Wait for the stop or for the first work that fails; one that just ends is neither."""
    pending: set[asyncio.Task[Any]] = {ended, *works}
    while True:
        done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            if task is ended:
                return None
            if task.exception() is not None:
                return task.exception()
