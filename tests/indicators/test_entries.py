"""What a user may write under `indicators.names`, and what it is answered."""

from __future__ import annotations

from pathlib import Path

import pytest

from candlewick import indicators
from candlewick.errors import UsageError


def test_every_file_of_the_room_is_found_by_its_name(repo: Path) -> None:
    files = {path.stem for path in (repo / "src/candlewick/indicators").glob("[a-z]*.py")}
    assert set(indicators.names()) == files - {"panel"}
    for name in ("sma", "ema", "rsi", "macd", "bollinger", "atr", "obv", "vwap"):
        assert name in indicators.names()


@pytest.mark.parametrize("file", indicators.names())
def test_every_indicator_keeps_the_contract(file: str) -> None:
    """The plaque says what it takes and gives; without parameters there are customary ones."""
    indicator = indicators.load(file)
    assert indicator.VERSION >= 1
    assert indicator.GIVES[0] == file
    plaque = indicator.__doc__ or ""
    for word in ("takes", "gives", "seed", "source", *indicator.TAKES, *indicator.GIVES[1:]):
        assert word in plaque
    assert indicators.parse(file).outputs[0] == file


@pytest.mark.parametrize(
    ("entry", "parameters"),
    [
        ("rsi", {"period": 14}),
        ("sma_50", {"period": 50}),
        ("ema_10000", {"period": 10_000}),
        ("macd", {"fast": 12, "slow": 26, "signal": 9}),
        ("macd_7_14_9", {"fast": 7, "slow": 14, "signal": 9}),
        ("bollinger_20_2", {"period": 20, "width": 2.0}),
        ("bollinger_20_2.5", {"period": 20, "width": 2.5}),
        ("obv", {}),
        ("vwap", {"session_s": 86_400}),
        ("vwap_0", {"session_s": 0}),
    ],
)
def test_an_entry_says_its_parameters(entry: str, parameters: dict[str, float]) -> None:
    parsed = indicators.parse(entry)
    assert dict(parsed.parameters) == parameters
    assert parsed.outputs[0] == entry


def test_further_outputs_are_called_after_the_entry() -> None:
    bands = indicators.parse("bollinger_20_2").outputs
    assert bands == ["bollinger_20_2", "bollinger_20_2_upper", "bollinger_20_2_lower"]


@pytest.mark.parametrize(
    ("entry", "says"),
    [
        ("smaa_20", "unknown name 'smaa'; did you mean 'sma'"),
        ("bolinger_20_2", "did you mean 'bollinger'"),
        ("panel", "unknown name 'panel'"),
        ("_fma", "unknown name ''"),
        ("", "unknown name ''"),
        ("sma_20_3", "found 2 parameters, expected 1; write sma_<period>, for instance sma_20"),
        ("macd_12", "found 1 parameters, expected 3"),
        ("obv_3", "found 1 parameters, expected 0"),
        ("sma_0", "period is '0', expected a whole number from 1 to 10000"),
        ("sma_10001", "period is '10001'"),
        ("sma_-5", "period is '-5'"),
        ("sma_2.5", "period is '2.5', expected a whole number"),
        ("sma_٣", "period is"),
        ("sma_", "period is ''"),
        ("sma_1e3", "period is '1e3'"),
        ("sma_" + "9" * 5000, "period is '99999999999999999999'"),
        ("bollinger_20_nan", "width is 'nan', expected a number"),
        ("bollinger_20_0", "width is '0'"),
        ("macd_26_12_9", "the fast period must be below the slow one; write macd_12_26_9"),
        ("vwap_86401", "session_s is '86401'"),
    ],
)
def test_a_wrong_entry_is_refused_with_what_to_write(entry: str, says: str) -> None:
    with pytest.raises(UsageError) as refused:
        indicators.parse(entry)
    assert says in str(refused.value)
    assert len(str(refused.value)) < 300
