"""What is traded where: canonical symbols, native names, decimals, tick and lot.

A series is one instrument's place in a run: a small dense integer that every column carries.
The registry gives places in the order of asking, so the same tape gives the same places.
Decimals are fixed when an instrument is first admitted (stored integers depend on them); tick and
lot may change with the exchange's filters.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from candlewick.errors import PeerError, UsageError
from candlewick.model.money import to_text

# Longest first, so that `BTCFDUSD` is not read as `BTCF/DUSD`.
_QUOTE_WORDS = """
    USDT USDC FDUSD TUSD BUSD USDP DAI USDS PAX PYUSD RLUSD USD EUR GBP JPY AUD CAD CHF BRL TRY RUB
    UAH NGN ZAR IDRT BIDR VAI PLN RON ARS MXN COP CZK BKRW BVND AED BTC ETH BNB XRP TRX DOGE DOT SOL
"""
QUOTES = tuple(sorted(_QUOTE_WORDS.split(), key=len, reverse=True))
# Kraken's own names for common assets, and what everybody else calls them.
_ASSET_ALIASES = {"XBT": "BTC", "XXBT": "BTC", "XDG": "DOGE", "XXDG": "DOGE"} | {
    f"Z{fiat}": fiat for fiat in ("USD", "EUR", "GBP", "JPY", "CAD", "AUD")
}
_ASSET = re.compile(r"[A-Z0-9]{1,15}\Z", re.ASCII)
_QUOTE_DEFAULT = "USDT"


@dataclass(frozen=True, slots=True)
class Instrument:
    """One market of one venue.

    `price_decimals` and `size_decimals` scale every integer price and size of it; `tick` and `lot`
    are the smallest steps in those units.  `series` is its place in this run (-1: none yet).
    """

    venue: str
    symbol: str
    native: str
    price_decimals: int
    size_decimals: int
    tick: int = 1
    lot: int = 1
    series: int = -1

    @property
    def base(self) -> str:
        return self.symbol.partition("/")[0]

    @property
    def quote(self) -> str:
        return self.symbol.partition("/")[2]

    @property
    def quote_decimals(self) -> int:
        """Decimals of price times size."""
        return self.price_decimals + self.size_decimals

    def price_text(self, units: int) -> str:
        return to_text(units, self.price_decimals)

    def size_text(self, units: int) -> str:
        return to_text(units, self.size_decimals)


def canonical(text: str, quote_default: str = _QUOTE_DEFAULT) -> str:
    """Any spelling of a symbol to `BASE/QUOTE`.

    >>> canonical("btcusdt"), canonical("XBT/USD"), canonical("eth-eur"), canonical("BTC")
    ('BTC/USDT', 'BTC/USD', 'ETH/EUR', 'BTC/USDT')

    Raises:
        UsageError: no such spelling.
    """
    upper = text.strip().upper().replace("%2F", "/").replace("-", "/").replace("_", "/")
    base, slash, quote = upper.partition("/")
    if not slash:
        base, quote = _split(upper)
        if not quote:
            base, quote = upper, quote_default
    base, quote = _ASSET_ALIASES.get(base, base), _ASSET_ALIASES.get(quote, quote)
    if not (_ASSET.match(base) and _ASSET.match(quote)):
        raise UsageError(
            f"symbol {text[:40]!r}: expected a form like BTC/USDT, BTCUSDT or BTC-USDT"
        )
    return f"{base}/{quote}"


def _split(joined: str) -> tuple[str, str]:
    """`BTCUSDT` to its base and quote; the quote is empty where none is known."""
    for quote in QUOTES:
        if joined.endswith(quote) and len(joined) > len(quote):
            return joined[: -len(quote)], quote
    return joined, ""


@dataclass(slots=True)
class Instruments:
    """The registry of a run.

    `closed` venues admit only what was declared; in a tape without a declaration a well-formed
    native symbol is admitted on sight with its venue's widest decimals.
    """

    _by_series: list[Instrument] = field(default_factory=list)
    _by_native: dict[tuple[str, str], int] = field(default_factory=dict)
    _by_symbol: dict[tuple[str, str], int] = field(default_factory=dict)
    _closed: set[str] = field(default_factory=set)

    def __len__(self) -> int:
        return len(self._by_series)

    def __iter__(self) -> Iterator[Instrument]:
        return iter(self._by_series)

    def __getitem__(self, series: int) -> Instrument:
        return self._by_series[series]

    def close(self, venue: str) -> None:
        """From now on only declared symbols of `venue` are known."""
        self._closed.add(venue)

    def declare(self, instrument: Instrument) -> Instrument:
        """Admit an instrument, or update the tick and lot of a known one; gives it its series."""
        series = self._by_symbol.get((instrument.venue, instrument.symbol))
        if series is None:
            admitted = replace(instrument, series=len(self._by_series))
            self._by_series.append(admitted)
        else:
            admitted = _refreshed(self._by_series[series], instrument)
            self._by_series[series] = admitted
        self._by_symbol[admitted.venue, admitted.symbol] = admitted.series
        self._by_native[admitted.venue, admitted.native] = admitted.series
        return admitted

    def native(
        self, venue: str, native: str, widest: tuple[int, int], *, admit: bool = True
    ) -> Instrument:
        """The instrument behind an exchange's own symbol.

        Args:
            widest: price and size decimals for a symbol admitted on sight.
            admit: False finds only what is known already.

        Raises:
            PeerError: `unknown_symbol`.
        """
        known = self._by_native.get((venue, native))
        if known is not None:
            return self._by_series[known]
        if venue in self._closed or not admit:
            raise PeerError("unknown_symbol", f"{venue} symbol {native[:40]!r} was not subscribed")
        base, slash, quote = native.partition("/")
        if not slash:
            base, quote = _split(native)
        if not (base.isascii() and _ASSET.match(base.upper()) and quote in (*QUOTES, "XBT")):
            raise PeerError(
                "unknown_symbol", f"{venue} symbol {native[:40]!r} is not BASE and a known QUOTE"
            )
        symbol = canonical(f"{base}/{quote}")
        other = self._by_symbol.get((venue, symbol))
        if (
            other is not None
        ):  # Another spelling of a known market (XBTUSDT in REST, BTC/USDT in v2).
            self._by_native[venue, native] = other
            return self._by_series[other]
        return self.declare(Instrument(venue, symbol, native, *widest))

    def find(self, text: str, venue: str | None = None) -> list[Instrument]:
        """Every instrument that a user's spelling can mean, of one venue or of all.

        A bare asset (`BTC`) means the configured quote first, else any market with that base.
        """
        wanted = canonical(text)
        found = [i for i in self._by_series if i.symbol == wanted and venue in (None, i.venue)]
        if not found and not re.search(r"[/_-]|%2F", text, re.IGNORECASE):
            base = _ASSET_ALIASES.get(text.upper(), text.upper())
            found = [i for i in self._by_series if i.base == base and venue in (None, i.venue)]
        return found


def _refreshed(known: Instrument, told: Instrument) -> Instrument:
    """Keep the decimals that stored integers have; take over tick and lot where they still fit."""
    price_shift = known.price_decimals - told.price_decimals
    size_shift = known.size_decimals - told.size_decimals
    if price_shift < 0 or size_shift < 0:
        raise UsageError(
            f"{known.venue} {known.symbol}: the exchange now quotes {told.price_decimals}/"
            f"{told.size_decimals} decimals, stored rows have {known.price_decimals}/"
            f"{known.size_decimals}; start a new data directory"
        )
    return replace(
        known, native=told.native, tick=told.tick * 10**price_shift, lot=told.lot * 10**size_shift
    )
