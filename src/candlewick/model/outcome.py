"""What goes into a batch and what comes out of one: the two ends of the pipeline.

takes   frames as received, with their arrival time
gives   one `Outcome`: everything that a batch yields, to be committed in one transaction
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from candlewick.model.columns import Anomalies, Candles, Gaps, Indicators, Signals, Trades


class Frame(NamedTuple):
    """One message as it came: `origin` is in, http, out or connect; `seen_ns` 0 where unknown."""

    raw: bytes
    seen_ns: int = 0
    origin: str = "in"
    url: str = ""
    conn: int = 0


class Quarantined(NamedTuple):
    """A frame, or a part of one, that its venue should not have sent; kept whole."""

    venue: str
    reason: str
    message: str
    raw: bytes
    seen_ns: int


class Quote(NamedTuple):
    """Best prices of a valid book or ticker, integers in the instrument's decimals."""

    series: int
    bid: int
    bid_size: int
    ask: int
    ask_size: int
    at_ns: int


@dataclass(slots=True)
class Outcome:
    """Everything that one batch yields.

    `ticks`: by series that traded, the standing recommendation (side, price, mean, warm).
    """

    trades: Trades = field(default_factory=Trades.empty)
    candles: Candles = field(default_factory=Candles.empty)
    indicators: Indicators = field(default_factory=Indicators.empty)
    signals: Signals = field(default_factory=Signals.empty)
    anomalies: Anomalies = field(default_factory=Anomalies.empty)
    gaps: Gaps = field(default_factory=Gaps.empty)
    quarantined: list[Quarantined] = field(default_factory=list)
    quotes: dict[int, Quote] = field(default_factory=dict)
    ticks: dict[int, tuple[int, int | None, float, bool]] = field(default_factory=dict)
    previews: Candles = field(default_factory=Candles.empty)
    preview_indicators: Indicators = field(default_factory=Indicators.empty)
    states: list[tuple[str, int, bytes]] = field(default_factory=list)
    offsets: list[tuple[str, str]] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
