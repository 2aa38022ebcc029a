"""Random numbers that are a function of a key and an index, equal on every machine.

takes   a 64-bit key and an integer index (an id, a minute, a price)
gives   uniform, normal and log-normal columns
never   keeps a state, and never calls libm: `exp` is built from additions and products, which IEEE
        754 fixes to the last bit, because a price that is rounded differently is another market
source  Steele, Lea, Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014
"""

from __future__ import annotations

import hashlib
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from candlewick.model.columns import Floats

Bits: TypeAlias = npt.NDArray[np.uint64]
Index: TypeAlias = npt.NDArray[Any]

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)
_LOW_16 = np.uint64(0xFFFF)
_SUM_MEAN = 4 * 65_535 / 2
_SUM_STD = 37_837.2266  # sqrt(4 * (65536**2 - 1) / 12)
_HALVINGS = 6
_TAYLOR = tuple(1.0 / f for f in (362_880, 40_320, 5_040, 720, 120, 24, 6, 2, 1, 1))


def key_of(*words: int | str) -> int:
    """A 64-bit key that names a purpose: `key_of(7, "binance BTC/USDT", "size")`."""
    digest = hashlib.blake2b("\x1f".join(map(str, words)).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little")


def bits(key: int, index: Index) -> Bits:
    """64 mixed bits for every index (splitmix64)."""
    x = np.asarray(index, np.int64).view(np.uint64) * _GOLDEN + np.uint64(key)
    x = (x ^ (x >> np.uint64(30))) * _MIX_1
    x = (x ^ (x >> np.uint64(27))) * _MIX_2
    mixed: Bits = x ^ (x >> np.uint64(31))
    return mixed


def uniform(key: int, index: Index) -> Floats:
    """0 <= u < 1."""
    fraction: Floats = (bits(key, index) >> np.uint64(11)).astype(np.float64) * 2.0**-53
    return fraction


def normal(key: int, index: Index) -> Floats:
    """Mean 0, deviation 1, never beyond 3.47: the sum of four 16-bit parts."""
    x = bits(key, index)
    total = (
        (x & _LOW_16)
        + ((x >> np.uint64(16)) & _LOW_16)
        + ((x >> np.uint64(32)) & _LOW_16)
        + (x >> np.uint64(48))
    )
    centred: Floats = (total.astype(np.float64) - _SUM_MEAN) / _SUM_STD
    return centred


def exp(x: Floats) -> Floats:
    """e**x for |x| <= 10 to 1e-12, from products and sums alone.

    >>> bool(abs(exp(np.array([1.0]))[0] - 2.718281828459045) < 1e-12)
    True
    """
    part = x * 2.0**-_HALVINGS
    total = np.full_like(part, _TAYLOR[0])
    for coefficient in _TAYLOR[1:]:
        total = total * part + coefficient
    for _ in range(_HALVINGS):
        total = total * total
    return total
