-- The spine.  Times are integer nanoseconds UTC, prices and sizes integers in the instrument's
-- decimals: open `candle_view`, `trade_view` and `technical_indicators` for readable numbers.

CREATE TABLE meta (
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL
) WITHOUT ROWID;

CREATE TABLE instruments (
    series         INTEGER PRIMARY KEY,
    venue          TEXT    NOT NULL,
    symbol         TEXT    NOT NULL,
    native         TEXT    NOT NULL,
    price_decimals INTEGER NOT NULL,
    size_decimals  INTEGER NOT NULL,
    tick           INTEGER NOT NULL,
    lot            INTEGER NOT NULL,
    UNIQUE (venue, symbol)
);

CREATE TABLE trades (
    series  INTEGER NOT NULL,
    id      INTEGER NOT NULL,
    at_ns   INTEGER NOT NULL,
    seen_ns INTEGER NOT NULL, -- 0 where the arrival is unknown
    price   INTEGER NOT NULL,
    size    INTEGER NOT NULL,
    side    INTEGER NOT NULL, -- who crossed the spread: 1 buyer, -1 seller, 0 unknown
    PRIMARY KEY (series, id)
) WITHOUT ROWID;

CREATE TABLE candles (
    series           INTEGER NOT NULL,
    interval_s       INTEGER NOT NULL,
    open_ns          INTEGER NOT NULL,
    open             INTEGER NOT NULL,
    high             INTEGER NOT NULL,
    low              INTEGER NOT NULL,
    close            INTEGER NOT NULL,
    volume           INTEGER NOT NULL,
    taker_buy_volume INTEGER NOT NULL,
    quote_volume     TEXT    NOT NULL, -- an integer in price + size decimals; can pass 64 bits
    trades           INTEGER NOT NULL,
    first_trade_id   INTEGER,          -- NULL in a bar without trades
    last_trade_id    INTEGER,
    revision         INTEGER NOT NULL,
    final            INTEGER NOT NULL,
    coverage         INTEGER NOT NULL, -- 0 complete, else a sum: 1 partial 2 gap 4 backfilled 8 revised
    PRIMARY KEY (series, interval_s, open_ns)
) WITHOUT ROWID;

CREATE TABLE indicator_names (
    id   INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE
);

CREATE TABLE indicators (
    series     INTEGER NOT NULL,
    interval_s INTEGER NOT NULL,
    open_ns    INTEGER NOT NULL,
    name       INTEGER NOT NULL, -- indicator_names.id
    value      REAL,             -- NULL while warming up
    revision   INTEGER NOT NULL,
    PRIMARY KEY (series, interval_s, open_ns, name)
) WITHOUT ROWID;

CREATE TABLE signals (
    series INTEGER NOT NULL,
    id     INTEGER NOT NULL, -- of the trade that caused it
    at_ns  INTEGER NOT NULL,
    side   INTEGER NOT NULL, -- 1 BUY, -1 SELL, 0 HOLD
    price  INTEGER NOT NULL,
    mean   REAL,
    band   REAL,
    PRIMARY KEY (series, id)
) WITHOUT ROWID;

CREATE TABLE anomalies (
    series     INTEGER NOT NULL,
    open_ns    INTEGER NOT NULL,
    interval_s INTEGER NOT NULL,
    kind       TEXT    NOT NULL,
    severity   INTEGER NOT NULL, -- 1 LOW, 2 MEDIUM, 3 HIGH
    value      REAL,
    bound      REAL,
    open       INTEGER NOT NULL,
    close      INTEGER NOT NULL,
    PRIMARY KEY (series, open_ns, interval_s, kind)
) WITHOUT ROWID;

CREATE INDEX anomalies_by_time ON anomalies (open_ns);

CREATE TABLE gaps (
    series      INTEGER NOT NULL,
    kind        TEXT    NOT NULL, -- trades, book, late
    first_id    INTEGER NOT NULL,
    last_id     INTEGER NOT NULL,
    seen_ns     INTEGER NOT NULL,
    after_ns    INTEGER NOT NULL,
    before_ns   INTEGER NOT NULL,
    missing     INTEGER NOT NULL,
    repaired_ns INTEGER NOT NULL, -- 0 while open
    how         TEXT    NOT NULL, -- '', late, history
    PRIMARY KEY (series, kind, first_id)
) WITHOUT ROWID;

CREATE INDEX gaps_by_time ON gaps (seen_ns);

-- What a venue should not have sent, as it came; an equal message of the same instant is one row.
CREATE TABLE quarantine (
    id        INTEGER PRIMARY KEY, -- rises with every row: the oldest go first
    venue     TEXT    NOT NULL,
    seen_ns   INTEGER NOT NULL,
    reason    TEXT    NOT NULL,
    message   TEXT    NOT NULL,
    raw       BLOB    NOT NULL, -- the first 16 KiB
    raw_bytes INTEGER NOT NULL, -- the whole length
    digest    BLOB    NOT NULL, -- of reason, message and the whole of it
    UNIQUE (venue, seen_ns, digest)
);

CREATE TABLE states (
    kernel TEXT    NOT NULL,
    series INTEGER NOT NULL,
    blob   BLOB    NOT NULL,
    PRIMARY KEY (kernel, series)
);

CREATE TABLE offsets (
    source   TEXT PRIMARY KEY,
    position TEXT NOT NULL
) WITHOUT ROWID;

-- Work done, summed over every run on this data directory: the one table that a replay changes.
CREATE TABLE counters (
    name  TEXT PRIMARY KEY,
    value INTEGER NOT NULL
) WITHOUT ROWID;
