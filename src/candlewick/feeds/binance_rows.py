"""Binance's texts to integers: trades, levels, and the lists of REST.

takes   typed messages of `binance_wire.py`, and the decimals of their instrument
gives   event rows and book changes
never   keeps state; gives a part of a frame that is bad
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from candlewick.errors import PeerError
from candlewick.feeds import binance_wire as wire
from candlewick.feeds.batch import checked_ns, epoch_ns
from candlewick.feeds.binance_scan import AGGREGATE, TRADE
from candlewick.feeds.book import LEVELS_MAX, Change
from candlewick.feeds.frames import amount, checked, identity, positive, read
from candlewick.model.columns import Events, Kind
from candlewick.model.instruments import Instrument
from candlewick.model.outcome import Frame

Scale = tuple[int, int]  # Price and size decimals.
Traded = tuple[int, int, int, int, int, int]


class Print(NamedTuple):
    """One trade as the venue writes it."""

    id: int
    price: str
    size: str
    epoch: int
    seller: bool


def rest_prints(raw: bytes) -> tuple[int, list[Print]]:
    """The trades of a REST list and their source; none where it lists something else."""
    items = read(wire.LIST, raw)
    if not items or bytes(items[0])[:1] != b"{":
        return 0, []
    row = read(wire.REST_ROW, items[0])
    if bytes(row.isBuyerMaker):
        trades = read(wire.REST_TRADES, raw)
        return TRADE, [Print(t.id, t.price, t.qty, t.time, t.isBuyerMaker) for t in trades]
    if bytes(row.a) and bytes(row.p):
        rows = read(wire.REST_AGGREGATES, raw)
        return AGGREGATE, [Print(t.a, t.p, t.q, t.T, t.m) for t in rows]
    return 0, []


def print_rows(prints: list[Print], scale: Scale, frame: Frame) -> list[Traded]:
    """Kind, id, at, seen, price, size of each.

    Raises:
        PeerError: one of them is bad; then none counts.
    """
    price_decimals, size_decimals = scale
    return [
        (
            Kind.SELL if t.seller else Kind.BUY,
            identity(t.id),
            checked_ns(epoch_ns(t.epoch), frame.seen_ns),
            frame.seen_ns,
            positive(t.price, price_decimals, "price"),
            positive(t.size, size_decimals, "size"),
        )
        for t in prints
    ]


def history(raw: bytes, instrument: Instrument, seen_ns: int) -> Events:
    """The trades of an answer to `FEED.history_path`, rising by id.

    Raises:
        PeerError: it is not such an answer.
    """
    if checked(raw).lstrip()[:1] != b"[":
        raise PeerError("not_history", f"expected a list of trades, found {raw[:60]!r}")
    _, prints = rest_prints(raw)
    scale = (instrument.price_decimals, instrument.size_decimals)
    rows = print_rows(prints, scale, Frame(raw, seen_ns, "http"))
    rising = sorted(rows, key=lambda row: row[1])
    return Events.from_rows([(instrument.series, *row) for row in rising])


def change(
    ids: tuple[int, int, int], bids: list[wire.Level], asks: list[wire.Level], scale: Scale
) -> Change:
    both = [*bids, *asks]
    if len(both) > 2 * LEVELS_MAX:
        raise PeerError("too_many_levels", f"{len(both)} levels; at most {2 * LEVELS_MAX} are read")
    prices = [positive(price, scale[0], "price") for price, _ in both]
    sizes = [amount(size, scale[1]) for _, size in both]
    return Change(*ids, np.array(prices, np.int64), np.array(sizes, np.int64), len(bids))
