"""`candlewick test-spike`: one made-up minute through every stage, to see an alert come out.

takes   a symbol and a move in per cent
gives   a few trades of the venue `test`, in the minute that has just ended, and what came of them
never   touches a real venue's rows: the venue `test` has its own series
"""

from __future__ import annotations

from typing import Any

from candlewick.anomalies.watch import KINDS
from candlewick.config import Settings
from candlewick.errors import UsageError
from candlewick.model.columns import Events, Kind
from candlewick.model.instruments import Instrument, canonical
from candlewick.model.outcome import Outcome
from candlewick.model.time import NS_PER_S, to_rfc3339
from candlewick.pipeline import Pipeline
from candlewick.runs.opened import opened
from candlewick.shell.clock import now_ns

VENUE = "test"
_MINUTE_NS = 60 * NS_PER_S
_TRADES = 12
_DECIMALS = 8
_PRICE = 100 * 10**_DECIMALS
_SIZE = 10**_DECIMALS


def spike(pipeline: Pipeline, symbol: str, pct: float, at_ns: int) -> Outcome:
    """The made-up minute, folded.  Each call takes a later minute than the one before it."""
    wanted = canonical(symbol)
    native = wanted.replace("/", "")
    one = pipeline.instruments.declare(Instrument(VENUE, wanted, native, _DECIMALS, _DECIMALS))
    minute_ns = at_ns // _MINUTE_NS * _MINUTE_NS - _MINUTE_NS
    clock_ns = pipeline.bars.clock_ns(VENUE)
    if clock_ns is not None:
        minute_ns = max(minute_ns, clock_ns // _MINUTE_NS * _MINUTE_NS)
    first_id = pipeline.continuity.last_id(one.series) + 1
    step_ns = _MINUTE_NS // (_TRADES + 1)
    rows = []
    for k in range(_TRADES):
        price = _PRICE + round(_PRICE * pct / 100 * k / (_TRADES - 1))
        trade_ns = minute_ns + k * step_ns
        rows.append((one.series, Kind.BUY, first_id + k, trade_ns, at_ns, price, _SIZE))
    closed_ns = minute_ns + _MINUTE_NS + pipeline.bars.grace_ns
    rows.append((one.series, Kind.TICK, 0, closed_ns, at_ns, 0, 0))
    return pipeline.refold(Events.from_rows(rows))


def told(outcome: Outcome, symbol: str, pct: float) -> dict[str, Any]:
    """What the operator is shown."""
    return {
        "venue": VENUE,
        "symbol": canonical(symbol),
        "pct": pct,
        "trades": len(outcome.trades),
        "alerts": [
            {
                "kind": KINDS[int(row["kind"])],
                "severity": ("", "LOW", "MEDIUM", "HIGH")[int(row["severity"])],
                "open_time": to_rfc3339(int(row["open_ns"])),
            }
            for row in outcome.anomalies.records()
        ],
    }


def test_spike(settings: Settings, symbol: str, pct: float) -> dict[str, Any]:
    """Offline: into a data directory that no instance uses.

    Raises:
        UsageError: the directory is in use.
    """
    checked(symbol, pct)
    with opened(settings, settings.data_dir) as run:
        outcome = spike(run.pipeline, symbol, pct, now_ns())
        run.commit(outcome)
        return told(outcome, symbol, pct)


def checked(symbol: str, pct: float) -> None:
    """Raises UsageError for a symbol or a move that cannot be."""
    canonical(symbol)
    if not -90.0 <= pct <= 900.0:
        raise UsageError(f"a move of {pct} %: expected -90 to 900")
