"""The price path: a log price at every 100 ms of any minute, without walking there.

A Brownian-like path is summed from octaves of value noise: random values on a lattice of period T,
joined by straight lines, with deviations that grow as sqrt(T).  Any point costs the same.  Every
asset follows a common factor and its own; slow noise turns the fast octaves up and down (quiet and
nervous hours); small jumps come about every hour and one spike of 6 to 12 % inside one minute
every day and asset, so that an alarm can be seen.

takes   a seed and an asset's character
gives   601 log offsets a minute (both ends), relative to the asset's base price
never   drifts away: the slowest octave is 23 days, so a price stays within its decade
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import numpy as np

from candlewick.exchange import draws
from candlewick.model.columns import Floats, Ints

TICK_NS = 100_000_000
TICKS = 600  # In a minute.
MINUTES_A_DAY = 1_440

_COARSE = 16  # Octaves of 1, 2, 4 ... 32,768 minutes; the first few breathe with the regime.
_BREATHING = 4
_FINE_TICKS = (300, 150, 75, 30, 10, 5)
_REGIME_SHIFTS = np.array([6, 8, 10])  # 64, 256 and 1,024 minutes.
_REGIME = 0.5
_JUMP_SLOT_MIN, _JUMP_CHANCE, _JUMP_TICKS, _JUMP_FADE_MIN = 30, 0.4, 80, 60
_JUMP_SLOTS_BACK = _JUMP_FADE_MIN // _JUMP_SLOT_MIN + 1
_SPIKE_FADE_MIN = 90
_SPIKE_LOG = (0.060, 0.115)


@dataclass(frozen=True, slots=True)
class Character:
    """How an asset moves: `volatility` is the log deviation of a minute, `beta` the share that it
    has in common with the rest of the market."""

    seed: int
    asset: str
    volatility: float
    beta: float


def _spline(lag: float) -> float:
    """Autocovariance of unit value noise at a lag in lattice periods (cubic B-spline)."""
    if lag < 1:
        return 2 / 3 - lag**2 + lag**3 / 2
    return (2 - lag) ** 3 / 6 if lag < 2 else 0.0


def _unit() -> float:
    """The factor that makes the deviation of a minute's change one."""
    periods_min = [2.0**k for k in range(_COARSE)] + [t / TICKS for t in _FINE_TICKS]
    variance = sum(2 * p * (_spline(0) - _spline(1 / p)) for p in periods_min)
    return float(1.0 / np.sqrt(variance))  # Not a power: IEEE 754 fixes only the square root.


_SCALE = _unit()
_COARSE_SHIFTS = np.arange(_COARSE)
_COARSE_DEVIATION = np.sqrt(2.0 ** np.arange(_COARSE)) * _SCALE
_FINE_DEVIATION = [float(np.sqrt(t / TICKS)) * _SCALE for t in _FINE_TICKS]
_RISE = np.arange(TICKS + 1) / TICKS


def _lattice(key: int, shifts: Ints, minutes: Ints) -> Floats:
    """Value noise of periods 2**shift minutes: one row an octave, one column a minute."""
    cell = minutes[None, :] >> shifts[:, None]
    place = (minutes[None, :] & ((1 << shifts) - 1)[:, None]) / (1 << shifts)[:, None]
    salted = cell * 64 + shifts[:, None]
    left, right = draws.normal(key, salted), draws.normal(key, salted + 64)
    noise: Floats = left + (right - left) * place
    return noise


def regime(key: int, minutes: Ints) -> Floats:
    """How nervous the hour is: log-normal around one, changing over hours."""
    slow = _lattice(key ^ 0x5151, _REGIME_SHIFTS, minutes)
    return draws.exp(slow.sum(axis=0) * _REGIME)


def _coarse(key: int, minutes: Ints, nerves: Floats) -> Floats:
    """The factor at whole minutes, in deviations of a minute."""
    noise = _lattice(key, _COARSE_SHIFTS, minutes) * _COARSE_DEVIATION[:, None]
    whole: Floats = noise[:_BREATHING].sum(axis=0) * nerves + noise[_BREATHING:].sum(axis=0)
    return whole


def _fine_layout() -> tuple[Ints, Ints, Floats, list[slice]]:
    """Lattice indices of the fine octaves: at minute 0, a minute later, deviations, places."""
    cells = [TICKS // period for period in _FINE_TICKS]
    edges = np.cumsum([0, *(n + 1 for n in cells)])
    offsets = np.concatenate([np.arange(n + 1) * 64 + 32 + i for i, n in enumerate(cells)])
    a_minute = np.concatenate([np.full(n + 1, n * 64) for n in cells])
    deviation = np.concatenate(
        [np.full(n + 1, d) for n, d in zip(cells, _FINE_DEVIATION, strict=True)]
    )
    return offsets, a_minute, deviation, [slice(*e) for e in pairwise(map(int, edges))]


_FINE_OFFSET, _FINE_A_MINUTE, _FINE_SCALE, _FINE_PLACE = _fine_layout()
_FINE_STEPS = [np.arange(period) / period for period in _FINE_TICKS]


@lru_cache(maxsize=512)
def _factor(key: int, minute: int) -> Floats:
    """One factor over one minute, both ends included."""
    ends = np.array([minute, minute + 1])
    nerves = regime(key, ends)
    first, last = _coarse(key, ends, nerves)
    knots = draws.normal(key, _FINE_OFFSET + minute * _FINE_A_MINUTE) * _FINE_SCALE
    fine = np.zeros(TICKS + 1)
    for place, steps in zip(_FINE_PLACE, _FINE_STEPS, strict=True):
        octave = knots[place]
        lines = octave[:-1, None] + (octave[1:] - octave[:-1])[:, None] * steps[None, :]
        fine[:TICKS] += lines.ravel()
        fine[TICKS] += octave[-1]
    calm, wild = nerves
    whole: Floats = first + (last - first) * _RISE + fine * (calm + (wild - calm) * _RISE)
    return whole


@lru_cache(maxsize=64)
def factor_keys(who: Character) -> tuple[int, int]:
    """The keys of the common factor and of the asset's own."""
    return draws.key_of(who.seed, "common"), draws.key_of(who.seed, who.asset, "own")


@dataclass(frozen=True, slots=True)
class _Event:
    """A move that arrives over `ramp` ticks from `start` and fades over `fade` ticks."""

    start: int
    ramp: int
    fade: int
    size: float

    def over(self, first: int) -> Floats | None:
        """Its part of the minute that begins at tick `first`; None where there is none."""
        end = self.start + self.ramp + self.fade
        if first > end or first + TICKS < self.start:
            return None
        since = np.arange(first - self.start, first - self.start + TICKS + 1)
        gone = 1.0 - np.clip((since - self.ramp) / self.fade, 0.0, 1.0)
        shape: Floats = self.size * np.clip(since / self.ramp, 0.0, 1.0) * gone * gone
        return shape


@lru_cache(maxsize=256)
def spike_minute(who: Character, day: int) -> int:
    """The minute of the day in which the asset's daily spike happens."""
    u = draws.uniform(draws.key_of(who.seed, who.asset, "spike minute"), np.array([day]))[0]
    return int(u * (MINUTES_A_DAY - _SPIKE_FADE_MIN - 10)) + 5


@lru_cache(maxsize=256)
def _spike(who: Character, day: int) -> _Event:
    """The day's spike; it begins and ends in one minute, so one candle shows the whole of it."""
    u = draws.uniform(draws.key_of(who.seed, who.asset, "spike"), np.arange(4) + day * 4)
    start = (day * MINUTES_A_DAY + spike_minute(who, day)) * TICKS + 80 + int(u[0] * 60)
    low, high = _SPIKE_LOG
    size = (low + (high - low) * float(u[1] * u[1])) * (1.0 if u[2] < 0.5 else -1.0)
    return _Event(start, 200 + int(u[3] * 150), _SPIKE_FADE_MIN * TICKS, size)


@lru_cache(maxsize=1024)
def _jump(who: Character, slot: int) -> _Event | None:
    """The small sudden move of a half hour, if it has one."""
    u = draws.uniform(draws.key_of(who.seed, who.asset, "jump"), np.arange(4) + slot * 4)
    if u[0] >= _JUMP_CHANCE:
        return None
    size = who.volatility * (4.0 + 6.0 * float(u[1])) * (1.0 if u[2] < 0.5 else -1.0)
    slot_ticks = _JUMP_SLOT_MIN * TICKS
    start = slot * slot_ticks + int(u[3] * slot_ticks)
    return _Event(start, _JUMP_TICKS, _JUMP_FADE_MIN * TICKS, size)


@lru_cache(maxsize=256)
def minute_path(who: Character, minute: int) -> Floats:
    """Log offsets of an asset at the 601 ticks of a minute since the Unix epoch."""
    common, own = factor_keys(who)
    alone = float(np.sqrt(1.0 - who.beta * who.beta))
    whole = who.volatility * (who.beta * _factor(common, minute) + alone * _factor(own, minute))
    slot = minute // _JUMP_SLOT_MIN
    events: list[_Event | None] = [_spike(who, minute // MINUTES_A_DAY)]
    events += [_jump(who, slot - back) for back in range(_JUMP_SLOTS_BACK + 1)]
    for event in events:
        part = event.over(minute * TICKS) if event else None
        if part is not None:
            whole += part
    whole.setflags(write=False)
    return whole


def whole_minutes(who: Character, minutes: Ints) -> Floats:
    """Log offsets at whole minutes without jumps and spikes: cheap, for figures over a day."""
    common, own = factor_keys(who)
    alone = float(np.sqrt(1.0 - who.beta * who.beta))
    mixed: Floats = np.zeros(len(minutes))
    for key, weight in ((common, who.beta), (own, alone)):
        mixed = mixed + weight * _coarse(key, minutes, regime(key, minutes))
    return who.volatility * mixed
