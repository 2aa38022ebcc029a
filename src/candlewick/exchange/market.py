"""A seeded market: trades, books and candles of any moment, computed, never stored.

How many trades a market has made is known at once: every day has the same number of them, spread
over its minutes by seeded weights, so a trade id is a place in time and the other way round.  A
minute's trades are drawn as one block: bursts in time, both sides, heavy-tailed sizes, prices at
the touch of the book of that moment or, sweeping, beyond it.

takes   a seed, the listed symbols, how many trades a second they make together
gives   columns of trades, books, bars; the same on every machine and after every restart
never   reads a clock: the caller says what time it is
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from candlewick.errors import UsageError
from candlewick.exchange import bars, books, draws, path
from candlewick.exchange.bars import Bar
from candlewick.exchange.books import Book
from candlewick.exchange.listings import MarketSymbol, binance_symbols, kraken_symbols
from candlewick.model.columns import Ints, Side, Trades
from candlewick.model.time import NS_PER_MS, NS_PER_S, NS_PER_US

Signs: TypeAlias = npt.NDArray[np.int8]

OPENED_NS = 1_577_836_800 * NS_PER_S  # 2020-01-01: no market traded before it; ids count from 1.
MINUTE_NS = 60 * NS_PER_S
DAY_NS = 86_400 * NS_PER_S
UPDATES_A_TICK = 7  # Book update ids that pass in 100 ms.

_TRADES_A_BURST = 6
_LONE_SHARE = 0.25
_BURST_NS = 400 * NS_PER_MS
_WITH_THE_BURST = 0.85
_SWEEP_SHARE = 0.12
_SWEEP_DEPTH = 0.0002
_SIZE_SPREAD = 1.35  # Log deviation of trade sizes.
_WHALE_SHARE, _WHALE_LOG = 0.006, 2.8
_SPIKE_RUSH, _SPIKE_RUSH_MIN = 14.0, 30
_STAY = 0.00005  # The touch moves in steps of this part of the base price.
_BOOK_STEP, _BOOK_NOTIONAL = 0.00001, 6.0


class Market:
    """One venue's markets.

    Args:
        trades_per_s: of all symbols together, on average over a day.
        time_step_ns: exchange times are multiples of it.
        ties: whether two trades may carry the same time.
    """

    def __init__(
        self,
        seed: int,
        symbols: Sequence[MarketSymbol],
        trades_per_s: float,
        time_step_ns: int = NS_PER_MS,
        ties: bool = True,
    ) -> None:
        if not trades_per_s > 0:
            raise UsageError(f"trades_per_s is {trades_per_s}; expected more than 0, such as 40")
        self.symbols = tuple(symbols)
        self._places = {s.symbol: place for place, s in enumerate(self.symbols)}
        self._step_ns, self._ties = time_step_ns, ties
        total = sum(s.share for s in self.symbols)
        self._a_day = [max(1, round(86_400 * trades_per_s * s.share / total)) for s in self.symbols]
        self._keys = [draws.key_of(seed, f"{s.instrument.venue} {s.symbol}") for s in self.symbols]
        self._grids = [self._grid(place) for place in range(len(self.symbols))]
        busiest = max(self._a_day) // 1_440
        self._counts = lru_cache(maxsize=4 * len(self.symbols))(self._make_counts)
        self._block = lru_cache(maxsize=256 if busiest < 5_000 else 96)(self._make_block)
        self._touch = lru_cache(maxsize=256)(self._make_touch)
        self._minute_bar = lru_cache(maxsize=16_384)(self._make_minute_bar)
        self._book = lru_cache(maxsize=256)(self._make_book)

    def symbol(self, name: str) -> MarketSymbol:
        """The listing behind a canonical symbol; a `KeyError` is a bug of the caller."""
        return self.symbols[self._places[name]]

    def __contains__(self, name: str) -> bool:
        return name in self._places

    # Trades

    def trades_between(self, name: str, from_ns: int, to_ns: int) -> Trades:
        """The trades with `from_ns <= at_ns < to_ns`, in id order."""
        place, from_ns = self._places[name], max(from_ns, OPENED_NS)
        parts = []
        for minute in range(from_ns // MINUTE_NS, -(-to_ns // MINUTE_NS)):
            block = self._block(place, minute)
            first, last = np.searchsorted(block.at_ns, (from_ns, to_ns))
            if first < last:
                parts.append(block.take(slice(first, last)))
        return Trades.concat(parts) if parts else Trades.empty()

    def trades_from_id(self, name: str, first_id: int, count: int, upto_ns: int) -> Trades:
        """At most `count` trades from an id on, none later than `upto_ns`."""
        place, parts, wanted = self._places[name], [], max(first_id, 1)
        last_id = min(wanted + count - 1, self.last_id_at(name, upto_ns))
        while wanted <= last_id:
            block = self._block(place, self._minute_of(place, wanted))
            skip = wanted - int(block.id[0])
            part = block.take(slice(skip, skip + last_id - wanted + 1))
            parts.append(part)
            wanted += len(part)
        return Trades.concat(parts) if parts else Trades.empty()

    def last_id_at(self, name: str, at_ns: int) -> int:
        """The id of the last trade at or before a moment; 0 before the first."""
        if at_ns < OPENED_NS:
            return 0
        place, minute = self._places[name], at_ns // MINUTE_NS
        block = self._block(place, minute)
        return self._made_before(place, minute) + int(
            np.searchsorted(block.at_ns, at_ns, side="right")
        )

    def last_trade_at(self, name: str, at_ns: int) -> Trades:
        """The last trade at or before a moment, as one row; empty before the first."""
        return self.trades_from_id(name, max(self.last_id_at(name, at_ns), 1), 1, at_ns)

    def prepare(self, name: str, at_ns: int) -> None:
        """Draw the block around a moment now, so that asking for it later costs nothing."""
        self._block(self._places[name], at_ns // MINUTE_NS)

    # Books

    def touch_at(self, name: str, at_ns: int) -> tuple[int, int]:
        """Best bid and ask of a moment."""
        bids, asks = self._touch(self._places[name], at_ns // MINUTE_NS)
        tick = at_ns // path.TICK_NS % path.TICKS
        return int(bids[tick]), int(asks[tick])

    def book_at(self, name: str, at_ns: int) -> Book:
        """Every resting level at the 100 ms tick of a moment."""
        return self._book(self._places[name], at_ns // path.TICK_NS)

    @staticmethod
    def book_update_id(tick: int) -> int:
        """The last update id of a tick; the first one is the previous tick's last plus one."""
        return (tick - OPENED_NS // path.TICK_NS) * UPDATES_A_TICK

    # Candles

    def bar(self, name: str, open_ns: int, interval_s: int, upto_ns: int) -> Bar | None:
        """The candle from `open_ns`, of the trades before `upto_ns`; None without trades."""
        place = self._places[name]
        end_ns = min(open_ns + interval_s * NS_PER_S, upto_ns)
        found = []
        for minute in range(max(open_ns, OPENED_NS) // MINUTE_NS, -(-end_ns // MINUTE_NS)):
            begin_ns = minute * MINUTE_NS
            if begin_ns >= open_ns and begin_ns + MINUTE_NS <= end_ns:
                part = self._minute_bar(place, minute)
            else:
                edge_ns = max(begin_ns, open_ns), min(begin_ns + MINUTE_NS, end_ns)
                part = bars.fold(begin_ns, self.trades_between(name, *edge_ns))
            if part is not None:
                found.append(part)
        return bars.join(open_ns, found)

    # How all of it is drawn

    def _grid(self, place: int) -> books.Grid:
        listed = self.symbols[place]
        unit = 10.0**listed.instrument.size_decimals
        step = max(1, round(_BOOK_STEP * listed.price * 10**listed.instrument.price_decimals))
        size = _BOOK_NOTIONAL * listed.notional / listed.price * unit
        seconds = 86_400 / self._a_day[place]
        pace = 1 if seconds < 1 else 3 if seconds < 10 else 12
        return books.Grid(self._keys[place] ^ 0xB00C, step, size, pace, listed.instrument.lot)

    def _make_book(self, place: int, tick: int) -> Book:
        name = self.symbols[place].symbol
        return books.book(self._grids[place], tick, *self.touch_at(name, tick * path.TICK_NS))

    def _make_touch(self, place: int, minute: int) -> tuple[Ints, Ints]:
        """Bid and ask at every tick of a minute; they stay put while the path moves a little."""
        listed = self.symbols[place]
        tick = listed.instrument.tick
        base = listed.price * 10.0**listed.instrument.price_decimals / tick
        middle = draws.exp(path.minute_path(listed.character, minute)[: path.TICKS]) * base
        width = np.maximum(np.rint(middle * listed.spread), 1.0)
        stay = max(1.0, float(np.rint(base * max(_STAY, listed.spread / 2))))
        middle = np.rint(middle / stay) * stay
        bids = np.maximum(np.floor(middle - width / 2 + 0.5), 1.0).astype(np.int64)
        return bids * tick, (bids + width.astype(np.int64)) * tick

    def _make_counts(self, place: int, day: int) -> Ints:
        """Trades made within a day before each of its minutes, and at its end."""
        who = self.symbols[place].character
        minutes = day * path.MINUTES_A_DAY + np.arange(path.MINUTES_A_DAY)
        key = self._keys[place] ^ 0xC0
        weight = np.sqrt(path.regime(path.factor_keys(who)[1], minutes))
        weight = weight * draws.exp(0.4 * draws.normal(key, minutes))
        since = np.arange(path.MINUTES_A_DAY) - path.spike_minute(who, day)
        fading = np.clip(1.0 - since / _SPIKE_RUSH_MIN, 0.0, 1.0)
        weight = weight * (1.0 + _SPIKE_RUSH * np.where(since >= 0, fading * fading, 0.0))
        total = np.cumsum(np.floor(weight * 1_000.0).astype(np.int64) + 1)
        counts: Ints = np.concatenate([[0], self._a_day[place] * total // total[-1]])
        return counts

    def _made_before(self, place: int, minute: int) -> int:
        """How many trades were made before a minute."""
        day, rest = divmod(minute, path.MINUTES_A_DAY)
        days = day - OPENED_NS // DAY_NS
        return days * self._a_day[place] + int(self._counts(place, day)[rest])

    def _minute_of(self, place: int, trade_id: int) -> int:
        days, rank = divmod(trade_id - 1, self._a_day[place])
        day = days + OPENED_NS // DAY_NS
        within = int(np.searchsorted(self._counts(place, day), rank, side="right")) - 1
        return day * path.MINUTES_A_DAY + within

    def _make_block(self, place: int, minute: int) -> Trades:
        """All trades of one minute."""
        day, rest = divmod(minute, path.MINUTES_A_DAY)
        counts = self._counts(place, day)
        made = int(counts[rest + 1] - counts[rest])
        if made == 0:
            return Trades.empty()
        ids = self._made_before(place, minute) + 1 + np.arange(made)
        offset_ns, burst = self._times(place, minute, ids)
        order = np.argsort(offset_ns, kind="stable")
        offset_ns, burst = self._spaced(offset_ns[order]), burst[order]
        side = self._sides(place, burst, ids)
        return Trades(
            series=np.full(made, self.symbols[place].instrument.series, np.int32),
            id=ids,
            at_ns=minute * MINUTE_NS + offset_ns,
            seen_ns=np.zeros(made, np.int64),
            price=self._prices(place, minute, offset_ns, side, ids),
            size=self._sizes(place, ids),
            side=side,
        )

    def _times(self, place: int, minute: int, ids: Ints) -> tuple[Ints, Ints]:
        """Offsets in the minute and the burst of each trade, in no order."""
        key = self._keys[place]
        groups = -(-len(ids) // _TRADES_A_BURST)
        group = np.floor(draws.uniform(key ^ 1, ids) * groups).astype(np.int64)
        burst = minute * 1_000_000 + group
        centre = draws.uniform(key ^ 2, burst)
        delay = draws.uniform(key ^ 3, ids)
        lone = draws.uniform(key ^ 4, ids) < _LONE_SHARE
        clustered = centre * MINUTE_NS + delay * delay * _BURST_NS
        at = np.where(lone, delay * MINUTE_NS, clustered).astype(np.int64)
        return at % MINUTE_NS, np.where(lone, -ids, burst)

    def _spaced(self, offset_ns: Ints) -> Ints:
        """Sorted offsets on the venue's time grid; strictly rising where ties are not allowed."""
        steps = offset_ns // self._step_ns
        if not self._ties:
            rank = np.arange(len(steps))
            steps = np.maximum.accumulate(steps - rank) + rank
            steps = np.minimum(steps, MINUTE_NS // self._step_ns - len(steps) + rank)
        spaced: Ints = steps * self._step_ns
        return spaced

    def _sides(self, place: int, burst: Ints, ids: Ints) -> Signs:
        key = self._keys[place]
        leaning = draws.uniform(key ^ 5, burst) < 0.5
        agrees = draws.uniform(key ^ 6, ids) < _WITH_THE_BURST
        return np.where(leaning == agrees, Side.BUY, Side.SELL).astype(np.int8)

    def _prices(self, place: int, minute: int, offset_ns: Ints, side: Signs, ids: Ints) -> Ints:
        """The touch that the taker meets, or up to two basis points beyond it."""
        bids, asks = self._touch(place, minute)
        tick = offset_ns // path.TICK_NS
        touch = np.where(side == Side.BUY, asks[tick], bids[tick])
        u = draws.uniform(self._keys[place] ^ 7, ids)
        reach = np.where(u < _SWEEP_SHARE, (u / _SWEEP_SHARE) ** 2 * _SWEEP_DEPTH, 0.0)
        step = self.symbols[place].instrument.tick
        beyond = np.floor(touch * reach / step).astype(np.int64) * step
        prices: Ints = np.maximum(touch + side * beyond, step)
        return prices

    def _sizes(self, place: int, ids: Ints) -> Ints:
        listed = self.symbols[place]
        median = listed.notional / listed.price * 10.0**listed.instrument.size_decimals
        key, lot = self._keys[place], listed.instrument.lot
        log = _SIZE_SPREAD * draws.normal(key ^ 8, ids)
        log = log + np.where(draws.uniform(key ^ 9, ids) < _WHALE_SHARE, _WHALE_LOG, 0.0)
        lots = np.floor(draws.exp(log) * (median / lot)).astype(np.int64)
        sizes: Ints = np.maximum(lots, 1) * lot
        return sizes

    def _make_minute_bar(self, place: int, minute: int) -> Bar | None:
        return bars.fold(minute * MINUTE_NS, self._block(place, minute))


def binance_market(seed: int, trades_per_s: float) -> Market:
    """Ten markets in USDT; times in milliseconds, several trades may share one."""
    return Market(seed, binance_symbols(seed), trades_per_s, NS_PER_MS, ties=True)


def kraken_market(seed: int, trades_per_s: float) -> Market:
    """Markets in USD and USDT on the same paths; times in microseconds, each trade its own."""
    return Market(seed, kraken_symbols(seed), trades_per_s, NS_PER_US, ties=False)
