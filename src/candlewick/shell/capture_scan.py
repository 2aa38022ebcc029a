"""Capture lines read as bytes, many in one call: the compiled fast lane of `capture.py`.

takes   whole lines, joined by newlines
gives   the messages behind each other with their escapes undone, where each ends, when it was seen
never   decides that a line is bad: one that is not spelled exactly as this project's recorder
        spells a received message stops the scan, and `capture.py` reads on, the slow and plain way

    {"ts":1723161254.03606,"ts_ns":1723161254036059768,"dir":"in","raw":"..."}
"""

from __future__ import annotations

from typing import Any

import numpy as np

from candlewick.kernel import kernel

LINE_BYTES_MIN = 48  # No line of that spelling is shorter.
_TIME_DIGITS_MAX = 18  # Always inside int64.
_TS, _TS_NS, _RAW = (
    np.frombuffer(text, np.uint8)
    for text in (b'{"ts":', b',"ts_ns":', b',"dir":"in","raw":"')
)  # fmt: skip
_ZERO, _NINE, _DOT, _QUOTE, _BACKSLASH, _CLOSE, _NEWLINE = 48, 57, 46, 34, 92, 125, 10
_SPACE, _ASCII_MAX = 32, 127

# What stands for the byte after a backslash; 0 where the slow way has to look.
_ESCAPES = np.zeros(256, np.uint8)
for _letter, _byte in zip(b'"\\/bfnrt', b'"\\/\b\f\n\r\t', strict=True):
    _ESCAPES[_letter] = _byte


@kernel
def _after(text: Any, at: int, word: Any) -> int:
    """The place after `word`, or -1; it passes an earlier -1 on."""
    if at < 0 or at + len(word) > len(text):
        return -1
    for k in range(len(word)):
        if text[at + k] != word[k]:
            return -1
    return at + len(word)


@kernel
def _digits(text: Any, at: int) -> tuple[int, int]:
    """Digits without sign: (value, place after them)."""
    value, start = 0, at
    if at < 0:
        return 0, -1
    while at < len(text) and _ZERO <= text[at] <= _NINE:
        value = value * 10 + (text[at] - _ZERO)
        at += 1
        if at - start > _TIME_DIGITS_MAX + 1:
            return 0, -1
    return value, (at if at > start else -1)


@kernel
def _seen(text: Any, at: int) -> tuple[int, int]:
    """Both times of a line: (nanoseconds, the place after them)."""
    start = _after(text, at, _TS)
    _, at = _digits(text, start)
    if at < 0 or text[start] == _ZERO or at >= len(text) or text[at] != _DOT:
        return 0, -1
    _, at = _digits(text, at + 1)
    start = _after(text, at, _TS_NS)
    seen_ns, at = _digits(text, start)
    if at < 0 or text[start] == _ZERO or seen_ns <= 0:
        return 0, -1
    return seen_ns, at


@kernel
def _message(text: Any, at: int, out: Any, size: int) -> tuple[int, int]:
    """A JSON string after its opening quote, undone into `out`: (place after it, size of `out`)."""
    end = np.uint64(len(text))
    i, o = np.uint64(at), np.uint64(size)
    one = np.uint64(1)
    while i < end:
        byte = text[i]
        if byte == _BACKSLASH:
            i += one
            byte = _ESCAPES[text[i]] if i < end else np.uint8(0)
            if byte == 0:
                return -1, size
        elif byte == _QUOTE:
            return np.int64(i + one), np.int64(o)  # type: ignore[return-value]
        elif byte < _SPACE or byte > _ASCII_MAX:
            return -1, size
        out[o] = byte
        i += one
        o += one
    return -1, size


@kernel
def scan(text: Any, out: Any, ends: Any, seen: Any) -> tuple[int, int, int]:
    """Read lines until one is spelled otherwise: (lines read, their bytes, bytes in `out`)."""
    lines = at = size = 0
    while at < len(text):
        seen_ns, after = _seen(text, at)
        after = _after(text, after, _RAW)
        if after < 0:
            break
        after, grown = _message(text, after, out, size)
        if after < 0 or grown == size or after + 1 >= len(text):
            break
        if text[after] != _CLOSE or text[after + 1] != _NEWLINE:
            break
        at, size = after + 2, grown
        ends[lines], seen[lines] = size, seen_ns
        lines += 1
    return lines, at, size
