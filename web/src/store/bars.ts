/**
 * One market's candles in order, as a chart needs them: a page of history, live rows, older pages.
 *
 * takes  candle and indicator rows, in any order
 * gives  bars sorted by open time, each time once, and which bar changed first
 * never  lets an older revision or a staler picture of the open candle replace a newer one; holds
 *        more than BARS_MAX bars (the oldest are dropped, `trimmed` says so)
 */

import type { Candle, IndicatorRow, Values } from '../wire/rows.ts';

export const BARS_MAX = 20_000;

export interface Bar {
  readonly candle: Candle;
  readonly values: Values;
}

/** Bars from this index on differ; `shift` when everything has to be drawn again. */
export interface Change {
  readonly first: number;
  readonly whole: boolean;
}

const NO_VALUES: Values = {};

/** Is `next` a later picture of the same candle than `held`? */
export function supersedes(next: Candle, held: Candle): boolean {
  if (next.revision !== held.revision) return next.revision > held.revision;
  if (next.final !== held.final) return next.final;
  return next.trades >= held.trades;
}

export class Bars {
  #rows: Bar[] = [];
  /** Values that came before their candle did. */
  #early = new Map<number, Values>();
  trimmed = false;

  get rows(): readonly Bar[] {
    return this.#rows;
  }

  get last(): Bar | undefined {
    return this.#rows.at(-1);
  }

  /** Forget everything: another market, interval, or a fresh start after a cut. */
  reset(candles: readonly Candle[], indicators: readonly IndicatorRow[]): void {
    this.#rows = [];
    this.#early = new Map(indicators.map((row) => [row.ts, row.values]));
    this.trimmed = false;
    const sorted = [...candles].sort((a, b) => a.ts - b.ts);
    for (const candle of sorted) this.merge(candle);
  }

  /** An older page, put before what is there; returns how many bars were added. */
  prepend(candles: readonly Candle[], indicators: readonly IndicatorRow[]): number {
    const values = new Map(indicators.map((row) => [row.ts, row.values]));
    const before = this.#rows[0]?.candle.ts ?? Infinity;
    const older = candles
      .filter((candle) => candle.ts < before)
      .sort((a, b) => a.ts - b.ts)
      .map((candle) => ({ candle, values: values.get(candle.ts) ?? NO_VALUES }));
    const room = BARS_MAX - this.#rows.length;
    if (older.length > room) this.trimmed = true;
    const kept = room > 0 ? older.slice(-room) : [];
    this.#rows = [...kept, ...this.#rows];
    return kept.length;
  }

  /** One candle, live or fetched; null when it said nothing that was not known. */
  merge(candle: Candle): Change | null {
    const at = this.#place(candle.ts);
    const held = this.#rows[at];
    if (held?.candle.ts === candle.ts) {
      if (!supersedes(candle, held.candle)) return null;
      const values = candle.indicators ? { ...held.values, ...candle.indicators } : held.values;
      this.#rows[at] = { candle, values };
      return { first: at, whole: false };
    }
    const early = this.#early.get(candle.ts);
    this.#early.delete(candle.ts);
    const values = { ...early, ...candle.indicators };
    this.#rows.splice(at, 0, { candle, values });
    if (this.#rows.length > BARS_MAX) {
      this.#rows.splice(0, this.#rows.length - BARS_MAX);
      this.trimmed = true;
      return { first: 0, whole: true };
    }
    return { first: at, whole: at < this.#rows.length - 1 };
  }

  /** Stored indicator values; those of bars that are not here are dropped. */
  enrich(indicators: readonly IndicatorRow[]): Change | null {
    let first = Infinity;
    for (const row of indicators) {
      const at = this.#place(row.ts);
      const held = this.#rows[at];
      if (held?.candle.ts !== row.ts) continue;
      this.#rows[at] = { candle: held.candle, values: { ...held.values, ...row.values } };
      first = Math.min(first, at);
    }
    return Number.isFinite(first) ? { first, whole: false } : null;
  }

  /** Index of the bar with this open time, or of the last one before it; -1 before all. */
  indexAt(ts: number): number {
    const at = this.#place(ts);
    return this.#rows[at]?.candle.ts === ts ? at : at - 1;
  }

  /** Where a candle of this open time is, or belongs. */
  #place(ts: number): number {
    let low = 0;
    let high = this.#rows.length;
    const last = this.last?.candle.ts ?? -Infinity;
    if (ts > last) return high;
    if (ts === last) return high - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#rows[middle]?.candle.ts ?? Infinity) < ts) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/** Several changes of one frame as one. */
export function joined(held: Change | null, next: Change | null): Change | null {
  if (!held || !next) return held ?? next;
  return { first: Math.min(held.first, next.first), whole: held.whole || next.whole };
}
