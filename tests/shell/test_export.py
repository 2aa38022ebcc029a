"""Exports: the promised header, exact decimals, every row once, in order, page by page."""

from __future__ import annotations

import csv
import io
import json
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from candlewick.errors import UsageError
from candlewick.model.columns import Candles, Indicators, Trades
from candlewick.model.instruments import Instrument
from candlewick.model.outcome import Outcome
from candlewick.model.time import NS_PER_S, from_rfc3339
from candlewick.shell import export as export_module
from candlewick.shell.export import export
from candlewick.shell.reader import Reader
from candlewick.shell.store import Store

NOON_NS = from_rfc3339("2024-02-29T12:00:00Z")


@pytest.fixture
def reader(tmp_path: Path, listing: tuple[Instrument, ...]) -> Iterator[Reader]:
    """Two bars by hand, one without trades, and what belongs to them."""
    candles = Candles.from_rows(
        [
            (0, 60, NOON_NS, 6183763, 6183800, 6183700, 6183750, 27625, 1000, 0, 170826453125,
             2, 7, 9, 1, 1, 2 | 8),
            (0, 60, NOON_NS + 60 * NS_PER_S, 6183750, 6183750, 6183750, 6183750, 0, 0, 0, 0,
             0, -1, -1, 0, 0, 0),
        ]
    )  # fmt: skip
    trades = Trades.from_rows(
        [
            (0, 7, NOON_NS, 0, 6183763, 10_000_000, 1),
            (0, 9, NOON_NS + 1_500_000_000, 0, 6183750, 27625, -1),
            (1, 7, NOON_NS, 0, 180_000, 1, 0),
        ]
    )
    indicators = Indicators.from_rows(
        [(0, 60, NOON_NS, 0, 0.1 + 0.2, 1), (0, 60, NOON_NS, 1, float("nan"), 1)]
    )
    with Store.open(tmp_path, indicator_names=("sma_2", "rsi_14")) as store:
        store.save_instruments(listing)
        store.commit(Outcome(trades=trades, candles=candles, indicators=indicators))
    with Reader(tmp_path) as reader:
        yield reader


def text(reader: Reader, what: Any, **options: Any) -> str:
    out = io.StringIO()
    count = export(reader, what, options.pop("symbol", "BTCUSDT"), out, **options)
    assert (
        count
        == out.getvalue().count("\n") - {"csv": 1, "json": 2, "jsonl": 0}[options.get("fmt", "csv")]
    )
    return out.getvalue()


def test_candles_as_csv_are_exactly_the_promised_text(reader: Reader) -> None:
    assert text(reader, "candles") == (
        "open_time,open,high,low,close,volume,quote_volume,taker_buy_volume,trades,"
        "first_trade_id,last_trade_id,revision,final,coverage\n"
        "2024-02-29T12:00:00Z,61837.63,61838,61837,61837.5,0.00027625,17.0826453125,0.00001,2,"
        "7,9,1,true,gap|revised\n"
        "2024-02-29T12:01:00Z,61837.5,61837.5,61837.5,61837.5,0,0,0,0,,,0,false,complete\n"
    )


def test_trades_as_csv_name_the_taker_and_the_nanosecond(reader: Reader) -> None:
    assert text(reader, "trades") == (
        "time,id,price,size,side,venue,symbol\n"
        "2024-02-29T12:00:00Z,7,61837.63,0.1,buy,binance,BTC/USDT\n"
        "2024-02-29T12:00:01.500Z,9,61837.5,0.00027625,sell,binance,BTC/USDT\n"
    )
    assert text(reader, "trades", symbol="eth-eur", venue="kraken").endswith(
        "2024-02-29T12:00:00Z,7,1800,0.00000001,unknown,kraken,ETH/EUR\n"
    )


def test_indicators_keep_every_digit_and_leave_nothing_where_nothing_is(reader: Reader) -> None:
    assert text(reader, "indicators") == (
        "open_time,name,value,revision\n"
        "2024-02-29T12:00:00Z,sma_2,0.30000000000000004,1\n"
        "2024-02-29T12:00:00Z,rsi_14,,1\n"
    )


def test_json_and_json_lines_carry_the_same_rows_as_csv(reader: Reader) -> None:
    for what in ("candles", "trades", "indicators"):
        whole = json.loads(text(reader, what, fmt="json"))
        lines = [json.loads(line) for line in text(reader, what, fmt="jsonl").splitlines()]
        assert whole == lines
        table = list(csv.DictReader(io.StringIO(text(reader, what))))
        words = {None: "", True: "true", False: "false"}
        as_text = [
            {k: words[v] if v is None or isinstance(v, bool) else str(v) for k, v in row.items()}
            for row in whole
        ]
        assert as_text == table
    assert isinstance(whole[0]["value"], float)
    assert whole[1]["value"] is None


def test_a_span_takes_its_start_and_not_its_end(reader: Reader) -> None:
    minute = NOON_NS + 60 * NS_PER_S
    assert "12:01:00" not in text(reader, "candles", end_ns=minute)
    assert "12:00:00" not in text(reader, "candles", start_ns=minute)
    assert text(reader, "trades", start_ns=NOON_NS + 1).count("\n") == 2
    assert text(reader, "trades", end_ns=NOON_NS).count("\n") == 1
    assert text(reader, "indicators", start_ns=minute).count("\n") == 1


def test_what_is_not_there_is_said_with_what_is(reader: Reader) -> None:
    for options, said in (
        ({"symbol": "DOGE/EUR"}, "holds no DOGE/EUR; it holds binance BTC/USDT, kraken ETH/EUR"),
        ({"venue": "kraken"}, "holds no kraken BTCUSDT"),
        ({"interval_s": 300}, "no candles of 5m; the data directory holds 1m"),
        ({"fmt": "xml"}, "format 'xml': expected one of csv, json, jsonl"),
        ({"what": "orders"}, "export 'orders': expected one of candles, trades, indicators"),
    ):
        arguments: dict[str, Any] = {"what": "candles", "symbol": "BTCUSDT"} | options
        with pytest.raises(UsageError) as caught:
            export(reader, out=io.StringIO(), **arguments)
        assert said in str(caught.value)


def test_pages_are_joined_without_a_hole_or_a_repeat(
    tmp_path: Path,
    market: Callable[..., Any],
    listing: tuple[Instrument, ...],
    names: tuple[str, ...],
    kinds: tuple[str, ...],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with Store.open(tmp_path, indicator_names=names, anomaly_kinds=kinds) as store:
        store.save_instruments(listing)
        store.commit(market(4).outcome(500))
    with Reader(tmp_path) as reader:
        whole = {what: text(reader, what) for what in ("candles", "trades", "indicators")}
        assert whole["trades"].count("\n") == 501
        for rows in (1, 7, 500):
            monkeypatch.setattr(export_module, "_PAGE_ROWS", rows)
            assert whole == {what: text(reader, what) for what in whole}


def test_memory_does_not_grow_with_the_rows(
    tmp_path: Path, listing: tuple[Instrument, ...]
) -> None:
    class Nowhere(io.TextIOBase):
        def write(self, text: str) -> int:
            return len(text)

    peaks = []
    with Store.open(tmp_path) as store, Reader(tmp_path) as reader:
        store.save_instruments(listing)
        for upto in (15_000, 60_000):
            rows = [(0, id_, NOON_NS + id_, 0, 100, 1, 1) for id_ in range(1, upto + 1)]
            store.commit(Outcome(trades=Trades.from_rows(rows)))
            del rows
            tracemalloc.start()
            assert export(reader, "trades", "BTC", Nowhere()) == upto
            peaks.append(tracemalloc.get_traced_memory()[1])
            tracemalloc.stop()
    assert peaks[1] < 1.2 * peaks[0]
