"""Market data over HTTP: thin routes, stored rows read in a thread, bytes written by msgspec.

takes   a symbol in any spelling, an interval, a span, a page
gives   the rows of `shapes.py`, with `X-Query-Time-Ms`
never   blocks the loop, sums what is not there, or answers an unknown symbol with an empty list
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Annotated, Any, Generic, TypeVar

import anyio
import anyio.to_thread
import msgspec
import numpy as np
from fastapi import FastAPI, Query
from starlette.responses import Response

from candlewick.model.columns import Gaps
from candlewick.model.instruments import Instrument
from candlewick.model.time import NS_PER_MS, NS_PER_S, to_rfc3339
from candlewick.shell import shapes
from candlewick.shell.api import questions
from candlewick.shell.api.problems import Problem
from candlewick.shell.api.schema import Schema
from candlewick.shell.hub import Hub
from candlewick.shell.live import Live
from candlewick.shell.reader import Reader

READS_MAX = 4  # Threads that may wait for the store at once.
TRADES_MAX = 100

Found = TypeVar("Found")
Row = TypeVar("Row")


class Rows(msgspec.Struct, Generic[Row], frozen=True):
    """Rows without pages."""

    data: list[Row]


class Page(msgspec.Struct, Generic[Row], frozen=True):
    """Rows, and the cursor of the page after them."""

    data: list[Row]
    next: str | None
    has_more: bool


class Market:
    """The routes, and what they read from."""

    def __init__(self, reader: Reader, live: Live, hub: Hub, intervals_s: tuple[int, ...]) -> None:
        self.reader = reader
        self.live = live
        self.hub = hub
        self.instruments = live.instruments
        self.intervals_s = intervals_s
        self._turns = anyio.CapacityLimiter(READS_MAX)

    async def _read(self, question: Callable[[], Found]) -> tuple[Found, float]:
        """An answer of the store and the milliseconds that it took, waiting included."""
        started_s = time.perf_counter()
        found = await anyio.to_thread.run_sync(question, limiter=self._turns)
        return found, (time.perf_counter() - started_s) * 1e3

    async def symbols(self) -> Response:
        """Every market that this program follows."""
        return _answer(Rows([self.live.symbol_row(one) for one in self.instruments]), 0.0)

    async def status(self) -> Response:
        """Source, feeds, their lag and age."""
        return _answer(self.live.status(time.time_ns(), len(self.hub.fanout)), 0.0)

    async def btc(self) -> Response:
        """The newest BTC price, the mean of its last 20 trades, and what they recommend."""
        found = self.instruments.find("BTC")
        return _answer(self.live.recommendation(found[0] if found else None), 0.0)

    async def history(
        self, symbol: questions.Symbol, asked: Annotated[questions.OfVenue, Query()]
    ) -> Response:
        """The last 100 market trades, newest first."""
        of = self._market(symbol, asked.venue)
        rows, ms = await self._read(
            lambda: shapes.trade_rows(
                self.instruments, self.reader.trades(of.series, limit=TRADES_MAX)
            )
        )
        return _answer(rows, ms)

    async def latest(
        self, symbol: questions.Symbol, asked: Annotated[questions.OneCandle, Query()]
    ) -> Response:
        """The open candle, or the newest closed one where none is open."""
        of, interval_s = self._market(symbol, asked.venue), self._seconds(asked.interval)
        candle = self.live.candles.get((of.series, interval_s))
        ms, row = 0.0, None if candle is None else candle.row
        if row is None:
            stored, ms = await self._read(lambda: self.reader.last_candle(of.series, interval_s))
            row = next(shapes.tuples(stored), None)
        if row is None:
            told = f"no {asked.interval} candle of {of.venue} {of.symbol} yet"
            raise Problem(404, "no_candle", told)
        return _answer(_latest(of, row), ms)

    async def latest_asked(self, asked: Annotated[questions.OneCandleOf, Query()]) -> Response:
        """The open candle of `symbol`; the form of earlier systems."""
        return await self.latest(asked.symbol, asked)

    async def historical(
        self, symbol: questions.Symbol, asked: Annotated[questions.Span, Query()]
    ) -> Response:
        """Stored candles by open time, the oldest first unless asked otherwise."""
        place = self._place(symbol, asked)
        return _answer(*await self._read(lambda: self._candle_page(place)))

    async def historical_asked(self, asked: Annotated[questions.SpanOf, Query()]) -> Response:
        """Stored candles of `symbol`; the form of earlier systems."""
        return await self.historical(asked.symbol, asked)

    async def indicators(
        self, symbol: questions.Symbol, asked: Annotated[questions.IndicatorSpan, Query()]
    ) -> Response:
        """Indicators of closed candles, the newest first unless asked otherwise."""
        place, names = self._place(symbol, asked), self._names(asked.names)
        return _answer(*await self._read(lambda: self._indicator_page(place, names)))

    def _candle_page(self, at: questions.Place) -> Page[shapes.CandleRow]:
        candles = self.reader.candles(
            at.of.series, at.interval_s, at.start_ns, at.end_ns, at.limit + 1,
            descending=at.descending, after=at.after_ns,
        )  # fmt: skip
        rows = shapes.candle_rows(self.instruments, candles.take(slice(at.limit)))
        return _page(rows, at, candles.open_ns.tolist())

    def _indicator_page(self, at: questions.Place, names: list[str]) -> Page[shapes.IndicatorRow]:
        bars = self.reader.indicators(
            at.of.series, at.interval_s, names, at.start_ns, at.end_ns, at.limit + 1,
            descending=at.descending, after=at.after_ns,
        )  # fmt: skip
        rows = [
            shapes.IndicatorRow(to_rfc3339(bar.open_ns), bar.open_ns // NS_PER_MS, bar.values)
            for bar in bars[: at.limit]
        ]
        return _page(rows, at, [bar.open_ns for bar in bars])

    async def signals(
        self, symbol: questions.Symbol, asked: Annotated[questions.SomeRows, Query()]
    ) -> Response:
        """Changes of the recommendation over trades, newest first, with the reason."""
        of = self._market(symbol, asked.venue)
        rows, ms = await self._read(
            lambda: shapes.signal_rows(
                self.instruments, self.reader.signals(of.series, asked.limit)
            )
        )
        return _answer(Rows(rows), ms)

    async def alerts(
        self, symbol: questions.Symbol, asked: Annotated[questions.SomeRows, Query()]
    ) -> Response:
        """Anomalies of a symbol, at every venue unless told, newest first, with the reason."""
        found = questions.markets(self.instruments, symbol, asked.venue)

        def alerts() -> list[shapes.AlertRow]:
            rows = [row for of in found for row in self.reader.anomalies(of.series, asked.limit)]
            rows.sort(key=lambda row: row.open_ns, reverse=True)
            return shapes.alert_rows(self.instruments, [r._asdict() for r in rows[: asked.limit]])

        rows, ms = await self._read(alerts)
        return _answer(Rows(rows), ms)

    async def gaps(self, asked: Annotated[questions.SomeGaps, Query()]) -> Response:
        """The gap ledger, the hole seen last first."""
        wanted = {one.series for one in self._wanted(asked.symbol, asked.venue)}
        rows, ms = await self._read(lambda: self._ledger(wanted, asked.limit))
        return _answer(Rows(rows), ms)

    def _ledger(self, wanted: set[int], limit: int) -> list[shapes.GapRow]:
        """At most `limit` rows of each of the series, so that none of the newest is missed."""
        parts = [self.reader.gaps(series, limit=limit) for series in sorted(wanted)]
        gaps = Gaps.concat(parts)
        newest = np.argsort(-gaps.seen_ns, kind="stable")[:limit]
        return shapes.gap_rows(self.instruments, gaps.take(newest))

    def _wanted(self, symbol: str | None, venue: str | None) -> list[Instrument]:
        if symbol is not None:
            return questions.markets(self.instruments, symbol, venue)
        found = [one for one in self.instruments if venue in (None, one.venue)]
        if venue is not None and not found:
            venues = sorted({one.venue for one in self.instruments})
            words = ", ".join(venues) or "none yet"
            raise Problem(404, "unknown_venue", f"no venue {venue[:40]!r}; known are {words}")
        return found

    def _market(self, symbol: str, venue: str | None) -> Instrument:
        return questions.market(self.instruments, symbol, venue)

    def _place(self, symbol: str, asked: questions.Span) -> questions.Place:
        of = self._market(symbol, asked.venue)
        return questions.Place(of, self._seconds(asked.interval), asked)

    def _seconds(self, interval: str) -> int:
        return questions.seconds(interval, self.intervals_s)

    def _names(self, text: str) -> list[str]:
        """The asked-for indicators; raises Problem 422 for one that is not computed here."""
        wanted = [name.strip() for name in text.split(",") if name.strip()]
        known = list(self.live.indicator_names)
        for name in wanted:
            if name not in known:
                words = ", ".join(known) or "none"
                raise Problem(
                    422, "unknown_indicator", f"indicator {name[:40]!r}: expected of {words}"
                )
        return wanted

    def install(self, app: FastAPI, schema: Schema) -> None:
        """All routes, and the asked-for ones without `/api/v1`."""
        symbol = "{symbol:path}"
        routes: list[tuple[str, Callable[..., Any], Any]] = [
            ("/api/v1/symbols", self.symbols, Rows[shapes.SymbolRow]),
            ("/api/v1/status", self.status, shapes.StatusRow),
            ("/api/v1/btc", self.btc, shapes.Recommendation),
            ("/api/v1/gaps", self.gaps, Rows[shapes.GapRow]),
            (f"/api/v1/history/{symbol}", self.history, list[shapes.TradeRow]),
            (f"/api/v1/latest/{symbol}", self.latest, shapes.LatestCandle),
            (f"/api/v1/historical/{symbol}", self.historical, Page[shapes.CandleRow]),
            (f"/api/v1/indicators/{symbol}", self.indicators, Page[shapes.IndicatorRow]),
            (f"/api/v1/signals/{symbol}", self.signals, Rows[shapes.SignalRow]),
            (f"/api/v1/alerts/{symbol}", self.alerts, Rows[shapes.AlertRow]),
            ("/latest", self.latest_asked, shapes.LatestCandle),
            (f"/latest/{symbol}", self.latest, shapes.LatestCandle),
            ("/historical", self.historical_asked, Page[shapes.CandleRow]),
            (f"/historical/{symbol}", self.historical, Page[shapes.CandleRow]),
        ]
        for path, endpoint, gives in routes:
            canonical = path.startswith("/api/v1/")
            app.add_api_route(
                path,
                endpoint,
                methods=["GET"],
                operation_id=endpoint.__name__
                if canonical
                else f"compat_{path.split('/')[1]}" + ("_symbol" if symbol in path else ""),
                responses=schema.answers(gives),
                response_class=Response,
                tags=["market" if canonical else "compatibility"],
            )


def _answer(rows: Any, ms: float) -> Response:
    return Response(
        msgspec.json.encode(rows),
        headers={"X-Query-Time-Ms": f"{ms:.3f}", "Cache-Control": "no-store"},
        media_type="application/json",
    )


def _latest(of: Instrument, row: tuple[Any, ...]) -> shapes.LatestCandle:
    fields = shapes.candle_fields(of, row)
    interval_s, open_ns = row[1], row[2]
    end = to_rfc3339(open_ns + interval_s * NS_PER_S)
    return shapes.LatestCandle(*(*fields, fields[3], end))


def _page(rows: list[Row], at: questions.Place, keys_ns: list[int]) -> Page[Row]:
    """Keyed by open time, not counted: rows that come meanwhile move nothing."""
    more = len(keys_ns) > at.limit
    return Page(rows, at.cursor(keys_ns[at.limit - 1]) if more else None, more)
