"""Settings: one schema, four sources, every value's origin, every complaint with a next step."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pydantic import SecretStr, ValidationError

from candlewick.config import Settings, printable
from candlewick.errors import UsageError


def load(toml: Path | None = None, **environ: str) -> Settings:
    return Settings.load(toml, environ=environ)


def refused(**environ: str) -> str:
    with pytest.raises(UsageError) as caught:
        load(**environ)
    return str(caught.value)


@pytest.fixture
def toml(tmp_path: Path) -> Path:
    return tmp_path / "candlewick.toml"


def test_the_defaults_need_no_file_and_no_variable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    settings = load()
    assert len(settings.symbols) >= 8
    assert settings.venues == ("binance", "kraken")
    assert settings.candles.intervals_s == (60, 300, 900, 3600, 14400, 86400)
    assert settings.data_dir == Path.home() / ".candlewick"
    assert set(settings.origins().values()) == {"default"}


def test_a_flag_beats_the_environment_which_beats_the_file_which_beats_the_default(
    toml: Path,
) -> None:
    toml.write_text("quote = 'EUR'\n[api]\nport = 1\nhost = 'a'\norigins = ['x']\n")
    settings = Settings.load(
        toml,
        flags={"api.port": 3, "api.host": None},
        environ={"CANDLEWICK__API__PORT": "2", "CANDLEWICK__API__HOST": "b"},
    )
    assert (settings.api.port, settings.api.host, settings.api.origins) == (3, "b", ("x",))
    origins = settings.origins()
    assert origins["api.port"] == "flag --port"
    assert origins["api.host"] == "CANDLEWICK__API__HOST"
    assert origins["api.origins"] == origins["quote"] == str(toml)
    assert origins["log.level"] == "default"


def test_the_file_in_the_working_directory_is_found(
    toml: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    toml.write_text("[api]\nport = 9\n")
    monkeypatch.chdir(toml.parent)
    assert load().api.port == 9
    assert load().origins()["api.port"] == "candlewick.toml"


def test_a_named_file_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"nope\.toml is not there"):
        load(tmp_path / "nope.toml")
    assert "elsewhere.toml is not there" in refused(CANDLEWICK_CONFIG="elsewhere.toml")


@pytest.mark.parametrize("content", [b"[api", b"\xff\xfe", b"a = 1\na = 2\n"])
def test_a_file_that_is_not_toml_is_named(toml: Path, content: bytes) -> None:
    toml.write_bytes(content)
    with pytest.raises(UsageError, match=r"candlewick\.toml"):
        load(toml)


def test_an_unknown_key_is_refused_with_the_nearest_one_in_file_and_environment(
    toml: Path,
) -> None:
    said = "config: unknown key 'api.prot'; did you mean 'api.port'?"
    toml.write_text("[api]\nprot = 1\n")
    with pytest.raises(UsageError) as caught:
        load(toml)
    assert str(caught.value) == f"{said} (in {toml})"
    assert refused(CANDLEWICK__API__PROT="1").startswith(said)
    assert "did you mean 'api.port'?" in refused(CANDLEWICK__PORT="1")
    with pytest.raises(UsageError, match=r"did you mean 'batch\.wait_ms'"):
        Settings.load(flags={"batch.wait_s": 1}, environ={})


def test_a_key_that_is_near_nothing_gets_the_list_of_its_section() -> None:
    assert "api.host, api.port" in refused(CANDLEWICK__API__QQQQQQ="1")
    assert "expected one of: env, data_dir" in refused(CANDLEWICK__QQQQQQ="1")


def test_a_section_is_not_a_value(toml: Path) -> None:
    toml.write_text("api = 3\n")
    with pytest.raises(UsageError, match=r"'api' .* is a section; expected a key of it: api\.host"):
        load(toml)
    toml.write_text("[api]\n[quote]\nx = 1\n")
    with pytest.raises(UsageError, match=r"'quote' is \{'x': 1\} .*valid string"):
        load(toml)


def test_an_empty_section_says_nothing(toml: Path) -> None:
    toml.write_text("[api]\n[candles]\n")
    assert load(toml).api.port == 8080


def test_every_problem_is_told_at_once_with_what_was_found_where() -> None:
    lines = refused(CANDLEWICK__API__PORT="abc", CANDLEWICK__CANDLES__GRACE_S="-1").splitlines()
    assert lines == [
        "config: 'candles.grace_s' is '-1' (CANDLEWICK__CANDLES__GRACE_S): "
        "expected greater than or equal to 0",
        "config: 'api.port' is 'abc' (CANDLEWICK__API__PORT): "
        "expected a valid integer, unable to parse string as an integer",
    ]


@pytest.mark.parametrize("text", ["1m,5x", "0s", "2d", "100000s", "", "1m,60s", "1m,1m"])
def test_an_interval_is_1s_to_1d_and_given_once(text: str) -> None:
    assert "expected" in refused(CANDLEWICK__CANDLES__INTERVALS=text)


def test_intervals_are_sorted_and_spelled_shortest() -> None:
    assert load(CANDLEWICK__CANDLES__INTERVALS="3600s,1d,90s").candles.intervals == (
        "90s",
        "1h",
        "1d",
    )


@pytest.mark.parametrize("name", ["CANDLEWICK__SYMBOLS", "CANDLEWICK__VENUES"])
def test_a_list_is_given_as_json_or_with_commas(name: str) -> None:
    values = ["BTC/USDT", "ETH/USDT"] if name.endswith("SYMBOLS") else ["kraken", "binance"]
    key = name.removeprefix("CANDLEWICK__").lower()
    for text in (json.dumps(values), ",".join(values), " , ".join(values)):
        assert getattr(load(**{name: text}), key) == tuple(values)
    assert "JSON list" in refused(**{name: "[1"})
    assert "one or more" in refused(**{name: ""})


def test_symbols_are_canonical_and_a_bare_asset_takes_the_quote() -> None:
    settings = load(CANDLEWICK__SYMBOLS="btc,XBT-USD,ethusdc", CANDLEWICK__QUOTE="EUR")
    assert settings.symbols == ("BTC/EUR", "BTC/USD", "ETH/USDC")
    assert "BTC/USDT given twice" in refused(CANDLEWICK__SYMBOLS="btc,BTCUSDT")
    assert "'$$'" in refused(CANDLEWICK__SYMBOLS="$$")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("CANDLEWICK__INDICATORS__NAMES", "sma_0"),
        ("CANDLEWICK__INDICATORS__NAMES", "../sma"),
        ("CANDLEWICK__INDICATORS__NAMES", "sma_20,sma_20"),
        ("CANDLEWICK__VENUES", "../etc"),
        ("CANDLEWICK__QUOTE", "usd t"),
        ("CANDLEWICK__ANOMALIES__LOW_PCT", "8"),
        ("CANDLEWICK__FEEDS__RECONNECT_S_MIN", "31"),
        ("CANDLEWICK__CANDLES__GRACE_S", "nan"),
        ("CANDLEWICK__CANDLES__GRACE_S", "inf"),
        ("CANDLEWICK__CANDLES__LATENESS_S", "86401"),
        ("CANDLEWICK__BATCH__ROWS_MAX", "0"),
        ("CANDLEWICK__TAPE__SPEED", "fast"),
        ("CANDLEWICK__SOURCE", "tape"),
        ("CANDLEWICK__SOURCE", "demo"),
        ("CANDLEWICK__API__PORT", "65536"),
        ("CANDLEWICK__LOG__JSON", "perhaps"),
    ],
)
def test_a_value_out_of_its_range_is_refused(name: str, text: str) -> None:
    assert refused(**{name: text}).startswith("config: ")


def test_production_does_not_open_itself_to_every_address() -> None:
    closed = {"CANDLEWICK_ENV": "production", "CANDLEWICK__API__HOST": "0.0.0.0"}
    assert "set api.host = '127.0.0.1'" in refused(**closed)
    assert load(CANDLEWICK__API__HOST="0.0.0.0").env == "development"
    assert load(CANDLEWICK_ENV="production").api.host == "127.0.0.1"
    assert "origins" in refused(CANDLEWICK_ENV="production", CANDLEWICK__API__ORIGINS="*")


def test_the_rooms_know_every_setting_of_the_anomalies_with_the_same_default() -> None:
    from candlewick.anomalies.watch import DEFAULTS

    ours = load().anomalies.model_dump()
    assert ours == {key: value for key, value in DEFAULTS.items() if key in ours}
    assert set(DEFAULTS) - set(ours) == {"interval_s", "lateness_s"}


def test_settings_cannot_be_changed_after_loading() -> None:
    settings = load()
    with pytest.raises(ValidationError, match="frozen"):
        settings.api.port = 1  # type: ignore[misc]


def test_a_secret_is_printed_as_stars_and_never_read_from_toml(toml: Path) -> None:
    class WithSecret(Settings):
        venue_key: SecretStr = SecretStr("")

    settings = WithSecret.load(environ={"CANDLEWICK__VENUE_KEY": "hunter2"})
    assert ("venue_key", "***", "CANDLEWICK__VENUE_KEY") in settings.rows()
    assert "hunter2" not in repr(settings.rows()) + repr(settings)
    assert printable(SecretStr("x")) == "***"
    toml.write_text("venue_key = 'hunter2'\n")
    with pytest.raises(UsageError, match="variable CANDLEWICK__VENUE_KEY") as caught:
        WithSecret.load(toml, environ={})
    assert "hunter2" not in str(caught.value)


def test_the_rows_can_be_printed_as_json_and_the_schema_names_every_section() -> None:
    rows = load().rows()
    assert json.loads(json.dumps({key: value for key, value, _ in rows}))["log.json"] is False
    assert {key for key, _, _ in rows} == set(load().origins())
    properties = Settings.model_json_schema()["properties"]
    assert {"api", "candles", "feeds", "log"} <= set(properties)
