/**
 * A time axis that breaks days where the reader's zone does.
 *
 * takes  points of UTC seconds
 * gives  labels and their weights (year, month, day, hour) in UTC or in local time
 * never  shifts the data itself: a bar's time is UTC on both axes
 */

import {
  defaultHorzScaleBehavior,
  TickMarkType,
  type Time,
  type UTCTimestamp,
} from 'lightweight-charts';
import { clock, partsOf, stamp, type Zone } from '../store/words.ts';

const Standard = defaultHorzScaleBehavior();
type Points = Parameters<InstanceType<typeof Standard>['fillWeightsForPoints']>[0];
type Weight = Points[number]['timeWeight'];

/** The library's own scale of weights, from its typings: day 50, month 60, year 70. */
const DAY = 50;
const HALF_DAY = 33;
const MONTH = 60;
const YEAR = 70;

export class ZonedTime extends Standard {
  zone: Zone = 'utc';

  override fillWeightsForPoints(points: Points, start: number): void {
    super.fillWeightsForPoints(points, start);
    if (this.zone === 'utc') return;
    let before = start > 0 ? localDate(points[start - 1]?.originalTime) : null;
    for (const point of points.slice(start)) {
      const date = localDate(point.originalTime);
      if (before) point.timeWeight = localWeight(date, before, point.timeWeight);
      before = date;
    }
  }
}

function localDate(time: unknown): Date {
  return new Date(Number(time) * 1000);
}

function localWeight(date: Date, before: Date, weight: Weight): Weight {
  if (date.getFullYear() !== before.getFullYear()) return YEAR as Weight;
  if (date.getMonth() !== before.getMonth()) return MONTH as Weight;
  if (date.getDate() !== before.getDate()) return DAY as Weight;
  return Math.min(weight, HALF_DAY) as Weight;
}

export function tickLabel(time: Time, type: TickMarkType, zone: Zone): string {
  const at_ms = (time as UTCTimestamp) * 1000;
  const at = partsOf(at_ms, zone);
  switch (type) {
    case TickMarkType.Year:
      return at['year'] ?? '';
    case TickMarkType.Month:
      return at['month'] ?? '';
    case TickMarkType.DayOfMonth:
      return `${at['day']} ${at['month']}`;
    case TickMarkType.TimeWithSeconds:
      return clock(at_ms, zone);
    default:
      return `${at['hour']}:${at['minute']}`;
  }
}

export function crosshairLabel(time: Time, zone: Zone): string {
  return stamp((time as UTCTimestamp) * 1000, zone);
}
