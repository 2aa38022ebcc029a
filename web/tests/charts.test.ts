/** The charts room: which bars are drawn where, and what is marked on them. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bandsOf, markersOf, slotAt, wordsAt } from '../src/charts/marks.ts';
import { candlePoint, linePoint, volumePoint } from '../src/charts/points.ts';
import { ABSENT_SLOTS_MAX, slotsOf } from '../src/charts/slots.ts';
import type { Colours } from '../src/charts/colours.ts';
import type { Bar } from '../src/store/bars.ts';
import type { Alert, Candle, Gap, Signal } from '../src/wire/rows.ts';

const MINUTE_MS = 60_000;
const COLOURS = { up: '#00ff00', down: '#ff0000', warn: '#ffaa00', bad: '#aa0000' } as Colours;

function bar(minute: number, coverage = 'complete', volume: string | null = '3'): Bar {
  const candle = {
    ts: minute * MINUTE_MS,
    open: '1.10',
    high: '2',
    low: '1',
    close: '1.50',
    volume,
    coverage,
  } as Candle;
  return { candle, values: { sma_20: 1.25, sma_50: null } };
}

test('absent bars have empty slots, and a long hole is not drawn to scale', () => {
  const slots = slotsOf([bar(0), bar(1), bar(4)], MINUTE_MS);
  assert.deepEqual(
    slots.map((slot) => [slot.time, slot.bar !== undefined]),
    [
      [0, true],
      [60, true],
      [120, false],
      [180, false],
      [240, true],
    ],
  );
  assert.equal(slotsOf([bar(0), bar(100_000)], MINUTE_MS).length, 2 + ABSENT_SLOTS_MAX);
});

test('an instant belongs to the bar that holds it, and to none after the last', () => {
  const slots = slotsOf([bar(10), bar(11)], MINUTE_MS);
  assert.equal(slotAt(slots, 10 * MINUTE_MS, MINUTE_MS), 0);
  assert.equal(slotAt(slots, 11 * MINUTE_MS - 1, MINUTE_MS), 0);
  assert.equal(slotAt(slots, 12 * MINUTE_MS - 1, MINUTE_MS), 1);
  assert.equal(slotAt(slots, 12 * MINUTE_MS, MINUTE_MS), -1);
  assert.equal(slotAt(slots, 9 * MINUTE_MS, MINUTE_MS), -1);
  assert.equal(slotAt([], 0, MINUTE_MS), -1);
});

test('bars with missing trades, absent bars and mended ones are banded; repaired gaps are not', () => {
  const slots = slotsOf([bar(0), bar(1, 'gap|revised'), bar(2, 'backfilled'), bar(4)], MINUTE_MS);
  const gap = {
    kind: 'trades',
    after: new Date(4 * MINUTE_MS + 5_000).toISOString(),
    before: new Date(4 * MINUTE_MS + 9_000).toISOString(),
    repaired_at: null,
  } as Gap;
  const mended = { ...gap, repaired_at: gap.before };
  assert.deepEqual(
    bandsOf([gap], slots, MINUTE_MS).map((band) => [band.time, band.kind]),
    [
      [60, 'gap'],
      [120, 'mended'],
      [180, 'absent'],
      [240, 'gap'],
    ],
  );
  assert.equal(bandsOf([mended], slots, MINUTE_MS).at(-1)?.time, 180);
});

test('an arrow stands where a bar ends with another recommendation, and nowhere else', () => {
  const slots = slotsOf([bar(0), bar(1), bar(2), bar(3), bar(4)], MINUTE_MS);
  const signal = (ts: number, side: string): Signal => ({ ts, signal: side }) as Signal;
  const signals = [
    signal(99 * MINUTE_MS, 'BUY'), // Not loaded.
    signal(4 * MINUTE_MS, 'BUY'),
    signal(3 * MINUTE_MS + 1, 'HOLD'),
    signal(3 * MINUTE_MS, 'SELL'), // Came and went within its bar.
    signal(2 * MINUTE_MS, 'SELL'), // The same as before.
    signal(MINUTE_MS + 2, 'SELL'),
    signal(MINUTE_MS + 1, 'BUY'),
    signal(1_000, 'BUY'),
  ];
  const alerts = [{ ts: MINUTE_MS, interval: '1m', kind: 'move', severity: 'HIGH' } as Alert];
  const markers = markersOf({ signals, alerts, gaps: [] }, slots, '1m', MINUTE_MS, COLOURS);
  assert.deepEqual(
    markers.map(({ time, shape, color }) => [time, shape, color]),
    [
      [0, 'arrowUp', COLOURS.up],
      [60, 'arrowDown', COLOURS.down],
      [60, 'circle', COLOURS.bad],
      [240, 'arrowUp', COLOURS.up],
    ],
  );
});

test('what happened in a bar is said in words', () => {
  const alert = { ts: 0, severity: 'LOW', kind: 'move', reason: 'it moved' } as Alert;
  const signal = { ts: 59_999, signal: 'SELL', reason: 'below' } as Signal;
  const marked = { signals: [signal], alerts: [alert], gaps: [] };
  assert.deepEqual(wordsAt(marked, 0, MINUTE_MS), ['LOW alert: it moved', 'SELL: below']);
  assert.deepEqual(wordsAt(marked, MINUTE_MS, 2 * MINUTE_MS), []);
});

test('nothing known is a gap in the line, never a zero', () => {
  const [slot] = slotsOf([bar(1)], MINUTE_MS);
  assert.ok(slot);
  const { time } = slot;
  assert.deepEqual(candlePoint(time, undefined), { time });
  assert.deepEqual(candlePoint(time, bar(1)), { time, open: 1.1, high: 2, low: 1, close: 1.5 });
  assert.deepEqual(linePoint(time, bar(1), 'sma_20'), { time, value: 1.25 });
  assert.deepEqual(linePoint(time, bar(1), 'sma_50'), { time });
  assert.deepEqual(linePoint(time, bar(1), 'rsi_14'), { time });
  assert.deepEqual(volumePoint(time, bar(1, 'complete', null), COLOURS), { time });
});
