"""Compressed bytes to plain ones, as a stream: zstd, gzip or neither, told by the first bytes.

takes   blocks of a file; a place to report damage
gives   the plain bytes in pieces; several compressed frames in a row are one text
never   raises for damage: what was readable is given, then the damage is told with its offset
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from typing import Protocol

import zstandard

# What is fed to a decompressor at once.  Small, because the output of the call in which it meets
# damage is lost; the whole takes a third longer than with 64 KiB.
_FEED_BYTES = 1_024
_PIECE_BYTES = 1_024 * 1_024
_ZSTD, _GZIP = b"\x28\xb5\x2f\xfd", b"\x1f\x8b"


class _Inflate(Protocol):
    """What a decompressor of the standard library and one of zstandard have in common."""

    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, /) -> bytes: ...


def inflated(blocks: Iterator[bytes], damage: Callable[[str], None]) -> Iterator[bytes]:
    """The plain text of a file in pieces of about a mebibyte; `damage` is told at most once."""
    first = next(blocks, b"")
    start = _start_of(first)
    whole = chain((first,), blocks)
    return whole if start is None else _pieces(start, whole, damage)


def _cut(block: bytes) -> Iterator[bytes]:
    for at in range(0, len(block), _FEED_BYTES):
        yield block[at : at + _FEED_BYTES]


def _pieces(
    start: Callable[[], _Inflate], blocks: Iterable[bytes], damage: Callable[[str], None]
) -> Iterator[bytes]:
    inflate: _Inflate | None = None  # None between two compressed frames.
    pieces: list[bytes] = []
    held = offset = 0
    for feed in chain.from_iterable(map(_cut, blocks)):
        while feed:
            inflate = inflate or start()
            try:
                piece = inflate.decompress(feed)
            except (zstandard.ZstdError, zlib.error) as error:
                yield b"".join(pieces)
                damage(f"cannot be decompressed near byte {offset} ({error})")
                return
            offset += len(feed)
            feed = b""
            if inflate.eof:
                feed = inflate.unused_data
                offset -= len(feed)
                inflate = None
            pieces.append(piece)
            held += len(piece)
            if held >= _PIECE_BYTES:
                yield b"".join(pieces)
                pieces, held = [], 0
    yield b"".join(pieces)
    if inflate is not None:
        damage(f"ends inside its compressed part, at byte {offset}")


def _start_of(block: bytes) -> Callable[[], _Inflate] | None:
    if block.startswith(_ZSTD):
        return lambda: zstandard.ZstdDecompressor().decompressobj()
    if block.startswith(_GZIP):
        return lambda: zlib.decompressobj(wbits=31)
    return None
