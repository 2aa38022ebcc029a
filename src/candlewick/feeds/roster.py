"""Which instruments a venue has, as its frames tell.

takes   native symbols as they come, and listings (exchangeInfo, instrument snapshots)
gives   the instrument, with its series, declared with the listed decimals, tick and lot if known
never   gives a series to a market only because it was listed: a listing names thousands, and every
        series costs state everywhere.  It is declared when its first frame comes
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress

from candlewick.errors import PeerError, UsageError
from candlewick.model.instruments import Instrument, Instruments

SYMBOLS_MAX = 4_096  # Admitted on sight in one run; a flood of invented symbols ends here.


class Roster:
    """The instruments of one venue.

    Args:
        widest: decimals of a symbol that no listing named.
        room: decimals beyond the listed tick and lot that a series gets.  Orders placed before a
            tick or lot was made coarser still rest, and trade, with the old digits.
    """

    __slots__ = ("_instruments", "_known", "_listed", "_room", "_venue", "_widest")

    def __init__(
        self,
        venue: str,
        instruments: Instruments,
        widest: tuple[int, int],
        room: tuple[int, int],
    ) -> None:
        self._venue = venue
        self._instruments = instruments
        self._widest = widest
        self._room = room
        self._known: dict[str, Instrument] = {}
        self._listed: dict[str, Instrument] = {}

    def find(self, native: str) -> Instrument | None:
        """The instrument, if it was admitted before."""
        return self._known.get(native)

    def admit(self, native: str) -> Instrument:
        """The instrument behind a native symbol.

        Raises:
            PeerError: `unknown_symbol` or `too_many_symbols`.
        """
        known = self._known.get(native)
        if known is not None:
            return known
        if len(self._known) >= SYMBOLS_MAX:
            raise PeerError("too_many_symbols", f"{native[:40]!r} comes after {SYMBOLS_MAX} others")
        listed = self._listed.get(native)
        found = self._instruments.native(self._venue, native, self._decimals(listed))
        if listed is not None:
            with suppress(PeerError):  # Stored rows have fewer decimals: they stay.
                found = self._declare(listed)
        self._known[native] = found
        return found

    def admit_all(self, natives: Iterable[str]) -> dict[str, Instrument]:
        """All the symbols of one frame, or none.

        Raises:
            PeerError: as `admit`; then no symbol of the frame was admitted.
        """
        names = list(natives)
        unknown = [native for native in names if native not in self._known]
        for native in unknown if len(unknown) > 1 else ():
            try:
                Instruments().native(self._venue, native, self._widest)
            except PeerError:
                self.admit(native)  # Known to the run by declaration, or refused before the rest.
        return {native: self.admit(native) for native in names}

    def _decimals(self, listed: Instrument | None) -> tuple[int, int]:
        if listed is None:
            return self._widest
        return (
            min(listed.price_decimals + self._room[0], self._widest[0]),
            min(listed.size_decimals + self._room[1], self._widest[1]),
        )

    def listed(self, native: str) -> Instrument | None:
        """What the venue's listing said of it."""
        return self._listed.get(native)

    def listing(self, told: Iterable[Instrument]) -> list[str]:
        """Take over what the venue lists; admitted markets get the new tick and lot.

        Gives what could not be taken over: an admitted market that now has more decimals than its
        stored rows keeps its old ones, and a trade that needs the new digits will be refused.
        """
        refused = []
        for instrument in told:
            self._listed[instrument.native] = instrument
            if instrument.native in self._known:
                try:
                    self._known[instrument.native] = self._declare(instrument)
                except PeerError as error:
                    refused.append(str(error))
        return refused

    def _declare(self, instrument: Instrument) -> Instrument:
        try:
            return self._instruments.declare(instrument)
        except UsageError as error:
            raise PeerError("too_fine", str(error)) from error


def step(text: str) -> tuple[int, int]:
    """A tick or lot as text to (decimals, units): `"0.05000000"` is (2, 5).

    Raises:
        PeerError: `bad_step`.

    >>> step("0.05000000"), step("1.00"), step("10")
    ((2, 5), (0, 1), (0, 10))
    """
    whole, _, fraction = text.partition(".")
    fraction = fraction.rstrip("0")
    digits = whole + fraction
    if not (digits.isdigit() and digits.isascii() and len(digits) <= 18) or int(digits) == 0:
        raise PeerError("bad_step", f"step {text[:40]!r} is not a decimal number above zero")
    return len(fraction), int(digits)
