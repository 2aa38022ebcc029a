/**
 * Signals and anomalies as markers, and gaps as bands, on the bars that they belong to.
 *
 * takes  rows of one market, the slots that are drawn, the interval
 * gives  an arrow where a bar ends with another recommendation, a dot for each anomaly; bands
 * never  a marker outside of what is loaded
 */

import type { SeriesMarker, Time, UTCTimestamp } from 'lightweight-charts';
import type { Alert, Gap, Side, Signal } from '../wire/rows.ts';
import type { Band, BandKind } from './bands.ts';
import type { Colours } from './colours.ts';
import { seconds, type Slot } from './slots.ts';

export interface Marked {
  readonly signals: readonly Signal[];
  readonly alerts: readonly Alert[];
  readonly gaps: readonly Gap[];
}

/** Index of the slot that holds an instant; -1 when it is not loaded. */
export function slotAt(slots: readonly Slot[], at_ms: number, interval_ms: number): number {
  const at = Math.floor(at_ms / 1000);
  let low = 0;
  let high = slots.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((slots[middle]?.time ?? Infinity) <= at) low = middle + 1;
    else high = middle;
  }
  const last = low === slots.length && slots.length > 0;
  const ends = (slots[low - 1]?.time ?? 0) * 1000 + interval_ms;
  return last && at_ms >= ends ? -1 : low - 1;
}

/**
 * Bars at whose end the recommendation is another than a bar before: signals follow the ticks, and
 * what came and went within one bar is in the list, not on the chart.
 */
function turns(
  signals: readonly Signal[],
  slots: readonly Slot[],
  interval_ms: number,
): [UTCTimestamp, Side][] {
  const ends = new Map<UTCTimestamp, Side>();
  for (const signal of [...signals].sort((a, b) => a.ts - b.ts)) {
    const time = slots[slotAt(slots, signal.ts, interval_ms)]?.time;
    if (time !== undefined) ends.set(time, signal.signal);
  }
  let before: Side = 'HOLD';
  return [...ends].filter(([, side]) => {
    const turned = side !== before && side !== 'HOLD';
    before = side;
    return turned;
  });
}

export function markersOf(
  marked: Marked,
  slots: readonly Slot[],
  interval: string,
  interval_ms: number,
  colours: Colours,
): SeriesMarker<Time>[] {
  const markers = new Map<string, SeriesMarker<Time>>();
  for (const [time, side] of turns(marked.signals, slots, interval_ms)) {
    const buy = side === 'BUY';
    markers.set(`${time} ${side}`, {
      time,
      position: buy ? 'belowBar' : 'aboveBar',
      shape: buy ? 'arrowUp' : 'arrowDown',
      color: buy ? colours.up : colours.down,
      size: 0.7,
    });
  }
  for (const alert of marked.alerts) {
    const time = slots[slotAt(slots, alert.ts, interval_ms)]?.time;
    if (time === undefined) continue;
    const same = alert.interval === interval;
    markers.set(`${time} ${alert.kind}`, {
      time,
      position: 'aboveBar',
      shape: 'circle',
      color: alert.severity === 'HIGH' ? colours.bad : colours.warn,
      size: 1.2,
      ...(same ? { text: alert.severity } : {}),
    });
  }
  return [...markers.values()].sort((a, b) => Number(a.time) - Number(b.time));
}

const RANK: Readonly<Record<BandKind, number>> = { gap: 3, absent: 2, mended: 1, partial: 0 };

export function bandsOf(gaps: readonly Gap[], slots: readonly Slot[], interval_ms: number): Band[] {
  const kinds = new Map<UTCTimestamp, BandKind>();
  const flag = (time: UTCTimestamp, kind: BandKind): void => {
    const held = kinds.get(time);
    if (!held || RANK[kind] > RANK[held]) kinds.set(time, kind);
  };
  for (const { time, bar } of slots) {
    if (!bar) flag(time, 'absent');
    else if (/\bgap\b/.test(bar.candle.coverage)) flag(time, 'gap');
    else if (bar.candle.coverage.includes('backfilled')) flag(time, 'mended');
    else if (bar.candle.coverage.includes('partial')) flag(time, 'partial');
  }
  for (const gap of gaps) {
    if (gap.kind !== 'trades' || gap.repaired_at || !gap.after || !gap.before) continue;
    const from = seconds(Math.floor(Date.parse(gap.after) / interval_ms) * interval_ms);
    const to = seconds(Date.parse(gap.before));
    for (const { time } of slots) if (time >= from && time <= to) flag(time, 'gap');
  }
  return [...kinds]
    .map(([time, kind]) => ({ time, kind }))
    .sort((a, b) => a.time - b.time);
}

/** What happened in a bar, in words: for the legend and for screen readers. */
export function wordsAt(marked: Marked, from_ms: number, to_ms: number): string[] {
  const within = (ts: number): boolean => ts >= from_ms && ts < to_ms;
  const signal = marked.signals.find((row) => within(row.ts) && row.signal !== 'HOLD');
  const alerts = marked.alerts.filter((row) => within(row.ts));
  return [
    ...alerts.map((row) => `${row.severity} alert: ${row.reason}`),
    ...(signal ? [`${signal.signal}: ${signal.reason}`] : []),
  ];
}
