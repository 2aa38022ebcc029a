"""Decimal text and integers: exact both ways, or a `PeerError`."""

from __future__ import annotations

import doctest
from decimal import Decimal, localcontext

import pytest
from hypothesis import given
from hypothesis import strategies as st

from candlewick.errors import PeerError
from candlewick.model import money, words
from candlewick.model.money import INT64_MAX, join_128, to_text, to_units


@pytest.mark.parametrize("module", [money, words], ids=lambda module: module.__name__)
def test_the_examples_in_the_docstrings_hold(module: object) -> None:
    found = doctest.testmod(module)  # type: ignore[arg-type]
    assert found.attempted > 0
    assert found.failed == 0


@given(st.integers(-INT64_MAX, INT64_MAX), st.integers(0, 18))
def test_text_and_units_round_trip(units: int, decimals: int) -> None:
    text = to_text(units, decimals)
    assert to_units(text, decimals) == units
    assert Decimal(text) == Decimal(units).scaleb(-decimals)
    assert "." not in text or text[-1] != "0"


@given(
    st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**12), max_value=10**12),
    st.integers(0, 12),
)
def test_every_spelling_is_read_exactly_or_refused_never_rounded(
    value: Decimal, decimals: int
) -> None:
    """Against `decimal`: plain, scientific and zero-padded spellings."""
    with localcontext() as context:
        context.prec = 200
        scaled = value.scaleb(decimals)
        exact = int(scaled) if scaled == scaled.to_integral_value() else None
    for text in (str(value), f"{value:f}", f"{value:E}"):
        if len(text) >= 40:
            continue
        if exact is None:
            with pytest.raises(PeerError):
                to_units(text, decimals)
        elif abs(exact) <= INT64_MAX:
            assert to_units(text, decimals) == exact


@given(st.text(max_size=45) | st.text("0123456789.eE+-", max_size=12), st.integers(0, 12))
def test_any_text_is_a_number_or_a_peer_error(text: str, decimals: int) -> None:
    try:
        units = to_units(text, decimals)
    except PeerError:
        return
    assert Decimal(text) * 10**decimals == units


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "bad_number"),
        (".", "bad_number"),
        ("-", "bad_number"),
        ("1.2.3", "bad_number"),
        ("1,5", "bad_number"),
        ("0x10", "bad_number"),
        ("1_000", "bad_number"),
        (" 1", "bad_number"),
        ("1\n", "bad_number"),
        ("NaN", "bad_number"),
        ("Infinity", "bad_number"),
        ("٣.٣", "bad_number"),
        ("1²", "bad_number"),
        ("1" * 40, "bad_number"),
        ("1e400", "too_large"),
        ("1e99999", "bad_number"),
        ("92233720368547758.08", "too_large"),
        ("9223372036854775807", "too_large"),
        ("0.001", "too_fine"),
        ("1e-3", "too_fine"),
    ],
)
def test_what_is_no_price_is_refused_with_a_reason(text: str, reason: str) -> None:
    with pytest.raises(PeerError) as refused:
        to_units(text, 2)
    assert refused.value.reason == reason


@given(st.integers(-(2**127), 2**127 - 1))
def test_two_words_join_to_their_integer(total: int) -> None:
    assert join_128(total >> 64, total & (2**64 - 1)) == total
