"""Claims of the newest values in memory: they only go on, and say nothing that is not so."""

from __future__ import annotations

import math

import pytest
from tests.shell.serving import MINUTE_NS, NAMES, closed, opened, preview

from candlewick.model.columns import Candles, Trades
from candlewick.model.instruments import Instrument, Instruments
from candlewick.model.outcome import Outcome, Quarantined, Quote
from candlewick.shell.live import Live, newest_rows

MS = 10**6


@pytest.fixture
def live(listing: tuple[Instrument, ...]) -> Live:
    instruments = Instruments()
    for one in listing:
        instruments.declare(one)
    return Live(instruments, 1_700_000_000_000_000_000, NAMES)


def traded(*rows: tuple[int, int, int]) -> Outcome:
    """Trades of (series, time in ms, price), each arriving 7 ms later."""
    whole = [(s, n, at * MS, (at + 7) * MS, p, 1, 1) for n, (s, at, p) in enumerate(rows)]
    return Outcome(trades=Trades.from_rows(whole))


def test_the_newest_trade_of_each_series_is_by_time_then_by_order() -> None:
    rows = traded((1, 5, 1), (0, 9, 2), (0, 9, 3), (0, 4, 4), (1, 6, 5), (3, 1, 6)).trades
    assert newest_rows(rows) == {0: 2, 1: 4, 3: 5}
    assert newest_rows(Trades.empty()) == {}


def test_a_trade_that_fills_a_hole_does_not_take_the_price_back(live: Live) -> None:
    live.feed("binance")
    live.apply(traded((0, 100, 500), (0, 200, 510)), {})
    live.apply(traded((0, 150, 900)), {})
    row = live.price_row(0)
    assert row is not None
    assert (bytes(row.price), row.timestamp) == (b"5.1", 200)
    assert live.feeds["binance"].lag_ms == 7.0


def test_a_candle_stays_open_until_its_own_end(live: Live) -> None:
    live.apply(preview(opened(0, 60, 2 * MINUTE_NS, 200)), {})
    live.apply(closed(opened(0, 60, MINUTE_NS, 100, final=1, revision=3)), {})
    assert live.candles[0, 60].open_ns == 2 * MINUTE_NS
    live.apply(closed(opened(0, 60, 2 * MINUTE_NS, 200, final=1)), {})
    assert live.candles == {}


def test_one_batch_may_close_a_candle_and_open_the_next(live: Live) -> None:
    live.apply(preview(opened(0, 60, MINUTE_NS, 100)), {})
    both = closed(opened(0, 60, MINUTE_NS, 101, final=1))
    both.previews = Candles.from_rows([opened(0, 60, 2 * MINUTE_NS, 102)])
    live.apply(both, {})
    assert live.candles[0, 60].open_ns == 2 * MINUTE_NS


def test_after_a_start_the_restored_ticks_give_the_last_prices(live: Live) -> None:
    live.apply(Outcome(), {0: (-1, 6_183_763, 61_900.0, True), 1: (0, None, math.nan, False)})
    row = live.price_row(0)
    assert row is not None
    assert (bytes(row.price), row.signal, row.sma_20) == (b"61837.63", "SELL", 61_900.0)
    assert live.price_row(1) is None
    assert live.recommendation(live.instruments[1]).recommendation == "HOLD"


def test_a_made_up_venue_has_rows_and_no_feed(live: Live) -> None:
    live.feed("binance").state = "down"
    test = live.instruments.declare(Instrument("test", "BTC/USDT", "BTCUSDT", 8, 8))
    live.apply(traded((test.series, 100, 5)), {})
    assert [feed.venue for feed in live.status(1, 0).feeds] == ["binance"]
    assert live.symbol_row(test).feed_state == "none"
    assert live.failures() == ["feed binance: down"]


def test_feeds_count_what_was_refused_and_know_their_age(live: Live) -> None:
    live.feed("kraken")
    bad = Quarantined("kraken", "truncated", "half a frame", b"{", 1)
    live.apply(Outcome(quarantined=[bad, bad]), {})
    live.apply(traded((1, 1_000, 5)), {})
    (row,) = live.status(1_507 * MS, 0).feeds
    assert (row.peer_errors, row.lag_ms, row.age_ms) == (2, 7.0, 500.0)


def test_the_newest_quote_holds(live: Live) -> None:
    for bid in (10, 11):
        live.apply(Outcome(quotes={0: Quote(0, bid, 1, 12, 1, 5)}), {})
    assert live.quotes[0].bid == 11
