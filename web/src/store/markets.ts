/** A market's key, and rows out of a frame's payload. */

import type { Market } from '../wire/rest.ts';

/** `binance BTCUSDT`, the same for the canonical `BTC/USDT` and for the flat form's spelling. */
export function keyOf(of: Market): string {
  return `${of.venue} ${of.symbol.replace('/', '')}`;
}

/** The payload is a row, a list of rows, or an object that holds the list under `name`. */
export function rowsOf<Row>(payload: unknown, name: string): readonly Row[] {
  if (Array.isArray(payload)) return payload as Row[];
  if (typeof payload !== 'object' || payload === null) return [];
  const held = (payload as Record<string, unknown>)[name] ?? (payload as { data?: unknown }).data;
  if (Array.isArray(held)) return held as Row[];
  return Object.keys(payload).length ? [payload as Row] : [];
}
