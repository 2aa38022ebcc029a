"""Times and intervals as text: exact both ways, or refused."""

from __future__ import annotations

import doctest
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from candlewick.errors import PeerError, UsageError
from candlewick.model import time
from candlewick.model.time import from_rfc3339, interval_s, interval_text, to_rfc3339


def test_the_examples_in_the_docstrings_hold() -> None:
    found = doctest.testmod(time)
    assert found.attempted > 0
    assert found.failed == 0


@given(st.integers(-(2**63), 2**63 - 1))
def test_every_time_of_64_bits_round_trips(at_ns: int) -> None:
    text = to_rfc3339(at_ns)
    assert from_rfc3339(text) == at_ns
    assert datetime.fromisoformat(text[:19]).replace(tzinfo=UTC).timestamp() == at_ns // 10**9


@pytest.mark.parametrize(
    ("text", "at_ns"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("2023-10-06T17:35:55.440295Z", 1_696_613_755_440_295_000),
        ("2024-02-29T23:59:59.9Z", 1_709_251_199_900_000_000),
        ("1969-12-31T23:59:59.999999999Z", -1),
    ],
)
def test_known_times(text: str, at_ns: int) -> None:
    assert from_rfc3339(text) == at_ns


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Z",
        "2023-10-06",
        "2023-10-06T17:35:55",
        "2023-10-06 17:35:55Z",
        "2023-10-06T17:35:55+00:00",
        "2023-10-06T17:35:55.Z",
        "2023-10-06T17:35:55.1234567890Z",
        "2023-10-06T17:35:55.-12345Z",
        "2023-10-06T17:35:55.٣Z",
        "２０２３-10-06T17:35:55Z",
        "2023-02-29T00:00:00Z",
        "2023-10-06T24:00:00Z",
        "2023-10-06T17:35:60Z",
        "9999-01-01T00:00:00Z",
        "0001-01-01T00:00:00Z",
        "2262-04-11T23:47:16.854775808Z",
        "1677-09-21T00:12:43.145224191Z",
        "2023-10-06T17:35:55Z" * 9,
    ],
)
def test_what_is_no_time_of_ours_is_refused(text: str) -> None:
    with pytest.raises(PeerError) as refused:
        from_rfc3339(text)
    assert refused.value.reason == "bad_time"


@given(st.text(max_size=32))
def test_any_text_is_a_time_or_a_peer_error(text: str) -> None:
    with pytest.raises(PeerError):
        from_rfc3339(text)


@given(st.integers(1, 86_400))
def test_every_interval_has_a_name_that_is_read_back(seconds: int) -> None:
    assert interval_s(interval_text(seconds)) == seconds


@pytest.mark.parametrize("text", ["", "1", "m", "0s", "2d", "86401s", "-1m", "1M", "1.5m", "1 m"])
def test_other_intervals_are_refused(text: str) -> None:
    with pytest.raises(UsageError, match="expected 1s to 1d"):
        interval_s(text)
