"""Claims of the hub and its queues, without a socket: what is owed, replaced, refused, counted."""

from __future__ import annotations

import math
import random
from typing import Any

import msgspec
import pytest
from tests.shell.serving import NAMES, closed, opened, preview
from websockets.frames import Frame, Opcode

from candlewick.model.columns import Gaps, Signals, Trades
from candlewick.model.instruments import Instrument, Instruments
from candlewick.model.outcome import Outcome
from candlewick.shell import fanout as fanout_room
from candlewick.shell.fanout import QUEUE_FRAMES_MAX, WIRE_BYTES_MAX, Fanout, framed
from candlewick.shell.hub import Hub
from candlewick.shell.live import Live

M = 60 * 10**9
CANDLES = "candles:binance:BTC/USDT:1m"


class Ear:
    """A socket that keeps what it is given; `full` plays a peer that does not read."""

    def __init__(self) -> None:
        self.full = False
        self.frames = bytearray()
        self.writes = 0
        self.code: int | None = None

    def waiting(self) -> int:
        return WIRE_BYTES_MAX + 1 if self.full else 0

    def write(self, frames: bytes) -> None:
        self.writes += 1
        self.frames += frames

    def finish(self, code: int, frames: bytes) -> None:
        self.frames += frames
        self.code = code

    def heard(self) -> list[Any]:
        """The messages, taken out of their frames."""
        found, at, whole = [], 0, self.frames
        while at < len(whole):
            assert whole[at] == 0x81, "a whole text frame"
            words = {126: 2, 127: 8}.get(whole[at + 1], 0)
            size = int.from_bytes(whole[at + 2 : at + 2 + words], "big") if words else whole[at + 1]
            at += 2 + words + size
            found.append(msgspec.json.decode(whole[at - size : at]))
        self.frames = bytearray()
        return found


class Clock:
    def __init__(self) -> None:
        self.ms = 1_000_000.0

    def __call__(self) -> float:
        return self.ms


class House:
    """A hub with its clock in the test's hand."""

    def __init__(self, listing: tuple[Instrument, ...]) -> None:
        self.clock = Clock()
        self.instruments = Instruments()
        for one in listing:
            self.instruments.declare(one)
        self.fanout = Fanout(self.clock)
        self.hub = Hub(self.instruments, self.fanout)
        self.live = Live(self.instruments, 1, NAMES)

    def guest(self, *channels: str) -> tuple[fanout_room.Client, Ear]:
        ear = Ear()
        client = self.fanout.join(ear)
        assert client is not None
        if channels:
            self.fanout.subscribe(client, channels)
        return client, ear

    def publish(
        self, outcome: Outcome, ticks: dict[int, tuple[int, int, float]] | None = None
    ) -> None:
        self.live.apply(outcome, ticks or {})
        self.hub.publish(outcome, self.live)

    def counted(self) -> bool:
        f = self.fanout
        return f.pushed == f.sent + f.conflated + f.dropped + f.queued


@pytest.fixture
def house(listing: tuple[Instrument, ...]) -> House:
    return House(listing)


def trade(series: int, id_: int, price: int, at_ns: int = 10**18) -> Outcome:
    return Outcome(trades=Trades.from_rows([(series, id_, at_ns, at_ns + 5_000_000, price, 3, 1)]))


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 65_535, 65_536, 70_000])
def test_a_frame_is_what_the_websockets_library_would_send(size: int) -> None:
    message = b"x" * size
    assert framed(message) == Frame(Opcode.TEXT, message).serialize(mask=False)


def test_the_flat_form_has_every_asked_for_field_and_an_exact_price(house: House) -> None:
    _, ear = house.guest()
    house.publish(trade(0, 1, 6_183_763, 1_700_000_000_123_000_000), {0: (1, 6_183_763, 61_800.25)})
    house.fanout.flush()
    assert b'"price":61837.63,' in ear.frames
    assert ear.heard() == [
        {
            "symbol": "BTCUSDT",
            "venue": "binance",
            "price": 61837.63,
            "sma_20": 61800.25,
            "signal": "BUY",
            "timestamp": 1_700_000_000_123,
            "time": "2023-11-14T22:13:20.123Z",
        }
    ]


def test_a_warming_mean_is_null_and_says_hold(house: House) -> None:
    _, ear = house.guest()
    house.publish(trade(0, 1, 100), {0: (0, 100, math.nan)})
    house.fanout.flush()
    (row,) = ear.heard()
    assert (row["sma_20"], row["signal"]) == (None, "HOLD")


def test_a_batch_gives_one_flat_frame_a_symbol_and_an_unread_one_is_replaced(house: House) -> None:
    _, ear = house.guest()
    for price in range(100, 200):
        house.publish(trade(0, price, price))
        house.publish(trade(1, price, price + 1_000))
    house.fanout.flush()
    assert [(row["symbol"], row["price"]) for row in ear.heard()] == [
        ("BTCUSDT", 1.99),
        ("ETHEUR", 11.99),
    ]
    assert house.fanout.conflated == 198
    assert house.counted()


def test_a_stuck_client_costs_no_memory_and_the_others_get_everything(house: House) -> None:
    stuck_client, stuck = house.guest()
    _, free = house.guest()
    stuck.full = True
    for price in range(5_000):
        house.publish(trade(price % 2, price, price + 1))
        house.fanout.flush()
    assert len(stuck_client.queue) == 2
    assert stuck.writes == 0
    assert free.writes == 5_000
    assert [round(row["price"] * 100) for row in free.heard()] == list(range(1, 5_001))
    stuck.full = False
    house.fanout.flush()
    assert [round(row["price"] * 100) for row in stuck.heard()] == [4_999, 5_000]
    assert house.counted()


def test_events_are_never_dropped_and_a_full_queue_ends_the_client(house: House) -> None:
    client, ear = house.guest("gaps")
    ear.full = True
    for id_ in range(QUEUE_FRAMES_MAX):
        house.publish(Outcome(gaps=Gaps.from_rows([(0, 0, id_, id_, 5, 1, 2, 1, 0, 0)])))
        house.fanout.flush()
    assert (len(client.queue), client.gone) == (QUEUE_FRAMES_MAX, False)
    house.publish(Outcome(gaps=Gaps.from_rows([(0, 0, 9_999, 9_999, 5, 1, 2, 1, 0, 0)])))
    assert client.gone
    assert ear.code == 1013
    assert ear.heard() == [{"op": "bye", "why": "slow", "retry_ms": 1_500}]
    assert len(house.fanout) == 0
    assert not house.fanout.heard("gaps")
    assert house.fanout.dropped == QUEUE_FRAMES_MAX + 1
    assert house.counted()


def test_a_client_that_takes_nothing_for_long_is_sent_away(house: House) -> None:
    client, ear = house.guest()
    ear.full = True
    house.publish(trade(0, 1, 100))
    house.fanout.flush()
    house.clock.ms += fanout_room.STUCK_MS_MAX - 1
    house.fanout.flush()
    assert not client.gone
    house.clock.ms += 2
    house.fanout.flush()
    assert client.gone
    assert ear.code == 1013


def test_a_final_candle_overtakes_the_unsent_preview_of_its_window(house: House) -> None:
    _, ear = house.guest(CANDLES)
    house.publish(preview(opened(0, 60, M, 100)))
    house.publish(closed(opened(0, 60, M, 101, final=1)))
    house.publish(preview(opened(0, 60, 2 * M, 102)))
    house.clock.ms += fanout_room.PREVIEW_MS_MIN
    house.fanout.flush()
    rows = [(frame["data"]["open_time"], frame["data"]["final"]) for frame in ear.heard()]
    assert rows == [("1970-01-01T00:01:00Z", True), ("1970-01-01T00:02:00Z", False)]


def test_a_preview_that_is_still_unsent_when_its_candle_closes_is_not_sent(house: House) -> None:
    _, ear = house.guest(CANDLES)
    house.publish(preview(opened(0, 60, M, 100)))
    house.publish(closed(opened(0, 60, M, 101, final=1)))
    house.fanout.flush()
    assert [frame["data"]["final"] for frame in ear.heard()] == [True]
    assert house.fanout.conflated == 1
    assert house.counted()


def test_a_late_preview_is_forgotten_once_its_candle_is_final(house: House) -> None:
    _, ear = house.guest(CANDLES)
    house.publish(preview(opened(0, 60, M, 100)))
    house.publish(preview(opened(0, 60, M, 101)))  # Waits for its turn.
    house.fanout.flush()
    house.publish(closed(opened(0, 60, M, 102, final=1)))
    house.clock.ms += 10 * fanout_room.PREVIEW_MS_MIN
    house.fanout.flush()
    assert [frame["data"]["final"] for frame in ear.heard()] == [False, True]


def test_previews_come_four_times_a_second_and_the_newest_is_not_left_out(house: House) -> None:
    _, ear = house.guest(CANDLES)
    for close in range(100, 200):  # A second of batches every 10 ms.
        house.publish(preview(opened(0, 60, M, close)))
        house.fanout.flush()
        house.clock.ms += 10
    early = len(ear.heard())
    assert 4 <= early <= 5
    house.clock.ms += fanout_room.PREVIEW_MS_MIN
    house.fanout.flush()
    (last,) = ear.heard()
    assert last["data"]["close"] == "1.99"


def test_final_candles_and_revisions_come_at_once_with_their_indicators(house: House) -> None:
    _, ear = house.guest(CANDLES)
    for revision in range(3):
        house.publish(closed(opened(0, 60, M, 100, final=1, revision=revision), 7.25))
        house.fanout.flush()
    frames = ear.heard()
    assert [frame["data"]["revision"] for frame in frames] == [0, 1, 2]
    assert [frame["seq"] for frame in frames] == [1, 2, 3]
    assert frames[0]["data"]["indicators"] == {"sma_2": 7.25}


def test_a_preview_carries_indicators_and_nan_is_null(house: House) -> None:
    _, ear = house.guest(CANDLES)
    house.publish(preview(opened(0, 60, M, 100), 99.5))
    house.fanout.flush()
    (frame,) = ear.heard()
    assert frame["t"] == "upd"
    assert frame["data"]["indicators"] == {"sma_2": 99.5, "rsi_14": None}
    assert frame["data"]["final"] is False


def test_a_backfill_comes_as_one_snapshot_of_the_newest(house: House) -> None:
    client, ear = house.guest(CANDLES)
    rows = [opened(0, 60, at * M, 100 + at, final=1) for at in range(2_000)]
    outcome = closed(rows[0])
    outcome.candles = type(outcome.candles).from_rows(rows)
    house.publish(outcome)
    assert len(client.queue) == 1
    house.fanout.flush()
    (frame,) = ear.heard()
    assert frame["t"] == "snap"
    assert len(frame["data"]["candles"]) == 500
    assert frame["data"]["candles"][-1]["close"] == "20.99"


def test_what_nobody_listens_to_is_not_built(house: House) -> None:
    _, ear = house.guest("signals:kraken:ETH/EUR")
    house.publish(closed(opened(0, 60, M, 100, final=1)))
    house.publish(trade(0, 1, 100))
    house.fanout.flush()
    assert (ear.frames, house.fanout.pushed, house.fanout.seq(CANDLES)) == (bytearray(), 0, 0)


def test_signals_go_to_their_market_only_and_say_why(house: House) -> None:
    _, ear = house.guest("signals:binance:BTC/USDT")
    rows = [(0, 1, 10**18, 1, 10_100, 100.0, 0.0005), (1, 2, 10**18, -1, 99, 1.0, 0.0005)]
    house.publish(Outcome(signals=Signals.from_rows(rows)))
    house.fanout.flush()
    (frame,) = ear.heard()
    assert frame["ch"] == "signals:binance:BTC/USDT"
    assert (frame["data"]["signal"], frame["data"]["price"]) == ("BUY", "101")
    assert "above tick_sma_20" in frame["data"]["reason"]


def test_heartbeats_go_to_typed_clients_only(house: House) -> None:
    _, flat = house.guest()
    _, typed = house.guest("alerts")
    house.clock.ms += fanout_room.HEARTBEAT_MS
    house.fanout.flush()
    assert [frame["op"] for frame in typed.heard()] == ["hb"]
    assert flat.heard() == []


def test_three_clients_get_identical_bytes(house: House) -> None:
    ears = [house.guest(CANDLES, "prices", "gaps")[1] for _ in range(3)]
    for at in range(50):
        house.publish(trade(at % 2, at, 100 + at))
        house.publish(closed(opened(0, 60, at * M, 100 + at, final=1)))
        house.fanout.flush()
    assert ears[0].frames
    assert ears[0].frames == ears[1].frames == ears[2].frames


def test_the_house_has_a_limit(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fanout_room, "CLIENTS_MAX", 2)
    house.guest()
    second, _ = house.guest()
    assert house.fanout.join(Ear()) is None
    house.fanout.leave(second)
    assert house.fanout.join(Ear()) is not None


@pytest.mark.parametrize("seed", range(20))
def test_whatever_happens_every_frame_is_accounted_for(
    listing: tuple[Instrument, ...], seed: int
) -> None:
    """pushed == sent + conflated + dropped + queued at every step; what was sent, arrived."""
    chance, house = random.Random(seed), House(listing)
    guests: list[tuple[fanout_room.Client, Ear]] = []
    received = byes = 0
    for step in range(400):
        act = chance.randrange(8)
        if act == 0 and len(guests) < 8:
            guests.append(house.guest(*chance.sample([CANDLES, "prices", "gaps"], 2)))
        elif act == 1 and guests:
            client, ear = guests.pop(chance.randrange(len(guests)))
            heard = ear.heard()
            byes += sum(frame.get("op") == "bye" for frame in heard)
            received += len(heard)
            house.fanout.leave(client)
        elif act == 2 and guests:
            ear = chance.choice(guests)[1]
            ear.full = not ear.full
        elif act == 3:
            house.fanout.flush()
        elif act == 4:
            rows = [
                (0, 0, step * 500 + n, 1, 5, 1, 2, 1, 0, 0) for n in range(chance.randrange(50))
            ]
            house.publish(Outcome(gaps=Gaps.from_rows(rows)))
        elif act == 5:
            house.publish(closed(opened(0, 60, step * M, 100, final=1)))
        else:
            house.publish(trade(step % 2, step, step + 1))
            house.publish(preview(opened(0, 60, step * M, 100 + step)))
        house.clock.ms += chance.randrange(400)
        assert house.counted(), f"seed {seed}, step {step}"
    for _, ear in guests:
        heard = ear.heard()
        byes += sum(frame.get("op") == "bye" for frame in heard)
        received += len(heard)
    assert received == house.fanout.sent + byes
