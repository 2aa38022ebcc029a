"""Makes the two examples of this folder with the built-in market: `python docs/examples/make.py`.

takes   a folder; without one, this one
gives   kraken_trades_simulated.json and kraken_ohlc_1m_simulated.json: what the built-in Kraken
        answers, byte for byte, to `GET /0/public/Trades` and `GET /0/public/OHLC` for one hour
never   reads a clock: the same bytes on every machine
"""

from __future__ import annotations

import sys
from pathlib import Path

from candlewick.exchange.kraken_rest import KrakenRest
from candlewick.exchange.market import kraken_market
from candlewick.model.time import NS_PER_S, from_rfc3339

SEED, TRADES_PER_S = 7, 6.0
FROM_NS = from_rfc3339("2025-06-02T14:00:00Z")
UPTO_NS = from_rfc3339("2025-06-02T15:00:00Z")


def main(folder: Path) -> None:
    """Asks as of the hour's last nanosecond; `since` is exclusive in both calls."""
    exchange = KrakenRest(kraken_market(SEED, TRADES_PER_S))
    asked = {
        "kraken_trades_simulated.json": ("Trades", {"since": str(FROM_NS - 1)}),
        "kraken_ohlc_1m_simulated.json": (
            "OHLC",
            {"interval": "1", "since": str(FROM_NS // NS_PER_S - 60)},
        ),
    }
    for name, (call, query) in asked.items():
        answer = exchange.answer(f"/0/public/{call}", {"pair": "XBTUSDT"} | query, UPTO_NS - 1)
        (folder / name).write_bytes(answer.body)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).resolve().parent)
