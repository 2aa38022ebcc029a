"""One frozen schema of every setting, read once at the start of a command.

takes   flags > environment `CANDLEWICK__SECTION__KEY` > `candlewick.toml` > the defaults below
gives   `Settings`, and of each value where it came from (`origins`)
never   accepts an unknown key, keeps a secret from TOML, or is read again while running

Durations end in `_s` or `_ms`, limits in `_max`.  The sources are merged key by key here, not by
pydantic-settings: its environment source passes over an unknown top-level name in silence, and no
source of it says where a value came from.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PrivateAttr,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)

from candlewick import config_sources as sources
from candlewick.errors import UsageError
from candlewick.model.instruments import canonical
from candlewick.model.time import interval_s, interval_text

TOML_NAME = "candlewick.toml"
_ENV_PREFIX = "CANDLEWICK__"
# Asked for under these names, so they keep them (decisions.md).
_ENV_ALIASES = {"CANDLEWICK_ENV": "env"}
_ENV_TOML = "CANDLEWICK_CONFIG"
_EVERY_ADDRESS = ("0.0.0.0", "::", "")  # noqa: S104 named here to be refused
_VENUE = re.compile(r"[a-z][a-z0-9_]{0,30}\Z", re.ASCII)
_INDICATOR = re.compile(r"[a-z]+(_[a-z]+)*(_\d{1,5})*\Z", re.ASCII)
_ASSET = re.compile(r"[A-Z0-9]{1,15}\Z", re.ASCII)

Share = Annotated[float, Field(gt=0, le=100)]
Port = Annotated[int, Field(ge=0, le=65_535)]


def _checked(check: Any, text: str, *rest: str) -> Any:
    """A check of the model room, its complaint in the form that pydantic collects."""
    try:
        return check(text, *rest)
    except UsageError as error:
        raise ValueError(str(error)) from None


def _each_once(found: Iterable[str]) -> tuple[str, ...]:
    once = tuple(found)
    twice = sorted({name for name in once if once.count(name) > 1})
    if twice:
        raise ValueError(f"{', '.join(twice)} given twice; expected each once")
    return once


class Section(BaseModel):
    """What every part of the schema is: frozen, and closed to unknown keys."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", validate_default=True, allow_inf_nan=False
    )


class CandleSettings(Section):
    """`grace_s`: how long after its end a bar waits for stragglers; `lateness_s`: how long after
    it a late trade still revises it; `empty_bars_max`: how many bars without a trade are made."""

    intervals: tuple[str, ...] = ("1m", "5m", "15m", "1h", "4h", "1d")
    grace_s: float = Field(default=2.0, ge=0, le=3_600)
    lateness_s: float = Field(default=300.0, ge=0, le=86_400)
    empty_bars_max: int = Field(default=1_440, ge=0, le=1_000_000)

    @field_validator("intervals")
    @classmethod
    def _intervals(cls, found: tuple[str, ...]) -> tuple[str, ...]:
        seconds = sorted({_checked(interval_s, text) for text in found})
        if not seconds or len(seconds) != len(found):
            raise ValueError("expected one or more intervals, each once, as in ['1m', '5m', '1h']")
        return tuple(map(interval_text, seconds))

    @property
    def intervals_s(self) -> tuple[int, ...]:
        return tuple(map(interval_s, self.intervals))


class IndicatorSettings(Section):
    """`names`: entries of the form `file_period_period`, each a file of the room `indicators/`."""

    names: tuple[str, ...] = (
        "sma_20",
        "sma_50",
        "ema_12",
        "ema_26",
        "rsi_14",
        "macd_12_26_9",
        "bollinger_20_2",
        "atr_14",
        "obv",
        "vwap",
    )

    @field_validator("names")
    @classmethod
    def _names(cls, found: tuple[str, ...]) -> tuple[str, ...]:
        for name in found:
            if not _INDICATOR.match(name):
                raise ValueError(f"{name!r}: expected a name and its periods, as in 'sma_20'")
            if any(int(part) == 0 for part in name.split("_") if part.isdigit()):
                raise ValueError(f"{name!r}: expected periods of 1 or more")
        return _each_once(found)


class SignalSettings(Section):
    """`tick_sma_period`: trades in the mean; `band_pct`: how far from it a price must be."""

    tick_sma_period: int = Field(default=20, ge=1, le=10_000)
    band_pct: float = Field(default=0.05, ge=0, le=50)


class AnomalySettings(Section):
    """The fixed rule: a one-minute candle's move in per cent of its open.  The scaled rule: its
    move in standard deviations, but at least `volatility_move_min_pct`."""

    low_pct: Share = 5.0
    medium_pct: Share = 7.0
    high_pct: Share = 10.0
    volatility_low: Share = 8.0
    volatility_medium: Share = 12.0
    volatility_high: Share = 20.0
    volatility_half_life_bars: float = Field(default=120.0, ge=1, le=100_000)
    volatility_warmup_bars: int = Field(default=60, ge=1, le=100_000)
    volatility_trades_min: int = Field(default=5, ge=1, le=1_000_000)
    volatility_move_min_pct: float = Field(default=0.75, ge=0, le=100)

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        for low, medium, high in (
            ("low_pct", "medium_pct", "high_pct"),
            ("volatility_low", "volatility_medium", "volatility_high"),
        ):
            found = (getattr(self, low), getattr(self, medium), getattr(self, high))
            if not found[0] < found[1] < found[2]:
                raise ValueError(f"expected {low} < {medium} < {high}, found {found}")
        return self


class FeedSettings(Section):
    """Sockets of the venues: watchdog, back-off, the venue's connection budget, history repair."""

    silence_s_max: float = Field(default=10.0, gt=0, le=3_600)
    reconnect_s_min: float = Field(default=0.25, gt=0, le=60)
    reconnect_s_max: float = Field(default=30.0, gt=0, le=3_600)
    connections_max: int = Field(default=300, ge=1, le=100_000)
    connections_window_s: float = Field(default=300.0, gt=0, le=86_400)
    history_rows_max: int = Field(default=100_000, ge=0, le=10_000_000)

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.reconnect_s_min > self.reconnect_s_max:
            raise ValueError(
                f"expected reconnect_s_min <= reconnect_s_max, "
                f"found {self.reconnect_s_min} and {self.reconnect_s_max}"
            )
        return self


class BatchSettings(Section):
    """A batch is what arrived since the last turn: at most so many rows, waited for so long."""

    rows_max: int = Field(default=10_000, ge=1, le=1_000_000)
    wait_ms: float = Field(default=20.0, ge=0, le=60_000)


class BuiltinSettings(Section):
    """The built-in exchange; port 0 takes any free one."""

    seed: int = Field(default=7, ge=0, lt=2**63)
    host: str = "127.0.0.1"
    port: Port = 0
    trades_per_s: float = Field(default=20.0, gt=0, le=1_000_000)


class TapeSettings(Section):
    """Recorded files as the source of `up`; `speed` is `max` or a multiple of real time."""

    files: tuple[Path, ...] = ()
    speed: Literal["max"] | Annotated[float, Field(gt=0, le=1_000_000)] = "max"


class ApiSettings(Section):
    """HTTP and WebSocket; `origins`: other sites whose pages may read."""

    host: str = Field(default="127.0.0.1", min_length=1, max_length=255)
    port: Port = 8080
    origins: tuple[str, ...] = ()


class LogSettings(Section):
    """What goes to standard error; `json` for a line of JSON an event."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    as_json: bool = Field(default=False, alias="json")


class Settings(Section):
    """Everything that can be set.  Load it with `Settings.load`, never by hand."""

    env: Literal["development", "production"] = "development"
    data_dir: Path = Path("~/.candlewick")
    source: Literal["auto", "live", "built-in", "tape"] = "auto"
    venues: tuple[str, ...] = ("binance", "kraken")
    quote: str = "USDT"
    symbols: tuple[str, ...] = (
        "BTC/USDT",
        "ETH/USDT",
        "SOL/USDT",
        "XRP/USDT",
        "ADA/USDT",
        "DOGE/USDT",
        "LTC/USDT",
        "LINK/USDT",
    )
    auto_wait_s: float = Field(default=3.0, gt=0, le=60)
    candles: CandleSettings = CandleSettings()
    indicators: IndicatorSettings = IndicatorSettings()
    signals: SignalSettings = SignalSettings()
    anomalies: AnomalySettings = AnomalySettings()
    feeds: FeedSettings = FeedSettings()
    batch: BatchSettings = BatchSettings()
    builtin: BuiltinSettings = BuiltinSettings()
    tape: TapeSettings = TapeSettings()
    api: ApiSettings = ApiSettings()
    log: LogSettings = LogSettings()

    _origins: dict[str, str] = PrivateAttr(default_factory=dict)

    @field_validator("data_dir")
    @classmethod
    def _home(cls, found: Path) -> Path:
        return found.expanduser()

    @field_validator("venues")
    @classmethod
    def _venues(cls, found: tuple[str, ...]) -> tuple[str, ...]:
        if not found or not all(map(_VENUE.match, found)):
            raise ValueError("expected one or more venues, as in ['binance', 'kraken']")
        return _each_once(found)

    @field_validator("quote")
    @classmethod
    def _quote(cls, found: str) -> str:
        if not _ASSET.match(found):
            raise ValueError("expected an asset in capitals, as in 'USDT'")
        return found

    @field_validator("symbols")
    @classmethod
    def _symbols(cls, found: tuple[str, ...], info: Any) -> tuple[str, ...]:
        if not found:
            raise ValueError("expected one or more symbols, as in ['BTC/USDT']")
        quote = info.data.get("quote", "USDT")
        return _each_once([_checked(canonical, text, quote) for text in found])

    @model_validator(mode="after")
    def _closed_in_production(self) -> Self:
        if self.env == "production" and self.api.host in _EVERY_ADDRESS:
            raise ValueError(
                f"api.host is {self.api.host!r} in production, and there are no accounts yet: "
                "everybody could read; set api.host = '127.0.0.1' and put a proxy with its own "
                "login in front of it"
            )
        if self.env == "production" and "*" in self.api.origins:
            raise ValueError("api.origins has '*' in production; name the pages that may read")
        return self

    @model_validator(mode="after")
    def _tape_named(self) -> Self:
        if self.source == "tape" and not self.tape.files:
            raise ValueError("source is 'tape' but tape.files is empty; name the recorded files")
        return self

    @classmethod
    def load(
        cls,
        toml_path: Path | None = None,
        flags: Mapping[str, object] | None = None,
        environ: Mapping[str, str] | None = None,
    ) -> Self:
        """Merge the sources, validate once.

        Args:
            toml_path: a file that must be there; None looks for `CANDLEWICK_CONFIG`, then for
                `candlewick.toml` in the working directory.
            flags: values by dotted key (`{"api.port": 9000}`); None means not given.
            environ: the process environment by default.

        Raises:
            UsageError: a line for every problem.
        """
        environ = os.environ if environ is None else environ
        named = toml_path or (Path(environ[_ENV_TOML]) if environ.get(_ENV_TOML) else None)
        known = dict(keys(cls))
        given: sources.Given = {}
        given |= sources.from_toml(named, Path(TOML_NAME), known)
        given |= sources.from_environ(environ, _ENV_PREFIX, _ENV_ALIASES, known)
        given |= sources.from_flags(flags or {}, known)
        try:
            settings = cls.model_validate(sources.nested(given))
        except ValidationError as error:
            raise UsageError("\n".join(sources.problems(error, given, known))) from None
        settings._origins |= dict.fromkeys(known, "default")
        settings._origins |= {key: origin for key, (_, origin) in given.items()}
        return settings

    def origins(self) -> dict[str, str]:
        """Where each value came from: `default`, a file, a variable or a flag, by dotted key."""
        return dict(self._origins)

    def rows(self) -> list[tuple[str, object, str]]:
        """Dotted key, value ready for printing, origin; secrets are `***`."""
        origins = self.origins()
        return [(key, value, origins.get(key, "default")) for key, value in _values(self, "")]


def keys(model: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Every dotted key of a schema and its field."""
    for name, field in model.model_fields.items():
        key = f"{prefix}{field.alias or name}"
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from keys(field.annotation, f"{key}.")
        else:
            yield key, field


def _values(model: BaseModel, prefix: str) -> Iterator[tuple[str, object]]:
    for name, field in type(model).model_fields.items():
        key, value = f"{prefix}{field.alias or name}", getattr(model, name)
        if isinstance(value, BaseModel):
            yield from _values(value, f"{key}.")
        else:
            yield key, printable(value)


def printable(value: object) -> object:
    """A setting as JSON can hold it; a secret as `***`."""
    if isinstance(value, SecretStr):
        return "***"
    if isinstance(value, tuple):
        return [printable(part) for part in value]
    return str(value) if isinstance(value, Path) else value
