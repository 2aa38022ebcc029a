"""What one client says on its socket, and what it is told at once; no socket in here.

takes   JSON messages `{"op": "sub" | "unsub" | "ping" | "pong", "id": 1, "ch": [...]}`
gives   an `ack` or an `err` to each, after a `sub` a `snap` of every channel that has a state
never   closes for a mistake: bad JSON, an unknown channel or too many messages get an `err`;
        only a message over `MESSAGE_BYTES_MAX` ends the connection (the server's limit, code 1009)

A `sub` is followed whole or not at all, so that one answer says what holds.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from candlewick.model.instruments import Instrument
from candlewick.shell.api import questions
from candlewick.shell.api.problems import Problem
from candlewick.shell.fanout import Client
from candlewick.shell.hub import Hub, candles_channel, live_candle, signals_channel
from candlewick.shell.live import Live

CHANNELS_MAX = 200  # A client.
MESSAGES_PER_S_MAX = 20
MESSAGE_BYTES_MAX = 64 * 1024
WHOLE = ("alerts", "gaps", "status", "prices")
_ID_CHARS_MAX = 64


class Ask(msgspec.Struct, frozen=True):
    """What a client may say; other fields are passed over, so that it can grow."""

    op: str
    id: int | str | None = None
    ch: list[str] = []


class Refusal(Exception):
    """A message that cannot be followed; the connection stays."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail


class Pace:
    """At most so many messages in any second: a bucket that refills steadily."""

    def __init__(self, per_s_max: int, now_s: float) -> None:
        self._max = per_s_max
        self._left = float(per_s_max)
        self._at_s = now_s

    def allows(self, now_s: float) -> bool:
        self._left = min(self._max, self._left + (now_s - self._at_s) * self._max)
        self._at_s = now_s
        if self._left < 1.0:
            return False
        self._left -= 1.0
        return True


class Talk:
    """One client's side of the protocol.  `now_s` is a clock that never goes back."""

    def __init__(
        self, hub: Hub, live: Live, client: Client, intervals_s: Sequence[int], now_s: float
    ) -> None:
        self.hub = hub
        self.live = live
        self.client = client
        self.intervals_s = intervals_s
        self.pace = Pace(MESSAGES_PER_S_MAX, now_s)

    def heard(self, message: bytes | str, now_s: float) -> None:
        """Follow one message, or say why not."""
        asked: Ask | None = None
        try:
            if not self.pace.allows(now_s):
                raise Refusal("rate", f"at most {MESSAGES_PER_S_MAX} messages a second")
            asked = _read(message)
            self._follow(asked)
        except Refusal as refusal:
            row = {"op": "err", "id": asked and asked.id, "code": refusal.code}
            row["detail"] = refusal.detail
            if asked is None:  # Not worth a place in the queue each.
                self.hub.fanout.remark(self.client, refusal.code, row)
            else:
                self.hub.fanout.answer(self.client, row)

    def _follow(self, asked: Ask) -> None:
        if asked.op == "sub":
            self._subscribe(asked)
        elif asked.op == "unsub":
            channels = [self._channel(text)[0] for text in asked.ch]
            self.hub.fanout.unsubscribe(self.client, channels)
            self._acknowledge(asked, channels)
        elif asked.op == "ping":
            self.hub.fanout.answer(self.client, {"op": "pong", "id": asked.id})
        elif asked.op != "pong":
            raise Refusal("unknown_op", f"op {asked.op[:20]!r}: expected sub, unsub, ping or pong")

    def _subscribe(self, asked: Ask) -> None:
        found = dict(self._channel(text) for text in asked.ch)
        if len(found.keys() | self.client.channels) > CHANNELS_MAX:
            raise Refusal("too_many", f"at most {CHANNELS_MAX} channels a client")
        self.hub.fanout.subscribe(self.client, found)
        self._acknowledge(asked, list(found))
        for channel, slot in found.items():
            row = self._snapshot(channel, slot)
            if row is not None:
                self.hub.fanout.snapshot(self.client, channel, row)

    def _acknowledge(self, asked: Ask, channels: list[str]) -> None:
        self.hub.fanout.answer(self.client, {"op": "ack", "id": asked.id, "ch": channels})

    def _channel(self, text: str) -> tuple[str, tuple[int, int] | None]:
        """The one name of a channel, and the series and interval of a candle channel."""
        parts = text.split(":")
        if text in WHOLE:
            return text, None
        if parts[0] == "candles" and len(parts) == 4:
            try:
                interval_s = questions.seconds(parts[3], self.intervals_s)
            except Problem as problem:
                raise Refusal(problem.code, problem.detail) from None
            of = self._market(parts[1], parts[2])
            return candles_channel(of, interval_s), (of.series, interval_s)
        if parts[0] == "signals" and len(parts) == 3:
            return signals_channel(self._market(parts[1], parts[2])), None
        raise Refusal(
            "unknown_channel",
            f"channel {text[:60]!r}: expected candles:<venue>:<symbol>:<interval>, "
            f"signals:<venue>:<symbol>, {', '.join(WHOLE)}",
        )

    def _market(self, venue: str, symbol: str) -> Instrument:
        try:
            return questions.market(self.live.instruments, symbol, venue)
        except Problem as problem:
            raise Refusal(problem.code, problem.detail) from None

    def _snapshot(self, channel: str, slot: tuple[int, int] | None) -> Any:
        """The state of a channel now; None for a channel of events, whose past is in the store."""
        if slot is not None:
            candle = self.live.candles.get(slot)
            rows = [] if candle is None else [live_candle(self.live.instruments, candle)]
            return {"candles": rows}
        if channel == "status" and self.hub.fanout.status is not None:
            return self.hub.fanout.status()
        if channel == "prices":
            rows_or_none = map(self.live.price_row, range(len(self.live.instruments)))
            return {"prices": [row for row in rows_or_none if row is not None]}
        return None


def _read(message: bytes | str) -> Ask:
    try:
        asked = msgspec.json.decode(message, type=Ask)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise Refusal(
            "bad_message", 'expected JSON like {"op": "sub", "id": 1, "ch": ["alerts"]}'
        ) from None
    if isinstance(asked.id, str) and len(asked.id) > _ID_CHARS_MAX:
        raise Refusal("bad_message", f"id: at most {_ID_CHARS_MAX} characters")
    return asked
