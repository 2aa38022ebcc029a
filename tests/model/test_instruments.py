"""The registry: every spelling finds its market, and stored integers keep their meaning."""

from __future__ import annotations

import doctest

import pytest
from hypothesis import given
from hypothesis import strategies as st

from candlewick.errors import PeerError, UsageError
from candlewick.model import instruments as module
from candlewick.model.instruments import QUOTES, Instrument, Instruments, canonical

WIDEST = (8, 8)
BITCOIN = Instrument("binance", "BTC/USDT", "BTCUSDT", 2, 5)


def test_the_examples_in_the_docstrings_hold() -> None:
    found = doctest.testmod(module)
    assert found.attempted > 0
    assert found.failed == 0


@pytest.mark.parametrize(
    "text",
    ["BTCUSDT", "btcusdt", "BTC-USDT", "BTC/USDT", "BTC%2FUSDT", "btc%2fusdt", "BTC_USDT", "btc",
     "XBT", "XBT/USDT", " BTC/USDT "],
)  # fmt: skip
def test_every_published_spelling_is_one_symbol(text: str) -> None:
    assert canonical(text) == "BTC/USDT"
    registry = Instruments()
    admitted = registry.declare(BITCOIN)
    assert registry.find(text) == [admitted]
    assert registry.find(text, "kraken") == []


def test_the_longest_quote_wins_and_a_quote_alone_is_an_asset() -> None:
    assert canonical("BTCFDUSD") == "BTC/FDUSD"
    assert canonical("ETHBTC") == "ETH/BTC"
    assert canonical("SOL", "EUR") == "SOL/EUR"
    assert list(QUOTES) == sorted(QUOTES, key=len, reverse=True)


@pytest.mark.parametrize(
    "text", ["", "/", "BTC/", "/USDT", "BTC/USDT/EUR", "B TC/USDT", "<b>", "ßTC/USDT/"]
)
def test_what_is_no_symbol_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="expected a form like"):
        canonical(text)


@given(st.text(max_size=20))
def test_any_text_is_a_canonical_symbol_or_a_usage_error(text: str) -> None:
    try:
        symbol = canonical(text)
    except UsageError:
        return
    assert canonical(symbol) == symbol


def test_series_are_dense_and_in_the_order_of_asking() -> None:
    registry = Instruments()
    first = registry.native("kraken", "ETH/EUR", WIDEST)
    second = registry.declare(BITCOIN)
    assert [first.series, second.series] == [0, 1]
    assert [registry[0], registry[1]] == list(registry)
    assert registry.native("kraken", "ETH/EUR", WIDEST) is first
    assert len(registry) == 2


def test_a_bare_asset_means_the_configured_quote_else_any_market_of_it() -> None:
    registry = Instruments()
    euro = registry.declare(Instrument("kraken", "BTC/EUR", "XBT/EUR", 1, 8))
    assert registry.find("btc") == [euro]
    tether = registry.declare(BITCOIN)
    assert registry.find("btc") == [tether]
    assert registry.find("BTC/GBP") == []


def test_a_closed_venue_knows_only_what_was_declared() -> None:
    registry = Instruments()
    registry.declare(BITCOIN)
    registry.close("binance")
    assert registry.native("binance", "BTCUSDT", WIDEST).series == 0
    with pytest.raises(PeerError, match="not subscribed") as refused:
        registry.native("binance", "ETHUSDT", WIDEST)
    assert refused.value.reason == "unknown_symbol"
    assert registry.native("kraken", "ETH/EUR", WIDEST).series == 1


@pytest.mark.parametrize(
    "native", ["", "/", "BTC", "BTC/", "/USD", "BTC/XYZ", "BTC/USD/X", "ßTC/USD", "A" * 99]
)
def test_a_native_name_that_is_no_market_is_refused(native: str) -> None:
    with pytest.raises(PeerError) as refused:
        Instruments().native("kraken", native, WIDEST)
    assert refused.value.reason == "unknown_symbol"


def test_decimals_stay_and_tick_and_lot_follow_under_every_spelling() -> None:
    """Admitted on sight at 8 decimals, then declared by the exchange with 2 and 5."""
    registry = Instruments()
    registry.native("binance", "BTCUSDT", WIDEST)
    assert registry.native("binance", "XBTUSDT", WIDEST).series == 0
    declared = registry.declare(Instrument("binance", "BTC/USDT", "BTCUSDT", 2, 5, 10, 1))
    assert (declared.price_decimals, declared.size_decimals) == WIDEST
    assert (declared.tick, declared.lot, declared.series) == (10 * 10**6, 10**3, 0)
    for spelling in ("BTCUSDT", "XBTUSDT"):
        assert registry.native("binance", spelling, WIDEST) == declared
    assert registry[0] == declared
    assert registry.find("btc") == [declared]


def test_finer_decimals_than_the_stored_ones_are_refused() -> None:
    registry = Instruments()
    registry.declare(BITCOIN)
    with pytest.raises(UsageError, match="start a new data directory"):
        registry.declare(Instrument("binance", "BTC/USDT", "BTCUSDT", 3, 5))


def test_units_are_shown_in_the_instruments_decimals() -> None:
    assert BITCOIN.price_text(6_183_763) == "61837.63"
    assert BITCOIN.size_text(27_625) == "0.27625"
    assert (BITCOIN.base, BITCOIN.quote, BITCOIN.quote_decimals) == ("BTC", "USDT", 7)
