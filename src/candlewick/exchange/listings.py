"""What is listed: the instruments of the two venues and the character of every asset.

Decimals, ticks and lots are the exchanges' own (Binance exchangeInfo, Kraken's instrument channel);
prices are round figures of 2025.  To list another asset, add a row.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from candlewick.exchange.path import Character
from candlewick.model.instruments import Instrument


@dataclass(frozen=True, slots=True)
class MarketSymbol:
    """One market: its instrument, its asset's path, and how it is traded.

    `price` is in quote units where the path is zero; `share` its part of the venue's trades,
    relative to the others; `spread` a fraction of the price; `notional` a median trade in quote.
    """

    instrument: Instrument
    character: Character
    price: float
    share: float
    spread: float
    notional: float

    @property
    def symbol(self) -> str:
        return self.instrument.symbol


class _Asset(NamedTuple):
    name: str
    price: float
    volatility: float
    beta: float
    share: float
    spread: float
    notional: float
    binance: tuple[int, int]  # Price and size decimals in USDT.
    kraken_usd: int  # Price decimals; sizes have 8.
    kraken_usdt: int | None


_ASSETS = (
    _Asset("BTC", 97_000.0, 0.0007, 0.85, 430, 0.0000001, 240.0, (2, 5), 1, 1),
    _Asset("ETH", 3_400.0, 0.0009, 0.80, 260, 0.000003, 180.0, (2, 4), 2, 2),
    _Asset("SOL", 172.0, 0.0012, 0.75, 130, 0.00006, 120.0, (2, 3), 2, 2),
    _Asset("XRP", 2.2, 0.0011, 0.65, 90, 0.00005, 110.0, (4, 1), 5, 5),
    _Asset("DOGE", 0.21, 0.0013, 0.70, 50, 0.00005, 80.0, (5, 0), 7, 5),
    _Asset("ADA", 0.62, 0.0012, 0.70, 22, 0.00016, 70.0, (4, 1), 6, 6),
    _Asset("LINK", 17.5, 0.0012, 0.70, 12, 0.0006, 60.0, (2, 2), 5, 5),
    _Asset("LTC", 92.0, 0.0010, 0.65, 5, 0.0002, 50.0, (2, 3), 2, 5),
    _Asset("DOT", 4.1, 0.0013, 0.70, 1, 0.0004, 45.0, (3, 2), 4, 4),
    _Asset("KAVA", 0.45, 0.0015, 0.55, 0.25, 0.0008, 35.0, (4, 1), 4, None),
)
_KRAKEN_USDT_SHARE = 0.08  # Kraken trades mostly against dollars.


def _listed(seed: int, asset: _Asset, instrument: Instrument, share: float) -> MarketSymbol:
    who = Character(seed, asset.name, asset.volatility, asset.beta)
    return MarketSymbol(instrument, who, asset.price, share, asset.spread, asset.notional)


def binance_symbols(seed: int) -> list[MarketSymbol]:
    """Ten markets against USDT, from many trades a second to less than one a minute."""
    listed = []
    for series, asset in enumerate(_ASSETS):
        price_decimals, size_decimals = asset.binance
        native = f"{asset.name}USDT"
        instrument = Instrument(
            "binance",
            f"{asset.name}/USDT",
            native,
            price_decimals,
            size_decimals,
            series=series,
        )
        listed.append(_listed(seed, asset, instrument, asset.share))
    return listed


def kraken_symbols(seed: int) -> list[MarketSymbol]:
    """Ten markets against USD and nine against USDT, with the same paths as Binance's."""
    listed: list[MarketSymbol] = []
    for asset in _ASSETS:
        decimals = {"USD": asset.kraken_usd, "USDT": asset.kraken_usdt}
        for quote, price_decimals in decimals.items():
            if price_decimals is None:
                continue
            name = f"{asset.name}/{quote}"
            instrument = Instrument("kraken", name, name, price_decimals, 8, series=len(listed))
            share = asset.share * (_KRAKEN_USDT_SHARE if quote == "USDT" else 1.0)
            listed.append(_listed(seed, asset, instrument, share))
    return listed
