/**
 * Bars to the points of each series: the one place where exact decimals become floats.
 *
 * takes  a slot's time and its bar, if there is one
 * gives  a point, or only its time where nothing is known (a gap in the line, never a zero)
 */

import type {
  CandlestickData,
  HistogramData,
  LineData,
  Time,
  UTCTimestamp,
  WhitespaceData,
} from 'lightweight-charts';
import type { Bar } from '../store/bars.ts';
import { faded, type Colours } from './colours.ts';

type Point<Data> = Data | WhitespaceData<Time>;

export function candlePoint(time: UTCTimestamp, bar?: Bar): Point<CandlestickData<Time>> {
  if (!bar) return { time };
  const { open, high, low, close } = bar.candle;
  return { time, open: Number(open), high: Number(high), low: Number(low), close: Number(close) };
}

export function volumePoint(
  time: UTCTimestamp,
  bar: Bar | undefined,
  colours: Colours,
): Point<HistogramData<Time>> {
  if (!bar || bar.candle.volume === null) return { time };
  const rose = Number(bar.candle.close) >= Number(bar.candle.open);
  const color = faded(rose ? colours.up : colours.down, 0.35);
  return { time, value: Number(bar.candle.volume), color };
}

export function linePoint(
  time: UTCTimestamp,
  bar: Bar | undefined,
  name: string,
): Point<LineData<Time>> {
  const value = bar?.values[name];
  return value === null || value === undefined ? { time } : { time, value };
}
