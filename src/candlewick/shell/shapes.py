"""Rows as the outside sees them: one frozen shape a kind, the same over HTTP and WebSocket.

takes   columns of a batch or of the store, and the instruments that scale them
gives   structs that msgspec writes as JSON: prices and sizes exact decimal text, `ts` integer ms,
        every `*_time` and `*_at` RFC 3339 in UTC
never   a float made from a price, a NaN or an infinity in JSON (both are null)
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec

from candlewick.anomalies import watch
from candlewick.model.columns import (
    GAP_HOW,
    GAP_KINDS,
    Anomalies,
    Candles,
    Columns,
    Coverage,
    Gaps,
    Signals,
    Trades,
)
from candlewick.model.instruments import Instrument, Instruments
from candlewick.model.money import join_128, to_text
from candlewick.model.time import NS_PER_MS, interval_text, to_rfc3339
from candlewick.signals import tick_sma

SIDES = {1: "BUY", 0: "HOLD", -1: "SELL"}
_TAKERS = {1: "buy", 0: "unknown", -1: "sell"}

Values = dict[str, float | None]


class CandleRow(msgspec.Struct, frozen=True):
    """One bar; `final` false while it is open; `coverage` says what is known against it."""

    venue: str
    symbol: str
    interval: str
    open_time: str
    ts: int
    open: str
    high: str
    low: str
    close: str
    volume: str
    quote_volume: str
    taker_buy_volume: str
    trades: int
    first_trade_id: int | None
    last_trade_id: int | None
    revision: int
    final: bool
    coverage: str


class LatestCandle(CandleRow, frozen=True):
    """A bar and the window that it covers, the end not included."""

    window_start: str
    window_end: str


class LiveCandle(CandleRow, frozen=True):
    """A bar with its indicators, as the candle channels carry it."""

    indicators: Values


class TradeRow(msgspec.Struct, frozen=True):
    """One market trade; `side` is the aggressor's."""

    id: int
    venue: str
    symbol: str
    price: str
    quantity: str
    side: str
    time: str
    ts: int


class IndicatorRow(msgspec.Struct, frozen=True):
    """The indicators of one final bar; null while one warms up."""

    open_time: str
    ts: int
    values: Values


class SignalRow(msgspec.Struct, frozen=True):
    """A recommendation that changed, and why."""

    venue: str
    symbol: str
    time: str
    ts: int
    signal: str
    price: str
    tick_sma_20: float | None
    reason: str


class AlertRow(msgspec.Struct, frozen=True):
    """An anomaly of one window; `value` is what was measured, `limit` what it passed."""

    venue: str
    symbol: str
    interval: str
    open_time: str
    ts: int
    kind: str
    severity: str
    value: float
    limit: float
    reason: str


class GapRow(msgspec.Struct, frozen=True):
    """A hole in what the exchange sent, and its repair."""

    venue: str
    symbol: str
    kind: str
    first_id: int
    last_id: int
    missing: int
    after: str | None
    before: str | None
    seen_at: str | None
    repaired_at: str | None
    how: str | None


class SymbolRow(msgspec.Struct, frozen=True):
    """One market of one venue as this program knows it."""

    venue: str
    symbol: str
    native: str
    price_decimals: int
    size_decimals: int
    tick: str
    lot: str
    last_price: str | None
    feed_state: str
    source: str


class FeedRow(msgspec.Struct, frozen=True):
    """One venue's feed: how far behind, how long since anything came, what went wrong."""

    venue: str
    state: str
    reason: str
    lag_ms: float | None
    age_ms: float | None
    reconnects: int
    frames: int
    peer_errors: int
    symbols: list[str]


class StatusRow(msgspec.Struct, frozen=True):
    """The whole program on one screen."""

    version: str
    env: str
    source: str
    source_reason: str | None
    started_at: str
    store_failure: str | None
    clients: int
    feeds: list[FeedRow]


class PriceRow(msgspec.Struct, frozen=True):
    """The flat form of `/ws`: the price is an exact JSON number."""

    symbol: str
    venue: str
    price: msgspec.Raw
    sma_20: float | None
    signal: str
    timestamp: int
    time: str


class Recommendation(msgspec.Struct, frozen=True):
    """What `/api/v1/btc` says: the newest price, the mean of the last 20 trades, what they say."""

    symbol: str
    price: msgspec.Raw | None
    sma_20: float | None
    recommendation: str


def joined(symbol: str) -> str:
    """`BTC/USDT` as `BTCUSDT`."""
    return symbol.replace("/", "")


def time_or_none(at_ns: int) -> str | None:
    """RFC 3339, or None where the time is unknown (0 or less)."""
    return to_rfc3339(at_ns) if at_ns > 0 else None


def tuples(columns: Columns) -> Iterator[tuple[Any, ...]]:
    """Rows as tuples of plain Python values."""
    return zip(*(columns.column(name).tolist() for name in columns.DTYPES), strict=True)


def candle_fields(instrument: Instrument, row: tuple[Any, ...]) -> tuple[Any, ...]:
    """The fields of a `CandleRow` from one row of `Candles`."""
    (_, interval_s, open_ns, open_, high, low, close, volume, taker_buy, quote_hi, quote_lo,
     trades, first_id, last_id, revision, final, coverage) = row  # fmt: skip
    price, size = instrument.price_decimals, instrument.size_decimals
    return (
        instrument.venue,
        instrument.symbol,
        interval_text(interval_s),
        to_rfc3339(open_ns),
        open_ns // NS_PER_MS,
        to_text(open_, price),
        to_text(high, price),
        to_text(low, price),
        to_text(close, price),
        to_text(volume, size),
        to_text(join_128(quote_hi, quote_lo), price + size),
        to_text(taker_buy, size),
        trades,
        first_id if first_id >= 0 else None,
        last_id if last_id >= 0 else None,
        revision,
        bool(final),
        Coverage(coverage).words(),
    )


def candle_rows(instruments: Instruments, candles: Candles) -> list[CandleRow]:
    return [CandleRow(*candle_fields(instruments[r[0]], r)) for r in tuples(candles)]


def trade_rows(instruments: Instruments, trades: Trades) -> list[TradeRow]:
    rows = []
    for series, id_, at_ns, _seen_ns, price, size, side in tuples(trades):
        instrument = instruments[series]
        rows.append(
            TradeRow(
                id_,
                instrument.venue,
                instrument.symbol,
                instrument.price_text(price),
                instrument.size_text(size),
                _TAKERS[side],
                to_rfc3339(at_ns),
                at_ns // NS_PER_MS,
            )
        )
    return rows


def named(columns: Columns) -> Iterator[dict[str, Any]]:
    """Rows as plain values by name."""
    for row in tuples(columns):
        yield dict(zip(columns.DTYPES, row, strict=True))


def alert_rows(
    instruments: Instruments, anomalies: Anomalies | Iterable[Mapping[str, Any]]
) -> list[AlertRow]:
    """Alerts of a batch, or of the store, whose `kind` is a word already."""
    rows = []
    for row in named(anomalies) if isinstance(anomalies, Anomalies) else anomalies:
        instrument, open_ns, kind = instruments[row["series"]], row["open_ns"], row["kind"]
        word = kind if isinstance(kind, str) else watch.KINDS[kind]
        # A rule that has gone since left its alerts in the store, and took its words with it.
        reason = watch.reason(row, instrument) if word in watch.KINDS else word
        rows.append(
            AlertRow(
                instrument.venue,
                instrument.symbol,
                interval_text(row["interval_s"]),
                to_rfc3339(open_ns),
                open_ns // NS_PER_MS,
                word,
                watch.SEVERITIES[row["severity"]],
                row["value"],
                row["limit"],
                reason,
            )
        )
    return rows


def signal_rows(instruments: Instruments, signals: Signals) -> list[SignalRow]:
    rows = []
    for fields in named(signals):
        instrument, at_ns = instruments[fields["series"]], fields["at_ns"]
        rows.append(
            SignalRow(
                instrument.venue,
                instrument.symbol,
                to_rfc3339(at_ns),
                at_ns // NS_PER_MS,
                SIDES[fields["side"]],
                instrument.price_text(fields["price"]),
                fields["mean"],
                tick_sma.reason(fields, instrument),
            )
        )
    return rows


def gap_rows(instruments: Instruments, gaps: Gaps) -> list[GapRow]:
    rows = []
    for row in tuples(gaps):
        series, kind, first, last, seen, after, before, missing, repaired, how = row
        instrument = instruments[series]
        rows.append(
            GapRow(
                instrument.venue,
                instrument.symbol,
                GAP_KINDS[kind],
                first,
                last,
                missing,
                time_or_none(after),
                time_or_none(before),
                time_or_none(seen),
                time_or_none(repaired),
                GAP_HOW[how] or None,
            )
        )
    return rows
