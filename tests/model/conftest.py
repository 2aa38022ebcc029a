"""Batches of every kind as hypothesis strategies, and the published schema compiled."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from candlewick.model.batches import CODES, NAMED, Batch
from candlewick.model.columns import Columns, Trades
from candlewick.model.instruments import Instrument, Instruments

SERIES = {
    0: Instrument("binance", "BTC/USDT", "BTCUSDT", 2, 5, 1, 1, 0),
    3: Instrument("kraken", "ETH/EUR", "ETH/EUR", 8, 8, 100, 10, 3),
    2**31 - 1: Instrument("kraken", "SHIB/USD", "SHIB/USD", 0, 0, 1, 1, 2**31 - 1),
}
INT32, INT64 = st.integers(-(2**31), 2**31 - 1), st.integers(-(2**63), 2**63 - 1)
WIDTHS = {"i4": INT32, "i8": INT64, "u8": st.integers(0, 2**64 - 1), "f8": st.floats(width=64)}


def elements(kind: type[Columns], name: str, names: tuple[str, ...]) -> st.SearchStrategy[Any]:
    """What a column may hold."""
    if name == "series":
        return st.sampled_from(sorted(SERIES))
    if name in CODES[kind]:
        return st.sampled_from(CODES[kind][name])
    if NAMED.get(kind) == name:
        return st.integers(0, len(names) - 1)
    if name == "interval_s":
        return st.integers(1, 86_400)
    if name == "revision":
        return st.integers(0, 2**31 - 1)
    return WIDTHS[kind.DTYPES[name]]


@st.composite
def drawn(draw: st.DrawFn, kind: type[Columns]) -> Batch:
    names = tuple(draw(st.lists(st.text(max_size=9), min_size=1, max_size=4, unique=True)))
    rows = draw(st.integers(0, 12))
    columns = {
        name: draw(hnp.arrays(dtype, rows, elements=elements(kind, name, names)))
        for name, dtype in kind.DTYPES.items()
    }
    used = {series: SERIES[series] for series in sorted(set(columns["series"].tolist()))}
    return Batch(kind(**columns), used, names)


@pytest.fixture(scope="session")
def batches() -> Callable[[type[Columns]], st.SearchStrategy[Batch]]:
    """Any batch of a kind, its instruments exactly those of its rows."""
    return lambda kind: drawn(kind)


@pytest.fixture(scope="session")
def registry() -> Instruments:
    instruments = Instruments()
    instruments.declare(Instrument("binance", "BTC/USDT", "BTCUSDT", 2, 5))
    instruments.declare(Instrument("kraken", "ETH/EUR", "ETH/EUR", 2, 8, 5, 10))
    return instruments


@pytest.fixture(scope="session")
def trades() -> Trades:
    return Trades.from_rows(
        [
            (0, 11, 1_500_000_000, 1_600_000_000, 6_183_763, 27_625, 1),
            (1, 12, 2_000_000_000, 0, 312_400, 100_000_000, -1),
            (0, 12, 2_000_000_001, 2_000_000_002, 6_183_700, 1, 0),
        ]
    )


@pytest.fixture(scope="session")
def published(repo: Path, tmp_path_factory: pytest.TempPathFactory) -> ModuleType:
    """`candlewick.proto` as anybody else compiles it."""
    protoc = pytest.importorskip("grpc_tools.protoc")
    folder = tmp_path_factory.mktemp("protoc")
    model = repo / "src" / "candlewick" / "model"
    arguments = ["protoc", f"-I{model}", f"--python_out={folder}", "candlewick.proto"]
    assert protoc.main(arguments) == 0
    spec = importlib.util.spec_from_file_location("candlewick_pb2", folder / "candlewick_pb2.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["candlewick_pb2"] = module
    spec.loader.exec_module(module)
    return module
