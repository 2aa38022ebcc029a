"""What a caller asks for, checked: which market, which interval, which span, which page.

takes   text from a path or a query
gives   instruments, seconds, nanoseconds, page keys
never   guesses: what cannot be read is a `Problem` that says what can
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from typing import Annotated, Literal

import msgspec
from fastapi import Path
from pydantic import BaseModel, Field

from candlewick.errors import PeerError, UsageError
from candlewick.model.instruments import Instrument, Instruments
from candlewick.model.time import NS_PER_MS, NS_PER_US, from_rfc3339, interval_s, interval_text
from candlewick.shell.api.problems import Problem

_KNOWN_MAX = 50
_MS_MAX = 253_402_300_799_999  # The end of the year 9999.


Symbol = Annotated[str, Path(examples=["BTCUSDT", "BTC-USDT", "btc"], max_length=60)]
Limit = Annotated[int, Field(ge=1, le=1_000)]
Instant = Annotated[str | None, Field(max_length=40, description="RFC 3339, or ms since 1970")]


class OfVenue(BaseModel):
    """Which market of a symbol; without a venue, the first that has it."""

    venue: str | None = Field(None, max_length=40)


class OfSymbol(BaseModel):
    """A symbol, where the path has none."""

    symbol: str = Field("BTC", max_length=60, examples=["BTCUSDT", "BTC-USDT", "btc"])


class OneCandle(OfVenue):
    interval: str = Field("1m", max_length=10, examples=["1m", "1h"])


class OneCandleOf(OneCandle, OfSymbol):
    pass


class SomeRows(OfVenue):
    limit: Limit = 100


class SomeGaps(OfVenue):
    symbol: str | None = Field(None, max_length=60)
    limit: Limit = 1_000


class Span(OneCandle):
    """`start` is inside, `end` is not; `cursor` is the `next` of the page before."""

    start: Instant = None
    end: Instant = None
    limit: Limit = 500
    order: Literal["asc", "desc"] = "asc"
    cursor: str | None = Field(None, max_length=300)


class SpanOf(Span, OfSymbol):
    pass


class IndicatorSpan(Span):
    """`names` is a list with commas; all without it."""

    order: Literal["asc", "desc"] = "desc"
    names: str = Field("", max_length=1_000, examples=["sma_20,rsi_14"])


class Cursor(msgspec.Struct, frozen=True, array_like=True):
    """Where a page ended; of the question that it belongs to, and of no other."""

    series: int
    interval_s: int
    descending: bool
    after_ns: int


def markets(instruments: Instruments, symbol: str, venue: str | None) -> list[Instrument]:
    """Every market that a spelling means; raises Problem 404 with what there is."""
    try:
        found = instruments.find(symbol, venue)
    except UsageError:
        found = []
    if found:
        return found
    known = sorted({one.symbol for one in instruments if venue in (None, one.venue)})[:_KNOWN_MAX]
    where = f" at {venue[:40]!r}" if venue else ""
    words = ", ".join(known[:10]) or "none yet"
    raise Problem(
        404,
        "unknown_symbol",
        f"no market {symbol[:40]!r}{where}; known are {words}",
        known=known,
    )


def market(instruments: Instruments, symbol: str, venue: str | None) -> Instrument:
    """The one market that is meant: the first venue that has it, unless told."""
    return markets(instruments, symbol, venue)[0]


def seconds(interval: str, known_s: Sequence[int]) -> int:
    """The interval in seconds; raises Problem 422 unless candles of it are made here."""
    try:
        asked = interval_s(interval)
    except UsageError:
        asked = 0
    if asked in known_s:
        return asked
    words = ", ".join(map(interval_text, known_s))
    raise Problem(422, "unknown_interval", f"interval {interval[:20]!r}: expected one of {words}")


def instant(text: str | None, name: str) -> int | None:
    """RFC 3339 with a zone, or integer milliseconds, to nanoseconds."""
    if text is None:
        return None
    if text.isascii() and text.isdigit() and len(text) <= 15 and int(text) <= _MS_MAX:
        return int(text) * NS_PER_MS
    with suppress(PeerError):
        return from_rfc3339(text)
    try:  # Another zone, or a shorter form: the general reader knows more of them.
        at = datetime.fromisoformat(text.replace(" ", "+"))
        if at.tzinfo is None:
            raise ValueError(text)
        span = at - datetime.fromisoformat("1970-01-01T00:00:00+00:00")
    except (ValueError, OverflowError):
        raise Problem(
            422,
            "bad_time",
            f"{name} {text[:40]!r}: expected RFC 3339 with a zone, as 2026-01-31T12:00:00Z, "
            "or milliseconds since 1970",
        ) from None
    return ((span.days * 86_400 + span.seconds) * 1_000_000 + span.microseconds) * NS_PER_US


class Place:
    """A question about a span of one market, read: what the store needs to answer it."""

    def __init__(self, of: Instrument, interval_s: int, asked: Span) -> None:
        self.of = of
        self.interval_s = interval_s
        self.start_ns = instant(asked.start, "start")
        self.end_ns = instant(asked.end, "end")
        self.limit = asked.limit
        self.descending = asked.order == "desc"
        self.after_ns = self._after(asked.cursor)

    def _after(self, text: str | None) -> int | None:
        """The key after which the page begins; raises Problem 422 for anybody else's cursor."""
        if text is None:
            return None
        try:
            raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
            cursor = msgspec.msgpack.decode(raw, type=Cursor)
        except (ValueError, msgspec.MsgspecError):
            cursor = None
        if cursor is None or cursor != self._cursor(cursor.after_ns):
            raise Problem(
                422, "bad_cursor", "cursor: expected the 'next' of an answer to the same question"
            )
        return cursor.after_ns

    def _cursor(self, after_ns: int) -> Cursor:
        return Cursor(self.of.series, self.interval_s, self.descending, after_ns)

    def cursor(self, after_ns: int) -> str:
        raw = msgspec.msgpack.encode(self._cursor(after_ns))
        return base64.urlsafe_b64encode(raw).decode().rstrip("=")
