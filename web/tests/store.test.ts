/** The store: candles in order, lists without repeats, words for people. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Bars, BARS_MAX, joined, supersedes } from '../src/store/bars.ts';
import {
  ageLevel,
  feedLevel,
  feedWords,
  LATE_MS,
  openGaps,
  sourceWords,
  STALE_MS,
  STATUS_MS_MAX,
} from '../src/store/health.ts';
import { intervalMs } from '../src/store/intervals.ts';
import { Ledger } from '../src/store/ledger.ts';
import { keyOf, rowsOf } from '../src/store/markets.ts';
import * as words from '../src/store/words.ts';
import type { Candle, FeedStatus, Gap } from '../src/wire/rows.ts';

function candle(ts: number, more: Partial<Candle> = {}): Candle {
  return {
    venue: 'binance',
    symbol: 'BTC/USDT',
    interval: '1m',
    open_time: new Date(ts).toISOString(),
    ts,
    open: '1.0',
    high: '2.0',
    low: '0.5',
    close: '1.5',
    volume: '3.0',
    quote_volume: '4.0',
    taker_buy_volume: '1.0',
    trades: 10,
    revision: 0,
    final: true,
    coverage: 'complete',
    ...more,
  };
}

const times = (bars: Bars): number[] => bars.rows.map((bar) => bar.candle.ts);

/** A small seeded generator (Park and Miller), so that a failure can be repeated. */
function chances(seed: number): () => number {
  let state = seed;
  return () => (state = (state * 48_271) % 2_147_483_647) / 2_147_483_647;
}

test('whatever the order of arrival, the bars are sorted and the newest picture of each holds', () => {
  const chance = chances(7);
  for (let round = 0; round < 50; round += 1) {
    const rows = Array.from({ length: 60 }, (_, at) =>
      candle(Math.floor(at / 3) * 60_000, {
        trades: at,
        final: at % 3 === 2,
        revision: at % 3 === 2 && at % 2 ? 1 : 0,
      }),
    );
    const shuffled = [...rows].sort(() => chance() - 0.5);
    const bars = new Bars();
    for (const row of shuffled) bars.merge(row);
    assert.deepEqual(times(bars), [...new Set(rows.map((row) => row.ts))]);
    for (const bar of bars.rows) {
      const all = rows.filter((row) => row.ts === bar.candle.ts);
      assert.ok(all.every((row) => row === bar.candle || !supersedes(row, bar.candle)));
    }
  }
});

test('an open candle never replaces its final form, a revision does', () => {
  const bars = new Bars();
  bars.merge(candle(0, { final: true, close: '9' }));
  assert.equal(bars.merge(candle(0, { final: false, trades: 99, close: '1' })), null);
  assert.equal(bars.last?.candle.close, '9');
  assert.deepEqual(bars.merge(candle(0, { revision: 1, trades: 2, close: '7' })), {
    first: 0,
    whole: false,
  });
  assert.equal(bars.last?.candle.close, '7');
});

test('an appended bar is a small change, one put in between redraws the whole', () => {
  const bars = new Bars();
  bars.reset([candle(0), candle(120_000)], []);
  assert.deepEqual(bars.merge(candle(180_000)), { first: 2, whole: false });
  assert.deepEqual(bars.merge(candle(60_000)), { first: 1, whole: true });
  assert.deepEqual(times(bars), [0, 60_000, 120_000, 180_000]);
});

test('stored indicators and live previews meet on their bar', () => {
  const bars = new Bars();
  const row = { open_time: '', ts: 0, values: { sma_20: 1, sma_50: null } };
  bars.reset([candle(0)], [row]);
  bars.merge(candle(60_000, { final: false, indicators: { sma_20: 2 } }));
  assert.deepEqual(bars.rows[0]?.values, { sma_20: 1, sma_50: null });
  assert.deepEqual(bars.rows[1]?.values, { sma_20: 2 });
  assert.deepEqual(bars.enrich([{ open_time: '', ts: 60_000, values: { sma_20: 3 } }]), {
    first: 1,
    whole: false,
  });
  assert.deepEqual(bars.last?.values, { sma_20: 3 });
  assert.equal(bars.enrich([{ open_time: '', ts: 61_000, values: {} }]), null);
});

test('an older page goes in front, without what is there already', () => {
  const bars = new Bars();
  bars.reset([candle(120_000), candle(180_000)], []);
  assert.equal(bars.prepend([candle(120_000), candle(60_000), candle(0)], []), 2);
  assert.deepEqual(times(bars), [0, 60_000, 120_000, 180_000]);
});

test('no more than BARS_MAX bars are held, and the oldest go', () => {
  const bars = new Bars();
  const many = Array.from({ length: BARS_MAX }, (_, at) => candle(at * 60_000));
  bars.reset(many, []);
  assert.equal(bars.trimmed, false);
  assert.deepEqual(bars.merge(candle(BARS_MAX * 60_000)), { first: 0, whole: true });
  assert.equal(bars.rows.length, BARS_MAX);
  assert.equal(times(bars)[0], 60_000);
  assert.equal(bars.trimmed, true);
  assert.equal(bars.prepend([candle(0)], []), 0);
});

test('two changes of one frame are one change from the first bar of either', () => {
  assert.deepEqual(joined({ first: 5, whole: false }, { first: 3, whole: true }), {
    first: 3,
    whole: true,
  });
  assert.equal(joined(null, null), null);
});

test('a ledger tells each row once, replaces by key, and drops the oldest', () => {
  const ledger = new Ledger<{ key: string; at: number }>(
    (row) => row.key,
    (row) => row.at,
    2,
  );
  const first = { key: 'a', at: 1 };
  assert.deepEqual(ledger.add([first]), [first]);
  assert.deepEqual(ledger.add([{ key: 'a', at: 2 }]), []);
  ledger.add([
    { key: 'b', at: 5 },
    { key: 'c', at: 3 },
  ]);
  assert.deepEqual(
    ledger.newestFirst().map((row) => row.key),
    ['b', 'c'],
  );
});

test('the flat spelling and the canonical one are the same market', () => {
  assert.equal(
    keyOf({ venue: 'binance', symbol: 'BTC/USDT' }),
    keyOf({ venue: 'binance', symbol: 'BTCUSDT' }),
  );
});

test('rows are found in each form of a payload', () => {
  assert.deepEqual(rowsOf({ candles: [1, 2] }, 'candles'), [1, 2]);
  assert.deepEqual(rowsOf([1], 'candles'), [1]);
  assert.deepEqual(rowsOf({ ts: 1 }, 'candles'), [{ ts: 1 }]);
  assert.deepEqual(rowsOf({ candles: [] }, 'candles'), []);
  assert.deepEqual(rowsOf(null, 'candles'), []);
});

test('age turns late, then stale; without data it is unknown, never good', () => {
  assert.equal(ageLevel(null), 'unknown');
  assert.equal(ageLevel(LATE_MS), 'good');
  assert.equal(ageLevel(LATE_MS + 1), 'warn');
  assert.equal(ageLevel(STALE_MS + 1), 'bad');
});

test('every feed state has its level, and none once the server is silent', () => {
  const levels = ['connecting', 'live', 'silent', 'down', 'ended'].map((state) =>
    feedLevel({ state } as FeedStatus, 0),
  );
  assert.equal(feedLevel({ state: 'live' } as FeedStatus, STATUS_MS_MAX + 1), 'unknown');
  assert.equal(feedWords({ state: 'live' } as FeedStatus, STATUS_MS_MAX + 1), 'was live');
  assert.deepEqual(levels, ['warn', 'good', 'bad', 'bad', 'warn']);
});

test('a source that is not the market now says so', () => {
  assert.deepEqual(
    ['live', 'built-in', 'tape'].map((source) => sourceWords(source, ['binance']).simulated),
    [false, true, true],
  );
  assert.match(sourceWords('built-in', []).words, /not real/);
});

test('late trades and mended holes are no open gaps', () => {
  const gap = { kind: 'trades', repaired_at: null } as Gap;
  const closed = { ...gap, repaired_at: '2026-01-01T00:00:00Z' };
  assert.equal(openGaps([gap, closed, { ...gap, kind: 'late' }]), 1);
});

test('intervals have their length', () => {
  assert.deepEqual(['1m', '15m', '4h', '1d', 'x'].map(intervalMs), [
    60_000, 900_000, 14_400_000, 86_400_000, 0,
  ]);
});

test('numbers keep the decimals of the instrument, zero is a value, nothing is a dash', () => {
  assert.equal(words.price('64123.5', 2), '64,123.50');
  assert.equal(words.price(0, 2), '0.00');
  assert.equal(words.price(null, 2), '–');
  assert.equal(words.price(-1234.5, 1), '−1,234.5');
  assert.equal(words.decimalsOf('0.01000000', '95352.85'), 2);
  assert.equal(words.decimalsOf('1', '12'), 0);
  assert.equal(words.decimalsOf('0.00000001', '0.00001234'), 8);
  assert.equal(words.decimalsOf('0.01', null), 2);
  // Eight decimals of Bitcoin are an assumption of the recording, not its tick.
  assert.equal(words.decimalsOf('0.00000001', '95352.85'), 2);
  assert.equal(words.decimalsOf('0.00000001', '2.2868'), 8);
  assert.equal(words.amount('0'), '0');
  assert.equal(words.amount(1_234_567), '1.235M');
  assert.equal(words.percent(0.01234), '+1.23%');
  assert.equal(words.percent(-0.5), '−50.00%');
  assert.equal(words.percent(0), '0.00%');
});

test('ages and times are short and say their zone', () => {
  assert.deepEqual([900, 12_000, 75_000, 7_260_000].map(words.age), [
    '0.9 s',
    '12 s',
    '1 min 15 s',
    '2 h 01 min',
  ]);
  assert.equal(words.age(null), '–');
  assert.equal(words.countdown(83_000), '1:23');
  assert.equal(words.countdown(14_483_000), '4:01:23');
  const at = Date.UTC(2026, 10, 20, 9, 5, 7);
  assert.equal(words.clock(at, 'utc'), '09:05:07');
  assert.equal(words.moment(at, 'utc', at + 1000), '09:05:07');
  assert.equal(words.moment(at, 'utc', at + 86_400_000), '20 Nov 09:05');
  assert.equal(words.stamp(at, 'utc'), '20 Nov 2026 09:05');
});
