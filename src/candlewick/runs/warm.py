"""Compile every kernel once, so that the first start does not wait for it: `make build` runs this.

takes   nothing
gives   compiled code in the cache (see `compiled.py`); a second run takes a second
"""

from __future__ import annotations

import sys

from candlewick.config import Settings
from candlewick.model.columns import Events, Kind
from candlewick.model.instruments import Instrument, Instruments
from candlewick.model.time import NS_PER_S
from candlewick.pipeline import Pipeline

_STEP_NS = 7 * NS_PER_S
_TRADES = 400


def warm() -> None:
    """A made-up hour through every room, with a hole, a repair and a restart in it."""
    settings = Settings()
    instruments = Instruments()
    one = instruments.declare(Instrument("test", "BTC/USDT", "BTCUSDT", 8, 8))
    pipeline = Pipeline(settings, instruments)
    rows = [
        (one.series, Kind.BUY, k, k * _STEP_NS + 10**18, 0, 10**10 + k % 7, 10**8)
        for k in range(1, _TRADES)
        if k != 50
    ]
    states = pipeline.refold(Events.from_rows(rows)).states
    late = (one.series, Kind.BUY, 50, 50 * _STEP_NS + 10**18, 0, 10**10, 10**8)
    pipeline.refold(Events.from_rows([late]))
    pipeline.flush()
    pipeline.panel.preview(pipeline.open_candles())
    pipeline.restore({(name, series): blob for name, series, blob in states})


if __name__ == "__main__":
    sys.stderr.write("compiling kernels (once a machine and version, up to a minute) ...\n")
    warm()
