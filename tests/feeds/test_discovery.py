"""A venue is a file: found by its name, with everything that the shell needs to reach it."""

from __future__ import annotations

import json

import pytest

from candlewick import feeds
from candlewick.errors import UsageError
from candlewick.feeds.decoded import Feed


def test_venues_are_found_by_their_file_names() -> None:
    assert feeds.venues() == ("binance", "kraken")


def test_an_unknown_venue_is_refused_with_the_known_ones() -> None:
    with pytest.raises(UsageError, match="binance, kraken"):
        feeds.venue("mtgox")


@pytest.mark.parametrize("name", feeds.venues())
def test_a_venue_describes_itself(name: str) -> None:
    feed = feeds.venue(name).FEED
    assert isinstance(feed, Feed)
    assert feed.name == name
    assert feed.ws_url.startswith("wss://")
    assert feed.rest_url.startswith("https://")
    assert not feed.rest_url.endswith("/")
    native = feed.native("BTC/USDT")
    for path in (
        feed.instruments_path([native]),
        feed.depth_path(native),
        feed.history_path(native, 1, 1),
    ):
        assert path.startswith("/")
        assert native in path


def test_binance_subscribes_by_its_address() -> None:
    feed = feeds.venue("binance").FEED
    assert feed.connect_url("ws://h:1", ["BTCUSDT", "ETHUSDT"]) == (
        "ws://h:1/stream?streams=btcusdt@trade/btcusdt@bookTicker/btcusdt@depth@100ms"
        "/ethusdt@trade/ethusdt@bookTicker/ethusdt@depth@100ms"
    )
    assert feed.subscribe(["BTCUSDT"]) == []
    with pytest.raises(UsageError, match="binance takes 341"):
        feed.connect_url("ws://h:1", ["X"] * 342)


def test_kraken_subscribes_by_messages() -> None:
    feed = feeds.venue("kraken").FEED
    assert feed.connect_url("ws://h:1/v2", ["BTC/USD"]) == "ws://h:1/v2"
    sent = [json.loads(m) for m in feed.subscribe(["BTC/USD", "ETH/USD"])]
    assert [m["params"]["channel"] for m in sent] == ["trade", "book"]
    assert all(m["params"]["symbol"] == ["BTC/USD", "ETH/USD"] for m in sent)
    assert [m["params"]["snapshot"] for m in sent] == [False, True]  # History makes the seam.
    again = [json.loads(m) for m in feed.resubscribe("BTC/USD")]
    assert [m["method"] for m in again] == ["unsubscribe", "subscribe"]
    assert json.loads(feed.ping) == {"method": "ping"}
