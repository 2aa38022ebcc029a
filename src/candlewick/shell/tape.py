"""Recorded frames, from disk to batches of `Frame`, in constant memory.

takes   files or `-`: captures (`capture.py`), a plain frame a line, or one JSON document;
        compressed or not (`inflate.py`)
gives   every line as a frame, in order, and how far a file has been read
never   stops at damage: what is readable is given, `Tape.damaged` says where it ended

A file of one JSON value is one frame of origin `http` (a REST answer), also if it is written over
many lines; in a file named `.jsonl` or `.ndjson` a single line stays a frame of origin `in`.
A line longer than `LINE_BYTES_MAX` is cut into frames of that size, which no decoder takes.
"""

from __future__ import annotations

import hashlib
import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import BinaryIO, NamedTuple

import msgspec

from candlewick.errors import UsageError
from candlewick.model.outcome import Frame
from candlewick.shell.capture import CaptureReader, TapeWriter, is_capture
from candlewick.shell.inflate import inflated

__all__ = ["LINE_BYTES_MAX", "STDIN", "Tape", "TapeBatch", "TapeWriter", "open_tape"]

STDIN = Path("-")
LINE_BYTES_MAX = 64 * 1_024 * 1_024
_BLOCK_BYTES = 256 * 1_024
_LOOK_LINES_MAX = 50  # A capture with a damaged first line is still known as one.
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_LINES_NAME = re.compile(r"\.(jsonl|ndjson)(\.(zst|zstd|gz))?\Z", re.IGNORECASE)


class TapeBatch(NamedTuple):
    """Frames in a row of one file; `position` counts the frames of `source` given so far."""

    frames: list[Frame]
    source: str
    position: str


class Tape:
    """Files one after the other.

    Args:
        paths: files, or `-` for standard input.

    Raises:
        UsageError: no file, or one that is missing, a folder, unreadable or empty.

    `read_bytes` of `total_bytes` (0 where unknown) were taken from disk, for a progress bar;
    `damaged` is None, or where a file could not be read further.
    """

    def __init__(self, paths: Sequence[Path | str]) -> None:
        self.paths = tuple(Path(path) for path in paths)
        self.damaged: str | None = None
        self.read_bytes = 0
        if not self.paths:
            raise UsageError("tape: no file was named; name one or more recordings, or - for stdin")
        if len(set(self.paths)) < len(self.paths):
            raise UsageError("tape: a file is named twice; name each once")
        sizes = [_size(path) for path in self.paths]
        self.total_bytes = 0 if STDIN in self.paths else sum(sizes)
        self.sources = tuple(map(source_of, self.paths, sizes))

    def batches(self, rows_max: int = 10_000) -> Iterator[TapeBatch]:
        """Every frame, at most `rows_max` of one file at once."""
        for path, source in zip(self.paths, self.sources, strict=True):
            rows, pending = 0, list[Frame]()
            for frames in self._frames(path):
                pending += frames
                while len(pending) >= rows_max:
                    rows += rows_max
                    yield TapeBatch(pending[:rows_max], source, str(rows))
                    del pending[:rows_max]
            if pending:
                yield TapeBatch(pending, source, str(rows + len(pending)))

    def __iter__(self) -> Iterator[Frame]:
        for batch in self.batches():
            yield from batch.frames

    def _frames(self, path: Path) -> Iterator[list[Frame]]:
        with _opened(path) as file:
            texts = inflated(self._blocks(file), lambda what: self._note(path, what))
            head = _read_until(texts, lambda piece: b"\n" in piece.strip())
            head = head.removeprefix(_BYTE_ORDER_MARK)
            if not head.strip():
                if self.damaged is None:
                    raise UsageError(f"tape: {path} is empty; expected recorded frames")
                return
            lines = [line for line in head.split(b"\n") if line.strip()]
            if any(map(is_capture, lines[:_LOOK_LINES_MAX])):
                to_frames = CaptureReader().frames
            elif len(lines) > 1 and (_is_json(lines[0]) or lines[0].lstrip()[:1] not in b"[{"):
                to_frames = _plain
            else:
                head += _read_until(texts, lambda _: False)
                if _is_json(head):
                    yield [Frame(head.strip(), origin=_document_origin(path, head))]
                    return
                to_frames = _plain
            for whole in _whole_lines(head, texts):
                yield to_frames(whole)

    def _blocks(self, file: BinaryIO) -> Iterator[bytes]:
        while block := file.read(_BLOCK_BYTES):
            self.read_bytes += len(block)
            yield block

    def _note(self, path: Path, what: str) -> None:
        told = f"{path.name} {what}; everything before it was read"
        self.damaged = f"{self.damaged}. {told}" if self.damaged else told


def open_tape(path: Path | str) -> Iterator[Frame]:
    """The frames of one file.

    Raises:
        UsageError: as `Tape`; and at the end, if the file is damaged.
    """
    tape = Tape([path])
    yield from tape
    if tape.damaged is not None:
        raise UsageError(f"tape: {tape.damaged}")


def source_of(path: Path, size: int) -> str:
    """A recording's name in the store: of its content, so that another file is never taken for it.

    What comes by standard input cannot be known again: it has no two equal names.
    """
    if path == STDIN:
        return f"tape:-:{os.getpid()}"
    with _opened(path) as file:
        digest = hashlib.blake2b(file.read(_BLOCK_BYTES), digest_size=8).hexdigest()
    return f"tape:{path.name}:{size}:{digest}"


def _size(path: Path) -> int:
    """The size of a file that can be read; standard input is taken on trust."""
    if path == STDIN:
        return 0
    try:
        with path.open("rb") as file:
            if not file.read(1):
                raise UsageError(f"tape: {path} is empty; expected recorded frames")
        return path.stat().st_size
    except FileNotFoundError:
        raise UsageError(f"tape: {path} is not there; name a recorded file") from None
    except IsADirectoryError:
        raise UsageError(f"tape: {path} is a folder; name the files in it") from None
    except OSError as error:
        raise UsageError(f"tape: {path} cannot be read ({error.strerror})") from None


def _opened(path: Path) -> BinaryIO:
    if path == STDIN:
        return open(sys.stdin.fileno(), "rb", closefd=False)
    return path.open("rb")


def _read_until(texts: Iterator[bytes], enough: Callable[[bytes], bool]) -> bytes:
    """The next pieces joined, until there is enough, too much for one line, or no more."""
    text = bytearray()
    for piece in texts:
        text += piece
        if len(text) > LINE_BYTES_MAX or enough(piece):
            break
    return bytes(text)


def _whole_lines(head: bytes, texts: Iterable[bytes]) -> Iterator[bytes]:
    """The text again, cut at the ends of lines; a last line without an end comes by itself."""
    heads = (head[at : at + _BLOCK_BYTES] for at in range(0, len(head), _BLOCK_BYTES))
    rest = bytearray()
    for piece in chain(heads, texts):
        end = piece.rfind(b"\n") + 1
        if end:
            yield bytes(rest) + piece[:end]
            rest.clear()
        rest += piece[end:]
        while len(rest) > LINE_BYTES_MAX:
            yield bytes(rest[:LINE_BYTES_MAX])
            del rest[:LINE_BYTES_MAX]
    if rest.strip():
        yield bytes(rest)


def _plain(lines: bytes) -> list[Frame]:
    return [Frame(line.rstrip(b"\r")) for line in lines.split(b"\n") if line.strip()]


def _document_origin(path: Path, text: bytes) -> str:
    one_line = b"\n" not in text.strip()
    return "in" if one_line and _LINES_NAME.search(path.name) else "http"


def _is_json(text: bytes) -> bool:
    """Whether it is one JSON value and nothing else."""
    try:
        msgspec.json.decode(text, type=msgspec.Raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return False
    return True
