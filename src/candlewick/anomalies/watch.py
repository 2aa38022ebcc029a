"""Judges closed candles by every rule of this room, and gives each alert once.

takes   Candles as the bars room gives them; only final rows of one interval are judged
gives   Anomalies: at most one row for each series, window and kind, whatever is revised or replayed
never   judges a window that left the last `windows_kept`: what it said of it is forgotten by then

A window that is in the memory was never alerted before it came in, and one that has left it is not
judged again.  So each alert is given exactly once for as long as the state lives; after the loss of
it the store's key does the same.  A revision may alert for the first time, or of another kind (it
rose, and corrected it fell), never again of the same kind, whatever its severity is now.
"""

from __future__ import annotations

import difflib
import importlib
import pkgutil
from collections.abc import Mapping
from types import ModuleType
from typing import Any

import numpy as np

from candlewick import anomalies
from candlewick.errors import UsageError
from candlewick.kernel import Array, grown, kernel, load, record, save
from candlewick.model.columns import Anomalies, Candles
from candlewick.model.instruments import Instrument, Instruments
from candlewick.model.time import NEVER_NS, NS_PER_S, interval_text, to_rfc3339

VERSION = 1
WINDOWS_KEPT_MIN = 16
SEVERITIES = ("", "LOW", "MEDIUM", "HIGH")
VERDICT = record(kind="i4", severity="i1", value="f8", limit="f8")
ALERTED = record(window="i8", kinds="i8")  # One bit a kind.


def _found() -> dict[str, ModuleType]:
    """Every rule of this room by its file's name, in the order of the names."""
    names = sorted(module.name for module in pkgutil.iter_modules(anomalies.__path__))
    modules = {name: importlib.import_module(f"{anomalies.__name__}.{name}") for name in names}
    return {name: module for name, module in modules.items() if hasattr(module, "KINDS")}


RULES = _found()
KINDS: tuple[str, ...] = tuple(kind for rule in RULES.values() for kind in rule.KINDS)
DEFAULTS: dict[str, float] = {
    "interval_s": 60,
    "lateness_s": 300,
    **{key: value for rule in RULES.values() for key, value in rule.DEFAULTS.items()},
}
assert len(KINDS) < 63, "the kinds of one window are the bits of one integer"
_FIRST_KINDS = np.cumsum([0, *(len(rule.KINDS) for rule in RULES.values())])[:-1]


class Watch:
    """The fold.  `settings` are any of `DEFAULTS`.

    Raises:
        UsageError: a setting that no rule knows, or with a value that its rule refuses.
    """

    def __init__(self, instruments: Instruments, settings: Mapping[str, float]) -> None:
        for key in settings:
            if key not in DEFAULTS:
                nearest = difflib.get_close_matches(key, DEFAULTS, 1, 0.0)[0]
                raise UsageError(f"anomalies: unknown setting {key!r}; did you mean {nearest!r}?")
        self.touched: set[int] = set()
        self._settings = {**DEFAULTS, **settings}
        self._interval_s = int(self._settings["interval_s"])
        if self._interval_s < 1 or self._settings["lateness_s"] < 0:
            raise UsageError("anomalies: expected interval_s from 1 and lateness_s from 0")
        self.windows_kept = max(
            WINDOWS_KEPT_MIN, int(self._settings["lateness_s"]) // self._interval_s + 4
        )
        self._parameters: dict[str, Any] = {
            **{key: float(value) for key, value in self._settings.items()},
            "rules": {name: [rule.VERSION, *rule.KINDS] for name, rule in RULES.items()},
        }
        self._instruments = instruments
        self._newest = np.zeros(0, np.int64)
        self._alerted = np.zeros((0, self.windows_kept), ALERTED)
        self._heads = {name: np.zeros(0, rule.HEAD) for name, rule in RULES.items()}
        self._slots = {
            name: np.zeros((0, self.windows_kept), rule.SLOT) for name, rule in RULES.items()
        }
        for name, rule in RULES.items():  # So that a wrong setting stops at the start.
            rule.start(self._heads[name], self._slots[name], self._settings)

    def scan(self, candles: Candles) -> Anomalies:
        """The alerts that these candles give for the first time, in the order of the candles."""
        judged = np.flatnonzero((candles.final == 1) & (candles.interval_s == self._interval_s))
        if len(judged) == 0:
            return Anomalies.empty()
        self._admit()
        rows = candles.take(judged)
        windows = rows.open_ns // (self._interval_s * NS_PER_S)
        verdicts = np.zeros((len(RULES), len(rows)), VERDICT)
        for name, out in zip(RULES, verdicts, strict=True):
            RULES[name].scan(
                self._heads[name],
                self._slots[name],
                rows.series,
                windows,
                rows.open,
                rows.close,
                rows.trades,
                out,
            )
        verdicts["kind"] += _FIRST_KINDS.astype(np.int32)[:, None]
        _once(self._newest, self._alerted, rows.series, windows, verdicts)
        self.touched.update(np.flatnonzero(np.bincount(rows.series)).tolist())
        row, rule = np.nonzero(verdicts["severity"].T)
        given = verdicts[rule, row]
        about = rows.take(row)
        return Anomalies(
            series=about.series,
            interval_s=about.interval_s,
            open_ns=about.open_ns,
            kind=given["kind"],
            severity=given["severity"],
            value=given["value"],
            limit=given["limit"],
            open=about.open,
            close=about.close,
        )

    def reason(self, row: Any, instrument: Instrument) -> str:
        """See `reason`."""
        return reason(row, instrument)

    def save(self, series: int) -> bytes:
        return save("anomalies", VERSION, self._parameters, self._arrays(series))

    def load(self, series: int, blob: bytes) -> None:
        """Raises VersionError: of other rules, settings or another version."""
        load(blob, "anomalies", VERSION, self._parameters, self._arrays(series))

    def _arrays(self, series: int) -> dict[str, Array]:
        self._admit()
        assert 0 <= series < len(self._instruments), f"anomalies: series {series} is not declared"
        rows = slice(series, series + 1)
        states: dict[str, Array] = {"newest": self._newest[rows], "alerted": self._alerted[rows]}
        for name in RULES:
            states[f"{name} head"] = self._heads[name][rows]
            states[f"{name} slots"] = self._slots[name][rows]
        return states

    def _admit(self) -> None:
        """A state for every instrument that the registry knows by now."""
        known, wanted = len(self._newest), len(self._instruments)
        if known >= wanted:
            return
        self._newest = grown(self._newest, wanted)
        self._alerted = grown(self._alerted, wanted)
        self._newest[known:] = NEVER_NS
        self._alerted["window"][known:] = NEVER_NS
        for name, rule in RULES.items():
            self._heads[name] = grown(self._heads[name], wanted)
            self._slots[name] = grown(self._slots[name], wanted)
            rule.start(self._heads[name][known:], self._slots[name][known:], self._settings)


def reason(row: Any, instrument: Instrument) -> str:
    """Why an alert was given, in words.

    Args:
        row: fields by name as in `Anomalies`; `kind` as an index or as its name.

    >>> i = Instrument("binance", "BTC/USDT", "BTCUSDT", 2, 5)
    >>> reason({"kind": "PRICE_SPIKE", "interval_s": 60, "open_ns": 45240 * 10**9,
    ...         "value": 6.1234, "limit": 5.0, "open": 100, "close": 106}, i)
    'BTC/USDT rose 6.12 % in the minute from 12:34Z, limit 5 %'
    """
    kind = row["kind"] if isinstance(row["kind"], str) else KINDS[int(row["kind"])]
    rule = next(rule for rule in RULES.values() if kind in rule.KINDS)
    interval_s = int(row["interval_s"])
    clock = to_rfc3339(int(row["open_ns"]))[11:19].removesuffix(":00")
    span = "the minute" if interval_s == 60 else f"the {interval_text(interval_s)}"
    rose = "rose" if kind == rule.KINDS[0] else "fell"
    told: str = rule.words(row, f"{instrument.symbol} {rose}", f"in {span} from {clock}Z")
    return told


@kernel
def _once(newest, alerted, series, windows, verdicts):  # type: ignore[no-untyped-def]
    """Clear the severity of every verdict that was given before or can no longer be known."""
    kept = alerted.shape[1]
    for row in range(len(series)):
        place, window = series[row], windows[row]
        stale = window <= newest[place] and newest[place] - window >= kept
        if not stale:
            slot = alerted[place, window % kept]
            if slot.window != window:
                slot.window, slot.kinds = window, 0
            newest[place] = max(newest[place], window)
        for rule in range(len(verdicts)):
            verdict = verdicts[rule, row]
            if verdict.severity == 0:
                continue
            bit = 1 << verdict.kind
            if stale or slot.kinds & bit:
                verdict.severity = 0
            else:
                slot.kinds |= bit
