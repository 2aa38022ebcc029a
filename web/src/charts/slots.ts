/**
 * Bars to the points that the chart draws, holes in time included.
 *
 * takes  bars in order and the interval
 * gives  one slot a bar, and empty slots where bars are absent, so that a hole is seen as one
 * never  more than ABSENT_SLOTS_MAX empty slots for one hole: a night off is not a mile wide
 */

import type { UTCTimestamp } from 'lightweight-charts';
import type { Bar } from '../store/bars.ts';

export const ABSENT_SLOTS_MAX = 40;

export interface Slot {
  readonly time: UTCTimestamp;
  /** Undefined where no candle exists. */
  readonly bar: Bar | undefined;
}

export function seconds(ts: number): UTCTimestamp {
  return Math.floor(ts / 1000) as UTCTimestamp;
}

/** Is there room for a candle between these two? */
export function leavesHole(before: Bar | undefined, bar: Bar, interval_ms: number): boolean {
  return before !== undefined && bar.candle.ts - before.candle.ts > interval_ms;
}

export function slotsOf(rows: readonly Bar[], interval_ms: number): Slot[] {
  const slots: Slot[] = [];
  let before: Bar | undefined;
  for (const bar of rows) {
    if (before && interval_ms > 0 && leavesHole(before, bar, interval_ms)) {
      let ts = before.candle.ts + interval_ms;
      for (let n = 0; ts < bar.candle.ts && n < ABSENT_SLOTS_MAX; n += 1, ts += interval_ms) {
        slots.push({ time: seconds(ts), bar: undefined });
      }
    }
    slots.push({ time: seconds(bar.candle.ts), bar });
    before = bar;
  }
  return slots;
}
