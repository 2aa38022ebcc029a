"""The capture format: JSON lines that hold a message each, as ../shared/data/README.md tells.

takes   lines `{"ts": 1723161254.03606, "ts_ns": .., "dir": "in", "url": .., "conn": .., "raw": ..}`
gives   a `Frame` for every line, in order; and `TapeWriter`, which writes such lines
never   drops a line: one that is not of the format becomes a frame of the line itself, which its
        decoder quarantines

`ts_ns` is preferred to `ts`; `ts` is read from its digits, not through a float.  A message that is
no UTF-8 stands in `raw_base64` (an addition of this program).  `conn` may be a text: it becomes the
CRC-32 of it, the same in every run; a line without `conn` and `url` is of the connection that was
opened last.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from decimal import Decimal, InvalidOperation
from functools import partial
from itertools import pairwise, repeat
from pathlib import Path
from types import TracebackType
from typing import Annotated, Literal, Self

import msgspec
import numpy as np
import zstandard

from candlewick.model.outcome import Frame
from candlewick.model.time import NS_PER_S
from candlewick.shell import capture_scan

Origin = Literal["in", "http", "out", "connect"]
Int64 = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
_NS_DIGITS = 9
_TIME_CHARS_MAX = 40
_INT64_MAX = 2**63 - 1
_UNKNOWN = msgspec.Raw(b"null")
_SCANNED_LINES_MIN = 8  # Fewer in a row, and the compiled lane is not worth its call.
_to_frame = partial(tuple.__new__, Frame)  # Half the time of calling Frame.
_UNDECODABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


class CaptureLine(msgspec.Struct, gc=False):
    """A line as the recorder wrote it."""

    raw: str | None
    dir: Origin = "in"
    ts_ns: Int64 | None = None
    ts: msgspec.Raw = _UNKNOWN
    url: str | None = None
    conn: Int64 | str | None = None
    raw_base64: bytes | None = None


_LINE = msgspec.json.Decoder(CaptureLine)


def is_capture(line: bytes) -> bool:
    """Whether a line is of the capture format."""
    try:
        _LINE.decode(line)
    except _UNDECODABLE:
        return False
    return True


class CaptureReader:
    """Lines of one file to frames; it remembers which connection was opened last."""

    def __init__(self) -> None:
        self._opened = 0

    def frames(self, lines: bytes) -> list[Frame]:
        """Whole lines, joined by newlines, to as many frames as there are non-blank lines."""
        frames: list[Frame] = []
        while lines:
            found, read_bytes = self._scanned(lines)
            frames += found
            lines = lines[read_bytes:]
            if len(found) < _SCANNED_LINES_MIN:  # Of another spelling, line after line.
                return frames + self._typed(lines)
            line, _, lines = lines.partition(b"\n")
            frames += self._typed(line)
        return frames

    def _scanned(self, lines: bytes) -> tuple[list[Frame], int]:
        """The lines before the first that the compiled lane leaves, and how long they are."""
        text = np.frombuffer(lines, np.uint8)
        lines_max = len(lines) // capture_scan.LINE_BYTES_MIN + 1
        out = np.empty(len(lines), np.uint8)
        ends, seen = np.empty(lines_max, np.int64), np.empty(lines_max, np.int64)
        count, read_bytes, size = capture_scan.scan(text, out, ends, seen)
        whole, cuts = out[:size].tobytes(), [0, *ends[:count].tolist()]
        fields = (
            (whole[begin:end] for begin, end in pairwise(cuts)),
            seen[:count].tolist(),
            repeat("in", count),
            repeat("", count),
            repeat(self._opened, count),
        )
        return list(map(_to_frame, zip(*fields, strict=True))), read_bytes

    def _typed(self, lines: bytes) -> list[Frame]:
        """The same with any spelling."""
        if not lines:
            return []
        try:
            found = _LINE.decode_lines(lines)
        except _UNDECODABLE:
            return self._one_by_one(lines)
        # The decoder sees values, not lines: a line cut at the right place would join the next.
        if len(found) != lines.count(b"\n") + (not lines.endswith(b"\n")):
            return self._one_by_one(lines)
        return [self._frame(line) for line in found]

    def _one_by_one(self, lines: bytes) -> list[Frame]:
        frames = []
        for line in lines.split(b"\n"):
            if not line.strip():
                continue
            try:
                frames.append(self._frame(_LINE.decode(line)))
            except _UNDECODABLE:
                frames.append(Frame(line.rstrip(b"\r"), conn=self._opened))
        return frames

    def _frame(self, line: CaptureLine) -> Frame:
        raw = line.raw_base64 if line.raw_base64 is not None else (line.raw or "").encode()
        at_ns = line.ts_ns if line.ts_ns is not None else seconds_ns(bytes(line.ts))
        name = line.conn if line.conn is not None else line.url
        if name is None or line.dir == "http":
            conn = self._opened
        else:
            conn = name if isinstance(name, int) else zlib.crc32(name.encode())
        if line.dir == "connect":
            self._opened = conn
        return Frame(raw, at_ns, line.dir, line.url or "", conn)


def seconds_ns(text: bytes) -> int:
    """Seconds in decimal digits to nanoseconds, exactly (a tenth digit is cut); 0 for no time.

    >>> seconds_ns(b"1617566590.378895"), seconds_ns(b"1.5e9"), seconds_ns(b"null")
    (1617566590378895000, 1500000000000000000, 0)
    """
    whole, dot, fraction = text.partition(b".")
    if dot and whole.isdigit() and fraction.isdigit() and len(text) <= _TIME_CHARS_MAX:
        at_ns = int(whole) * NS_PER_S + int(fraction[:_NS_DIGITS].ljust(_NS_DIGITS, b"0"))
        return at_ns if at_ns <= _INT64_MAX else 0
    try:
        seconds = Decimal(text[:_TIME_CHARS_MAX].decode("ascii", "replace"))
    except InvalidOperation:
        return 0
    if not seconds.is_finite() or abs(seconds) > _INT64_MAX // NS_PER_S:
        return 0
    return int(seconds * NS_PER_S)


class TapeWriter:
    """Writes a capture file (zstd), for tests and for recording.

    >>> import tempfile
    >>> folder = tempfile.TemporaryDirectory()
    >>> with TapeWriter(Path(folder.name) / "tape.jsonl.zst") as tape:
    ...     tape.write([Frame(b'{"e":"trade"}', 1_500_000_000)])
    >>> folder.cleanup()
    """

    def __init__(self, path: Path, level: int = 3) -> None:
        self._file = path.open("wb")
        self._text = zstandard.ZstdCompressor(level, write_checksum=True).stream_writer(self._file)

    def write(self, frames: Iterable[Frame]) -> None:
        """Append frames."""
        self._text.write(b"".join(map(capture_line, frames)))

    def flush(self) -> None:
        """Everything written so far can be read from the file."""
        self._text.flush(zstandard.FLUSH_BLOCK)
        self._file.flush()

    def close(self) -> None:
        """End the file."""
        self._text.close()  # type: ignore[no-untyped-call]  # It closes the file too.

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def capture_line(frame: Frame) -> bytes:
    """One line of the format, with its newline; `ts` and `ts_ns` say the same, exactly.

    >>> capture_line(Frame(b"hi", 1_500_000_000))
    b'{"ts":1.500000000,"ts_ns":1500000000,"dir":"in","raw":"hi"}\\n'
    """
    seconds, rest = divmod(abs(frame.seen_ns), NS_PER_S)
    sign = "-" if frame.seen_ns < 0 else ""
    line: dict[str, object] = {
        "ts": msgspec.Raw(f"{sign}{seconds}.{rest:09d}".encode()) if frame.seen_ns else None,
        "ts_ns": frame.seen_ns or None,
        "dir": frame.origin,
    }
    if frame.url:
        line["url"] = frame.url
    if frame.conn:
        line["conn"] = frame.conn
    try:
        line["raw"] = frame.raw.decode()
    except UnicodeDecodeError:
        line |= {"raw": None, "raw_base64": frame.raw}
    if frame.origin == "connect" and not frame.raw:
        line["raw"] = None
    return msgspec.json.encode(line) + b"\n"
