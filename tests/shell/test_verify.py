"""`verify` finds nothing in an honest store, and each planted damage by the name of its promise."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from candlewick.candles.bars import Bars
from candlewick.model.columns import GAP_KINDS, Events, Gaps, Kind, Trades
from candlewick.model.instruments import Instrument, Instruments
from candlewick.model.outcome import Outcome
from candlewick.model.time import NS_PER_S
from candlewick.shell import refold
from candlewick.shell import verify as verify_module
from candlewick.shell.database import FILE_NAME, StoreError
from candlewick.shell.ledger import excluded, holes_of, listed
from candlewick.shell.store import Store
from candlewick.shell.verify import Finding, verify

MISSING = {0: range(1_100, 1_104), 1: range(5_000_000_200, 5_000_000_201)}
PROMISES = {
    "file", "trade_ids", "trades_in_candles", "candle_fold", "gap_flags", "revisions", "markets",
    "indicators", "signals", "anomalies",
}  # fmt: skip


@pytest.fixture
def filled(
    tmp_path: Path,
    market: Callable[..., Any],
    listing: tuple[Instrument, ...],
    names: tuple[str, ...],
    kinds: tuple[str, ...],
) -> Path:
    """An honest store of two series, each with one listed hole."""
    tape = market(21, missing=MISSING)
    with Store.open(tmp_path, indicator_names=names, anomaly_kinds=kinds) as store:
        store.save_instruments(listing)
        for _ in range(5):
            store.commit(tape.outcome(150))
    return tmp_path


def broken(data_dir: Path) -> dict[str, Finding]:
    """The promises that do not hold."""
    findings = verify(data_dir)
    assert {finding.name for finding in findings} == PROMISES
    return {finding.name: finding for finding in findings if not finding.ok}


def damage(data_dir: Path, sql: str) -> None:
    link = sqlite3.connect(data_dir / FILE_NAME)
    changed = link.execute(sql).rowcount
    link.commit()
    link.close()
    assert changed > 0, "the damage did not hit anything"


def test_an_honest_store_has_no_finding_and_much_was_checked(filled: Path) -> None:
    told: list[tuple[int, int]] = []
    findings = {f.name: f for f in verify(filled, lambda done, total: told.append((done, total)))}
    assert [f for f in findings.values() if not f.ok] == []
    assert findings["trade_ids"].checked == 1_500
    assert min(f.checked for f in findings.values()) >= 1
    assert findings["candle_fold"].checked > 40
    assert told[-1] == (1_500, 1_500)


IN_A_BAR = "(SELECT first_trade_id + 1 FROM candles WHERE series = 0 AND trades > 5 LIMIT 1)"
DAMAGES = {
    "a trade deleted": (
        f"DELETE FROM trades WHERE series = 0 AND id = {IN_A_BAR}",
        {"trade_ids", "candle_fold", "trades_in_candles"},
        "are missing and in no open gap",
    ),
    "the last trade of a bar deleted": (
        "DELETE FROM trades WHERE series = 0 AND id = "
        "(SELECT last_trade_id FROM candles WHERE series = 0 AND trades > 5 LIMIT 1)",
        {"trade_ids", "candle_fold", "trades_in_candles"},
        "close is",
    ),
    "a size changed": (
        f"UPDATE trades SET size = size + 1 WHERE series = 0 AND id = {IN_A_BAR}",
        {"candle_fold", "trades_in_candles"},
        "volume is",
    ),
    "a price changed by one tick": (
        f"UPDATE trades SET price = price + 1 WHERE series = 0 AND id = {IN_A_BAR}",
        {"candle_fold"},
        "quote is",
    ),
    "a side swapped": (
        f"UPDATE trades SET side = -side WHERE series = 0 AND id = {IN_A_BAR}",
        {"candle_fold"},
        "taker_buy is",
    ),
    "a trade moved into another bar": (
        f"UPDATE trades SET at_ns = at_ns + 600000000000 WHERE series = 0 AND id = {IN_A_BAR}",
        {"candle_fold"},
        "its trades give",
    ),
    "a candle's high raised": (
        "UPDATE candles SET high = high + 1 WHERE series = 1 AND interval_s = 300",
        {"candle_fold"},
        "kraken ETH/EUR 5m",
    ),
    "a candle deleted": (
        "DELETE FROM candles WHERE series = 0 AND interval_s = 60 AND open_ns = "
        "(SELECT max(open_ns) - 60000000000 FROM candles WHERE series = 0 AND interval_s = 60)",
        {"trades_in_candles", "indicators"},
        "trades are stored, a final candle is not",
    ),
    "a ledger row dropped": (
        "DELETE FROM gaps WHERE series = 0",
        {"trade_ids", "gap_flags"},
        "trades 1100 to 1103 are missing and in no open gap",
    ),
    "a ledger row that claims a repair": (
        "UPDATE gaps SET repaired_ns = 5 WHERE series = 1",
        {"trade_ids"},
        "trades 5000000200 to 5000000200 are missing",
    ),
    "a ledger row that counts wrongly": (
        "UPDATE gaps SET missing = 3 WHERE series = 0",
        {"trade_ids"},
        "the gap 1100 to 1103 says 3 missing, the store lacks 4",
    ),
    "a gap flag taken away": (
        "UPDATE candles SET coverage = coverage & ~2 WHERE series = 0 AND coverage & 2",
        {"gap_flags"},
        "lies in an open gap, yet has no gap flag",
    ),
    "a gap flag added": (
        "UPDATE candles SET coverage = coverage | 2 WHERE series = 0 AND interval_s = 60 AND "
        "open_ns = (SELECT max(open_ns) FROM candles WHERE series = 0 AND interval_s = 60)",
        {"gap_flags"},
        "has the gap flag, yet the ledger lists no gap there",
    ),
    "a revision without its flag": (
        "UPDATE candles SET revision = 1 WHERE series = 0 AND interval_s = 60",
        {"revisions"},
        "revision 1, final 1",
    ),
    "an indicator moved off its candle": (
        "UPDATE indicators SET open_ns = open_ns + 1 WHERE series = 0 AND interval_s = 60",
        {"indicators"},
        "an indicator without its candle",
    ),
    "an alert moved off its candle": (
        "UPDATE anomalies SET open_ns = open_ns + 1",
        {"anomalies"},
        "volatility: an alert without its candle",
    ),
    "a signal of no trade": (
        "UPDATE signals SET id = 77 WHERE series = 1 AND id = "
        "(SELECT min(id) FROM signals WHERE series = 1)",
        {"signals"},
        "a signal of trade 77, which is not stored",
    ),
    "an instrument lost": (
        "DELETE FROM instruments WHERE series = 1",
        {"markets"},
        "series 1: trades of a series that no instrument has",
    ),
}


@pytest.mark.parametrize("what", DAMAGES)
def test_each_planted_damage_is_found_under_its_name(filled: Path, what: str) -> None:
    sql, names, words = DAMAGES[what]
    damage(filled, sql)
    found = broken(filled)
    assert set(found) == names
    said = "\n".join(example for finding in found.values() for example in finding.examples)
    assert words in said


def test_a_damaged_page_is_found_before_anything_is_believed(filled: Path) -> None:
    path = filled / FILE_NAME
    image = bytearray(path.read_bytes())
    link = sqlite3.connect(path)
    ((root,), (page_bytes,)) = (
        link.execute("SELECT rootpage FROM sqlite_master WHERE name = 'signals'").fetchone(),
        link.execute("PRAGMA page_size").fetchone(),
    )
    link.close()
    start = (root - 1) * page_bytes
    image[start + 8 : start + 64] = bytes(56)
    path.write_bytes(image)
    (finding,) = verify(filled)
    assert (finding.name, finding.ok) == ("file", False)
    assert finding.examples


def test_only_the_first_few_violations_are_worded_and_all_are_counted(filled: Path) -> None:
    damage(filled, "UPDATE candles SET low = low - 1")
    finding = broken(filled)["candle_fold"]
    assert finding.violations > 40
    assert len(finding.examples) == 5


def test_chunks_of_any_size_give_the_same_verdict(
    filled: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    damage(filled, DAMAGES["a trade deleted"][0])
    whole = verify(filled)
    for rows in (1, 13, 150):
        monkeypatch.setattr(verify_module, "_CHUNK_ROWS", rows)
        assert verify(filled) == whole


def test_the_refold_is_exact_beyond_64_bits_however_it_is_cut() -> None:
    rng = np.random.default_rng(5)
    count = 400
    trades = Trades(
        series=np.zeros(count, np.int32),
        id=np.arange(count),
        at_ns=np.sort(rng.integers(0, 600 * NS_PER_S, count)),
        seen_ns=np.zeros(count, np.int64),
        price=rng.integers(10**14, 10**15, count),
        size=rng.integers(10**14, 10**15, count),
        side=rng.choice([-1, 1], count).astype(np.int8),
    )
    whole = refold.fold(trades, 60)
    for cut in (1, 7, 399):
        parts = [refold.fold(trades.take(slice(at, at + cut)), 60) for at in range(0, count, cut)]
        merged = refold.merge(parts)
        for name in (*refold.COMPARED, "open_ns"):
            assert getattr(merged, name).tolist() == getattr(whole, name).tolist()
    by_hand = [0] * 10
    for at_ns, price, size in zip(
        trades.at_ns.tolist(), trades.price.tolist(), trades.size.tolist(), strict=True
    ):
        by_hand[at_ns // (60 * NS_PER_S)] += price * size
    assert whole.quote.tolist() == by_hand
    assert min(by_hand) > 2**64


def gaps_of(*spans: tuple[int, int]) -> Gaps:
    return Gaps.from_rows([(0, 0, a, b, 1, 0, 9, b - a + 1, 0, 0) for a, b in spans])


def test_holes_are_named_across_chunks_and_listed_by_one_row_or_several() -> None:
    assert holes_of(np.array([5, 6, 9, 10, 12]), None) == [(7, 8), (11, 11)]
    assert holes_of(np.array([5, 6]), 2) == [(3, 4)]
    assert holes_of(np.array([3, 4]), 2) == []
    assert listed((7, 8), gaps_of((7, 7), (8, 9)))
    assert listed((7, 8), gaps_of((1, 20)))
    assert not listed((7, 9), gaps_of((7, 7), (9, 9)))
    assert not listed((7, 8), gaps_of())
    assert excluded(np.array([1, 2, 3, 5]), gaps_of((2, 4), (9, 9))).tolist() == [
        False, True, True, False,
    ]  # fmt: skip


def events_of(rng: random.Random, seconds: int) -> list[tuple[int, ...]]:
    """Trades about a second apart, some shuffled, a few far too late, and one hole."""
    rows, at_ns, price = [], 1_700_000_000 * NS_PER_S, 50_000
    for id_ in range(1, seconds):
        at_ns += rng.randrange(2 * NS_PER_S)
        at_ns += 400 * NS_PER_S if rng.random() < 0.005 else 0  # A silence: empty bars.
        price += rng.randrange(-5, 6)
        side = rng.choice((Kind.BUY, Kind.SELL))
        rows.append((0, side, id_, at_ns, at_ns, price, rng.randrange(1, 10**9)))
    for _ in range(seconds // 20):
        at = rng.randrange(seconds - 60)
        rows.insert(at + rng.randrange(2, 50), rows.pop(at))
    for _ in range(3):
        rows.append(rows.pop(rng.randrange(seconds // 3)))
    return rows


@pytest.mark.parametrize("seed", range(4))
def test_what_the_candle_fold_makes_of_disorder_and_lateness_verifies(
    tmp_path: Path, seed: int
) -> None:
    """Two hands wrote them: `candles/` as they came, `refold` from the table; both agree."""
    listing = Instruments()
    listing.declare(Instrument("binance", "BTC/USDT", "BTCUSDT", 2, 8))
    bars = Bars(listing, [60, 300, 3_600], lateness_s=120.0)
    events = Events.from_rows(events_of(random.Random(seed), 4_000))
    late_total = revised = 0
    with Store.open(tmp_path) as store:
        store.save_instruments(listing)
        for start in range(0, len(events), 500):
            batch = events.take(slice(start, start + 500))
            candles, late = bars.scan(batch)
            e = batch.take(late)
            late_rows = [
                (0, GAP_KINDS.index("late"), id_, id_, at, at, at, 0, 0, 0)
                for id_, at in zip(e.id.tolist(), e.at_ns.tolist(), strict=True)
            ]
            trades = Trades(
                batch.series, batch.id, batch.at_ns, batch.seen_ns, batch.price, batch.size,
                batch.kind,
            )  # fmt: skip
            store.commit(Outcome(trades=trades, candles=candles, gaps=Gaps.from_rows(late_rows)))
            late_total += len(late)
            revised += int((candles.revision > 0).sum())
        store.commit(Outcome(), open_candles=bars.preview([0]))
    assert late_total >= 1
    assert revised > 20
    assert broken(tmp_path) == {}


def test_where_no_store_is_it_says_so(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no store here"):
        verify(tmp_path)
