/** The candle lengths that the page offers; digits 1 to 6 choose them in this order. */

export const INTERVALS = ['1m', '5m', '15m', '1h', '4h', '1d'] as const;

const UNIT_MS: Readonly<Record<string, number>> = {
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

/** Length of an interval such as `15m`, in ms; 0 when it is not one. */
export function intervalMs(interval: string): number {
  return Number.parseInt(interval, 10) * (UNIT_MS[interval.slice(-1)] ?? 0) || 0;
}
