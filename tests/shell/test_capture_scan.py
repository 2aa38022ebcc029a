"""The compiled lane of captures says what the plain one says, of good lines and of broken ones."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from candlewick.model.outcome import Frame
from candlewick.shell import capture_scan
from candlewick.shell.capture import CaptureReader, capture_line

TEXTS = st.text(st.characters(codec="utf-8"), max_size=40).map(str.encode)
FRAMES = st.builds(
    Frame, TEXTS, st.integers(-(2**62), 2**62), st.just("in"), st.just(""), st.just(0)
)
_PIECES = (
    b"\\", b'"', b"\\u0041", b"\\n", b"\x00", b"\x7f", b"\xff", b"0", b"}", b" ", b"\n", b"1e9",
)  # fmt: skip


def plain(lines: bytes) -> list[Frame]:
    """Every line by itself."""
    return CaptureReader()._one_by_one(lines)


def scanned(lines: bytes) -> int:
    """How many lines the compiled lane takes before it stops."""
    out = np.empty(len(lines), np.uint8)
    ends, seen = np.empty((2, len(lines) // capture_scan.LINE_BYTES_MIN + 1), np.int64)
    return capture_scan.scan(np.frombuffer(lines, np.uint8), out, ends, seen)[0]


@settings(deadline=None)
@given(st.lists(FRAMES, min_size=1, max_size=30))
def test_written_frames_come_back(frames: list[Frame]) -> None:
    lines = b"".join(map(capture_line, frames))
    assert CaptureReader().frames(lines) == plain(lines) == frames


@settings(deadline=None, max_examples=300)
@given(st.data())
def test_a_damaged_line_is_read_as_the_plain_lane_reads_it(data: st.DataObject) -> None:
    lines = [
        capture_line(Frame(b'{"e":"trade","p":"1.%d"}\\ \n' % k, 10**18 + k)) for k in range(40)
    ]
    which = data.draw(st.integers(0, 39))
    place = data.draw(st.integers(0, len(lines[which]) - 2))
    width = data.draw(st.integers(0, 3))
    piece = data.draw(st.sampled_from(_PIECES) | st.binary(max_size=3))
    lines[which] = lines[which][:place] + piece + lines[which][place + width :]
    whole = b"".join(lines)
    assert CaptureReader().frames(whole) == plain(whole)


@pytest.mark.parametrize(
    "seen",
    ["0", "007", "9223372036854775807", "9223372036854775808", "99999999999999999999", "1.5", "-1"],
)
def test_a_time_that_is_none_is_left_to_the_plain_lane(seen: str) -> None:
    good = capture_line(Frame(b"hi", 1_500_000_000)) * 20
    odd = b'{"ts":1.5,"ts_ns":%s,"dir":"in","raw":"x"}\n' % seen.encode()
    assert CaptureReader().frames(good + odd + good) == plain(good + odd + good)


def test_the_lane_takes_what_it_is_for_and_stops_at_the_rest() -> None:
    good = capture_line(Frame(b'{"a":"b"}', 1_500_000_000))
    assert scanned(good * 50) == 50
    assert scanned(good * 3 + capture_line(Frame(b"x", 5, "http")) + good) == 3
    assert scanned(good.rstrip(b"\n")) == 0
    assert scanned(capture_line(Frame(b"", 1_500_000_000))) == 0
