"""`candlewick replay`: a recording through the whole pipeline into a data directory.

takes   recorded frames of one venue
gives   the tables, and one summary
never   counts a frame twice: an interrupted replay goes on where its last transaction ended, and
        one that was finished finds nothing but duplicates
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

from candlewick import feeds
from candlewick.config import Settings
from candlewick.model.outcome import Frame, Outcome
from candlewick.runs.opened import Opened, opened
from candlewick.runs.rebuild import rebuild
from candlewick.shell import collector
from candlewick.shell.ahead import ahead
from candlewick.shell.pace import Pace, Stopwatch, rss_mb
from candlewick.shell.tape import STDIN, Tape

_DONE = "done"
_AHEAD_BATCHES_MAX = 2  # Decompressed and cut into frames while the ones before are computed.
_COUNTS = (
    "frames", "data_frames", "control_frames", "peer_errors", "trades", "duplicates", "disorder",
    "late", "gaps", "candles", "indicators", "signals", "anomalies",
)  # fmt: skip


def run_replay(
    settings: Settings,
    files: Sequence[Path],
    venue: str,
    speed: float | Literal["max"],
    symbols: Sequence[str],
    progress: Callable[[dict[str, Any]], None],
) -> dict[str, Any]:
    """Replay `files`; see the module's text.

    Args:
        speed: a multiple of real time by the frames' arrival, or `max`.
        symbols: canonical; empty is every one.
        progress: is told `read_bytes`, `total_bytes` and the counts so far.

    Raises:
        UsageError: no such venue or file, or a data directory that cannot be used.
        StoreError: the disk refused; what was committed before stays.
    """
    feeds.venue(venue)
    tape, watch, counts = Tape(files), Stopwatch(), Counter[str]()
    with opened(settings, settings.data_dir) as run:
        run.pipeline.only = frozenset(symbols)
        with collector.seldom():
            _play(settings, tape, venue, Pace(speed), run, counts, progress)
        last = run.pipeline.flush()
        last.offsets = [(source, _DONE) for source in tape.sources]
        run.commit(last, run.pipeline.open_candles())
        counts.update(last.counts)
        if rebuild(run.store, run.pipeline, run.store.late_series()):
            run.commit(Outcome(), run.pipeline.open_candles())
    seconds = watch.seconds()
    return {name: counts[name] for name in _COUNTS} | {
        "seconds": round(seconds, 3),
        "trades_per_s": round(counts["trades"] / seconds),
        "rss_mb": rss_mb(),
        "damaged": tape.damaged,
    }


def _play(
    settings: Settings,
    tape: Tape,
    venue: str,
    pace: Pace,
    run: Opened,
    counts: Counter[str],
    progress: Callable[[dict[str, Any]], None],
) -> None:
    offsets = run.store.offsets()
    batches = tape.batches(pace.rows_max(settings.batch.rows_max))
    if STDIN not in tape.paths:  # A pipe may be silent for ever, and nobody could stop us then.
        batches = ahead(batches, _AHEAD_BATCHES_MAX)
    for batch in batches:
        stored = offsets.get(batch.source, _DONE)
        frames: list[Frame] = batch.frames
        behind = 0 if stored == _DONE else int(stored) - (int(batch.position) - len(frames))
        if behind > 0:
            run.pipeline.skip({venue: frames[:behind]})
            frames = frames[behind:]
        pace.wait(frames)
        outcome = run.pipeline.take({venue: frames})
        outcome.offsets = [(batch.source, batch.position)]
        run.commit(outcome)
        counts.update(outcome.counts)
        told = {"read_bytes": tape.read_bytes, "total_bytes": tape.total_bytes}
        progress({**told, **counts})
