"""JSON as bytes to typed objects, with everything that can be wrong with it named.

takes   the bytes of a frame or a part of one, and a msgspec decoder
gives   the object; text of numbers exactly as written
never   raises anything but `PeerError`; passes a number through a float
"""

from __future__ import annotations

from typing import TypeVar

import msgspec

from candlewick.errors import PeerError
from candlewick.feeds.decoded import FRAME_BYTES_MAX
from candlewick.model.money import INT64_MAX, to_units

T = TypeVar("T")
_SHOWN = 60  # Characters of a bad frame in a message; the frame itself is kept whole.


def checked(raw: bytes) -> bytes:
    """The frame, if it is of bearable size and UTF-8.

    Raises:
        PeerError: `too_large`, `empty` or `bad_utf8`.
    """
    if len(raw) > FRAME_BYTES_MAX:
        raise PeerError(
            "too_large", f"a frame of {len(raw)} bytes; at most {FRAME_BYTES_MAX} are read"
        )
    if not raw:
        raise PeerError("empty", "a frame without content")
    if not raw.isascii():
        try:
            raw.decode()
        except UnicodeDecodeError as error:
            raise PeerError("bad_utf8", f"byte {error.start} is not UTF-8") from error
    return raw


def read(decoder: msgspec.json.Decoder[T], raw: bytes | msgspec.Raw) -> T:
    """Decode, with the error named.

    Raises:
        PeerError: `missing_key`, `wrong_type`, `truncated`, `malformed`, `bad_utf8`, `too_deep`.
    """
    try:
        return decoder.decode(raw)
    except msgspec.ValidationError as error:
        missing = "missing required field" in str(error)
        raise PeerError("missing_key" if missing else "wrong_type", _told(error, raw)) from error
    except msgspec.DecodeError as error:
        truncated = "truncated" in str(error)
        raise PeerError("truncated" if truncated else "malformed", _told(error, raw)) from error
    except UnicodeDecodeError as error:
        raise PeerError("bad_utf8", _told(error, raw)) from error
    except RecursionError as error:
        raise PeerError("too_deep", _told(error, raw)) from error


def _told(error: Exception, raw: bytes | msgspec.Raw) -> str:
    return f"{error}: {bytes(raw)[:_SHOWN]!r}"


def positive(text: str, decimals: int, what: str) -> int:
    """A price or size above zero, in units.

    Raises:
        PeerError: `bad_<what>`, or what `to_units` finds.
    """
    units = to_units(text, decimals)
    if units <= 0:
        raise PeerError(f"bad_{what}", f"{what} {text[:_SHOWN]!r} is not above zero")
    return units


def amount(text: str, decimals: int, what: str = "size") -> int:
    """A size (or a price of an empty side), 0 included.

    Raises:
        PeerError: `bad_<what>`, or what `to_units` finds.
    """
    units = to_units(text, decimals)
    if units < 0:
        raise PeerError(f"bad_{what}", f"{what} {text[:_SHOWN]!r} is below zero")
    return units


def identity(number: int, what: str = "id") -> int:
    """A trade or update id that fits its column.

    Raises:
        PeerError: `bad_id`.
    """
    if not 0 <= number <= INT64_MAX:
        raise PeerError("bad_id", f"{what} {str(number)[:_SHOWN]} is not a 63-bit number")
    return number
