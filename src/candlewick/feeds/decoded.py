"""What a venue's decoder takes, gives and asks for; the descriptor of a venue.

takes   nothing: these are the shapes that `feeds/<venue>.py` fills
gives   `Decoded` (one batch), `Want` (what the shell should fetch), `Feed` (how to reach a venue)
never   opens a socket, reads a clock
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, Protocol

from candlewick.feeds.book import BookState
from candlewick.model.columns import Events, Gaps
from candlewick.model.instruments import Instrument, Instruments
from candlewick.model.outcome import Frame, Quarantined, Quote

# The largest honest frame is a listing of all markets (about 4 MiB); beyond this it is hostile.
FRAME_BYTES_MAX = 8 * 1024 * 1024


class Want(NamedTuple):
    """What a decoder asks of the shell, because it may not do it itself.

    `depth`: fetch `Feed.depth_path` of the instrument and feed the answer as an `http` frame.
    `resubscribe`: send `Feed.resubscribe` of the instrument, so that a fresh snapshot comes.
    """

    kind: Literal["depth", "resubscribe"]
    instrument: Instrument


class Notice(NamedTuple):
    """Something that a person or the shell should know, said by the venue in a control frame.

    `kind` is `refused`, `error`, `status`, `shutdown` or `listing`; `text` is the venue's own.
    """

    kind: str
    text: str


@dataclass(slots=True)
class Decoded:
    """One batch of frames, read.  `counts` has at least frames, data_frames, control_frames,
    peer_errors, and the last three add up to the first."""

    events: Events = field(default_factory=Events.empty)
    quotes: dict[int, Quote] = field(default_factory=dict)
    quarantined: list[Quarantined] = field(default_factory=list)
    notices: list[Notice] = field(default_factory=list)
    wants: list[Want] = field(default_factory=list)
    gaps: Gaps = field(default_factory=Gaps.empty)
    counts: dict[str, int] = field(default_factory=dict)


class Decoder(Protocol):
    """Frames of one venue to rows.  Keeps what a frame alone does not say: books, the feed's
    clock, which instruments the venue listed.  Never raises for what a peer sent."""

    def __init__(self, instruments: Instruments) -> None: ...

    def decode(self, frames: Sequence[Frame]) -> Decoded: ...

    def book(self, series: int) -> BookState | None: ...

    def admit(self, native: str) -> Instrument:
        """The instrument of a symbol that the shell subscribes; PeerError where none is."""


@dataclass(frozen=True, slots=True)
class Feed:
    """How to reach a venue and how to speak to it.

    Natives are the venue's own symbols.  Paths begin with `/` and carry their query; they are
    appended to a REST base that has none.
    """

    name: str
    ws_url: str
    rest_url: str
    silence_s_max: float  # Without any frame for so long, the connection is dead.
    home_quote: str  # What most of its markets are quoted in.
    history_by: Literal["id", "time"]  # What its list of past trades starts from.
    connection_s_max: float  # Planned reconnect before the venue cuts; infinite where it does not.
    symbols_max: int  # Per connection.
    messages_per_s_max: float  # That we may send.
    ping: bytes  # Application-level ping, empty where the WebSocket ping frames do.
    decoder: type[Decoder]
    native: Callable[[str], str]
    connect_url: Callable[[str, Sequence[str]], str]
    subscribe: Callable[[Sequence[str]], list[bytes]]
    resubscribe: Callable[[str], list[bytes]]
    instruments_path: Callable[[Sequence[str]], str]
    depth_path: Callable[[str], str]
    history_path: Callable[[str, int, int], str]
    history: Callable[[bytes, Instrument, int], Events]

    def symbols(self, configured: Iterable[str], quote: str) -> list[str]:
        """The venue's markets for what is configured: `quote` means the venue's home quote."""
        found = []
        for symbol in configured:
            base, _, asked = symbol.partition("/")
            found.append(f"{base}/{self.home_quote if asked == quote else asked}")
        return list(dict.fromkeys(found))
