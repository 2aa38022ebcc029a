"""The two ways in which somebody else is wrong.  Anything else is a bug: assert it and crash.

`PeerError`: the other side broke its promise; keep the frame, count it, carry on.
`UsageError`: our caller did; stop at the start, say what was found, expected, and to do next.
"""

from __future__ import annotations


class PeerError(Exception):
    """A frame, row or answer of an exchange that cannot be what the exchange promised.

    `reason` is a short stable word for counting (`truncated`, `unknown_symbol`, `bad_price`, ...);
    the message names the thing, what was found and what was expected.
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class UsageError(Exception):
    """A wrong setting, argument or data directory: names what was found and what to do."""


class VersionError(UsageError):
    """A snapshot or schema of another kernel, parameter set or version than this program's."""
