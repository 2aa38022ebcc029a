"""From one committed batch to the clients: which rows go to which channel.

takes   each `Outcome` after its commit, with the `Live` state that has taken it over
gives   rows to the channels of `Fanout`; what nobody listens to is not built
never   blocks, reads the store or the clock, or is called from another thread than the loop's

Channels, as `interfaces.md` 4.4 has them: `candles:<venue>:<symbol>:<interval>`,
`signals:<venue>:<symbol>`, `prices`, `alerts`, `gaps`, `status`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from candlewick.model.columns import Candles
from candlewick.model.instruments import Instrument, Instruments
from candlewick.model.outcome import Outcome
from candlewick.model.time import interval_text
from candlewick.shell import shapes
from candlewick.shell.fanout import Client, Fanout, framed
from candlewick.shell.live import Live, OpenCandle, newest_rows, values_by_candle

# More rows than this for one channel in one batch (a backfill) go as one snapshot of the newest.
BURST_ROWS_MAX = 50
SNAPSHOT_ROWS_MAX = 500


def candles_channel(instrument: Instrument, interval_s: int) -> str:
    return f"candles:{instrument.venue}:{instrument.symbol}:{interval_text(interval_s)}"


def signals_channel(instrument: Instrument) -> str:
    return f"signals:{instrument.venue}:{instrument.symbol}"


def live_candle(instruments: Instruments, candle: OpenCandle) -> shapes.LiveCandle:
    fields = shapes.candle_fields(instruments[candle.row[0]], candle.row)
    return shapes.LiveCandle(*(*fields, candle.values))


class Hub:
    """The publisher of this process.  `fanout` holds its clients."""

    def __init__(self, instruments: Instruments, fanout: Fanout | None = None) -> None:
        self.instruments = instruments
        self.fanout = Fanout() if fanout is None else fanout

    def publish(self, outcome: Outcome, live: Live) -> None:
        """Tell the listeners of one committed batch; call it after `live.apply(outcome, ...)`."""
        if len(self.fanout) == 0:
            return
        self._prices(outcome, live)
        self._finals(outcome.candles, outcome, live)
        self._previews(outcome, live)
        instruments = self.instruments
        for channel, rows in self._signals(outcome).items():
            self._events(channel, "signals", rows)
        if len(outcome.anomalies) and self.fanout.heard("alerts"):
            self._events("alerts", "alerts", shapes.alert_rows(instruments, outcome.anomalies))
        if len(outcome.gaps) and self.fanout.heard("gaps"):
            self._events("gaps", "gaps", shapes.gap_rows(instruments, outcome.gaps))

    def price(self, client: Client, series: int, row: shapes.PriceRow) -> None:
        """The flat form, to one client."""
        self.fanout.state(client, ("price", series), framed(msgspec.json.encode(row)))

    def _prices(self, outcome: Outcome, live: Live) -> None:
        flat, heard = self.fanout.flat_clients(), self.fanout.heard("prices")
        if not (flat or heard):
            return
        for series in newest_rows(outcome.trades):
            row = live.price_row(series)
            assert row is not None, "publish was called before live.apply"
            frame = framed(msgspec.json.encode(row))
            for client in flat:
                if client.series is None or series in client.series:
                    self.fanout.state(client, ("price", series), frame)
            if heard:
                self.fanout.show("prices", row, key=series)

    def _finals(self, candles: Candles, outcome: Outcome, live: Live) -> None:
        if len(candles) == 0:
            return
        by_channel: dict[str, list[OpenCandle]] = {}
        values = values_by_candle(outcome.indicators, live.indicator_names)
        for row in shapes.tuples(candles):
            channel = candles_channel(self.instruments[row[0]], row[1])
            if self.fanout.heard(channel):
                candle = OpenCandle(row, values.get(row[:3], {}))
                by_channel.setdefault(channel, []).append(candle)
        for channel, closed in by_channel.items():
            self.fanout.supersede(channel)
            rows = [live_candle(self.instruments, c) for c in closed[-SNAPSHOT_ROWS_MAX:]]
            self._events(channel, "candles", rows)

    def _previews(self, outcome: Outcome, live: Live) -> None:
        previews = outcome.previews
        for series, interval_s in zip(
            previews.series.tolist(), previews.interval_s.tolist(), strict=True
        ):
            channel = candles_channel(self.instruments[series], interval_s)
            candle = live.candles.get((series, interval_s))
            if candle is not None and self.fanout.heard(channel):
                self.fanout.show_paced(channel, self._builder(candle))

    def _builder(self, candle: OpenCandle) -> Callable[[], Any]:
        return lambda: live_candle(self.instruments, candle)

    def _signals(self, outcome: Outcome) -> dict[str, list[Any]]:
        by_channel: dict[str, list[Any]] = {}
        for row in shapes.signal_rows(self.instruments, outcome.signals):
            channel = f"signals:{row.venue}:{row.symbol}"
            if self.fanout.heard(channel):
                by_channel.setdefault(channel, []).append(row)
        return by_channel

    def _events(self, channel: str, name: str, rows: list[Any]) -> None:
        """Each row by itself, or, after a backfill, one snapshot of the newest."""
        if len(rows) > BURST_ROWS_MAX:
            self.fanout.retell(channel, {name: rows[-SNAPSHOT_ROWS_MAX:]})
            return
        for row in rows:
            self.fanout.tell(channel, row)
