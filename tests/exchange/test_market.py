"""The market is a function of (seed, symbol, time): whoever asks, and however, gets one answer."""

from __future__ import annotations

import hashlib
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from candlewick.errors import UsageError
from candlewick.exchange import path
from candlewick.exchange.market import (
    DAY_NS,
    MINUTE_NS,
    OPENED_NS,
    Market,
    binance_market,
    kraken_market,
)
from candlewick.model.columns import Side, Trades
from candlewick.model.time import NS_PER_MS, NS_PER_S, NS_PER_US

DAY = 2_150  # Days after the opening: 2025-11-20.
BEGIN_NS = OPENED_NS + DAY * DAY_NS + 11 * 3_600 * NS_PER_S + 58 * MINUTE_NS
SPAN_NS = 4 * MINUTE_NS  # Crosses the hour.
MARKET = binance_market(7, 30.0)
NAMES = [s.symbol for s in MARKET.symbols]


def test_two_markets_of_one_seed_are_one_market() -> None:
    other = binance_market(7, 30.0)
    for name in NAMES:
        mine = MARKET.trades_between(name, BEGIN_NS, BEGIN_NS + SPAN_NS)
        assert mine.same_as(other.trades_between(name, BEGIN_NS, BEGIN_NS + SPAN_NS))


def test_another_seed_is_another_market() -> None:
    other = binance_market(8, 30.0).trades_between(NAMES[0], BEGIN_NS, BEGIN_NS + SPAN_NS)
    assert not MARKET.trades_between(NAMES[0], BEGIN_NS, BEGIN_NS + SPAN_NS).same_as(other)


def test_the_market_is_the_same_on_every_machine() -> None:
    columns = MARKET.trades_between("BTC/USDT", BEGIN_NS, BEGIN_NS + SPAN_NS).records().tobytes()
    assert hashlib.blake2b(columns, digest_size=8).hexdigest() == "97e24ea21f5fd7cd"


@pytest.mark.parametrize("market", [MARKET, kraken_market(7, 30.0)], ids=["binance", "kraken"])
def test_ids_are_contiguous_over_minutes_hours_and_days(market: Market) -> None:
    for edge_ns in (BEGIN_NS + 2 * MINUTE_NS, OPENED_NS + (DAY + 1) * DAY_NS):
        for listed in market.symbols:
            begin_ns = edge_ns - 3 * MINUTE_NS
            rows = market.trades_between(listed.symbol, begin_ns, edge_ns + 3 * MINUTE_NS)
            if len(rows):
                assert (np.diff(rows.id) == 1).all()
                assert rows.id[-1] == market.last_id_at(listed.symbol, edge_ns + 3 * MINUTE_NS - 1)
                assert rows.id[0] == market.last_id_at(listed.symbol, begin_ns - 1) + 1
                assert (np.diff(rows.at_ns) >= 0).all()


def test_the_first_trade_ever_has_id_one_and_nothing_is_before_it() -> None:
    assert MARKET.last_id_at("BTC/USDT", OPENED_NS - 1) == 0
    assert len(MARKET.trades_between("BTC/USDT", OPENED_NS - DAY_NS, OPENED_NS)) == 0
    first = MARKET.trades_from_id("BTC/USDT", -5, 3, OPENED_NS + DAY_NS)
    assert first.id.tolist() == [1, 2, 3]


@settings(max_examples=40, deadline=None)
@given(
    name=st.sampled_from(["BTC/USDT", "LTC/USDT", "KAVA/USDT"]),
    cuts=st.lists(st.integers(0, SPAN_NS), min_size=1, max_size=6).map(sorted),
)
def test_any_cut_of_time_gives_the_whole(name: str, cuts: list[int]) -> None:
    edges = [BEGIN_NS, *(BEGIN_NS + c for c in cuts), BEGIN_NS + SPAN_NS]
    parts = [MARKET.trades_between(name, *e) for e in pairwise(edges)]
    assert Trades.concat(parts).same_as(MARKET.trades_between(name, BEGIN_NS, BEGIN_NS + SPAN_NS))


def test_a_span_holds_its_first_moment_and_not_its_last() -> None:
    at_ns = int(MARKET.trades_between("BTC/USDT", BEGIN_NS, BEGIN_NS + SPAN_NS).at_ns[7])
    assert (MARKET.trades_between("BTC/USDT", at_ns, at_ns + 1).at_ns == at_ns).any()
    assert not (MARKET.trades_between("BTC/USDT", BEGIN_NS, at_ns).at_ns == at_ns).any()


@settings(max_examples=40, deadline=None)
@given(skip=st.integers(0, 2_000), count=st.integers(1, 1_500))
def test_trades_by_id_are_the_trades_by_time(skip: int, count: int) -> None:
    end_ns = BEGIN_NS + SPAN_NS
    whole = MARKET.trades_between("ETH/USDT", BEGIN_NS, end_ns)
    found = MARKET.trades_from_id("ETH/USDT", int(whole.id[0]) + skip, count, end_ns - 1)
    assert found.same_as(whole.take(slice(skip, skip + count)))


def test_the_last_id_at_every_trade_is_its_own_or_of_one_with_the_same_time() -> None:
    rows = MARKET.trades_between("SOL/USDT", BEGIN_NS, BEGIN_NS + MINUTE_NS)
    for at_ns in rows.at_ns.tolist():
        assert MARKET.last_id_at("SOL/USDT", at_ns) == rows.id[rows.at_ns <= at_ns].max()


@pytest.mark.parametrize(
    ("market", "step_ns"),
    [(MARKET, NS_PER_MS), (kraken_market(7, 30.0), NS_PER_US)],
    ids=["binance", "kraken"],
)
def test_trades_keep_to_the_grids_and_to_both_sides(market: Market, step_ns: int) -> None:
    for listed in market.symbols:
        rows = market.trades_between(listed.symbol, BEGIN_NS, BEGIN_NS + 60 * MINUTE_NS)
        assert len(rows) > 0
        assert (rows.price % listed.instrument.tick == 0).all()
        assert (rows.size % listed.instrument.lot == 0).all()
        assert (rows.price > 0).all()
        assert (rows.size > 0).all()
        assert (rows.at_ns % step_ns == 0).all()
        assert set(rows.side.tolist()) <= {Side.BUY, Side.SELL}
        assert (rows.series == listed.instrument.series).all()
        if len(rows) > 200:
            assert 0.35 < (rows.side == Side.BUY).mean() < 0.65


def test_no_two_kraken_trades_of_a_pair_share_a_time_however_busy_it_is() -> None:
    busy = kraken_market(7, 2_000.0)
    rows = busy.trades_between("BTC/USD", BEGIN_NS, BEGIN_NS + 2 * MINUTE_NS)
    assert len(rows) > 50_000
    assert (np.diff(rows.at_ns) > 0).all()


def test_takers_never_trade_inside_the_touch() -> None:
    rows = MARKET.trades_between("ADA/USDT", BEGIN_NS, BEGIN_NS + SPAN_NS)
    for at_ns, price, side in zip(rows.at_ns, rows.price, rows.side, strict=True):
        bid, ask = MARKET.touch_at("ADA/USDT", int(at_ns))
        assert price >= ask if side == Side.BUY else price <= bid


def test_activity_is_as_asked_and_differs_widely() -> None:
    counts = {
        n: MARKET.last_id_at(n, BEGIN_NS) - MARKET.last_id_at(n, BEGIN_NS - DAY_NS) for n in NAMES
    }
    assert 0.7 < sum(counts.values()) / (30.0 * 86_400) < 1.4
    assert counts["BTC/USDT"] > 5 * 86_400  # Many a second.
    assert counts["KAVA/USDT"] < 1_440  # Fewer than one a minute.


def test_trades_come_in_bursts() -> None:
    rows = MARKET.trades_between("BTC/USDT", BEGIN_NS, BEGIN_NS + 10 * MINUTE_NS)
    a_second = np.bincount((rows.at_ns - BEGIN_NS) // NS_PER_S, minlength=600)
    assert a_second.var() / a_second.mean() > 2.0


def test_sizes_have_a_heavy_tail() -> None:
    sizes = MARKET.trades_between("BTC/USDT", BEGIN_NS, BEGIN_NS + 60 * MINUTE_NS).size
    assert sizes.mean() > 2 * np.median(sizes)
    assert sizes.max() > 100 * np.median(sizes)


def test_minute_changes_are_those_of_a_real_market() -> None:
    for listed in MARKET.symbols:
        first = BEGIN_NS // MINUTE_NS
        ends = [path.minute_path(listed.character, first + i)[[0, -1]] for i in range(360)]
        typical = np.median([abs(b - a) for a, b in ends]) / 0.6745
        assert 0.4 < typical / listed.character.volatility < 2.5


def test_prices_stay_in_their_decade_over_years() -> None:
    for listed in MARKET.symbols:
        minutes = OPENED_NS // MINUTE_NS + np.arange(0, 6 * 365 * 1_440, 1_440)
        assert np.abs(path.whole_minutes(listed.character, minutes)).max() < 1.5


def test_the_path_is_whole_at_the_edges_of_its_minutes() -> None:
    who = MARKET.symbol("SOL/USDT").character
    first = BEGIN_NS // MINUTE_NS
    for minute in range(first, first + 120):
        gap = path.minute_path(who, minute)[-1] - path.minute_path(who, minute + 1)[0]
        assert abs(gap) < 1e-12


def test_symbols_move_together_but_not_as_one() -> None:
    minutes = OPENED_NS // MINUTE_NS + np.arange(0, 60 * 24 * 200, 60)
    btc, eth = (
        np.diff(path.whole_minutes(MARKET.symbol(n).character, minutes))
        for n in ("BTC/USDT", "ETH/USDT")
    )
    assert 0.4 < np.corrcoef(btc, eth)[0, 1] < 0.95


def test_every_traded_asset_has_a_minute_of_more_than_five_percent_every_day() -> None:
    for listed in MARKET.symbols[:8]:  # The two quiet ones may not trade at both ends of theirs.
        day = DAY + OPENED_NS // DAY_NS
        minute = day * 1_440 + path.spike_minute(listed.character, day)
        bar = MARKET.bar(listed.symbol, minute * MINUTE_NS, 60, (minute + 1) * MINUTE_NS)
        assert bar is not None
        assert abs(bar.close / bar.open - 1.0) > 0.05, listed.symbol


def test_outside_the_spikes_five_percent_is_rare() -> None:
    who = MARKET.symbol("KAVA/USDT").character
    first = BEGIN_NS // DAY_NS * 1_440
    ends = [path.minute_path(who, first + i)[[0, -1]] for i in range(1_440)]
    assert sum(abs(b - a) > 0.05 for a, b in ends) == 1


def test_one_asset_has_one_price_on_both_venues() -> None:
    kraken = kraken_market(7, 30.0)
    for at_ns in range(BEGIN_NS, BEGIN_NS + SPAN_NS, MINUTE_NS):
        here, there = MARKET.touch_at("BTC/USDT", at_ns)[0], kraken.touch_at("BTC/USD", at_ns)[0]
        assert abs(here / 100 - there / 10) < 6.0  # One step of the touch.


def test_a_market_without_trades_is_refused() -> None:
    with pytest.raises(UsageError, match="trades_per_s is 0"):
        binance_market(7, 0)
