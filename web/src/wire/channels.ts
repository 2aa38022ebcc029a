/** The names of channels.  One place builds them, one place reads them. */

export const ALERTS = 'alerts';
export const GAPS = 'gaps';
export const STATUS = 'status';
export const PRICES = 'prices';

export function candlesChannel(venue: string, symbol: string, interval: string): string {
  return `candles:${venue}:${symbol}:${interval}`;
}

export function signalsChannel(venue: string, symbol: string): string {
  return `signals:${venue}:${symbol}`;
}

/** The word before the first colon: which kind of row the channel carries. */
export function kindOf(channel: string): string {
  const colon = channel.indexOf(':');
  return colon < 0 ? channel : channel.slice(0, colon);
}
