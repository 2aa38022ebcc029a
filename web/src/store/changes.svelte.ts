/**
 * What each market cost a day ago, for the change in the watchlist.
 *
 * takes  the closed hourly candles of each market, once, and again when an hour has passed
 * gives  the change of a price since the first of the last 24 hours that is known, as a fraction
 * never  more than PARALLEL_MAX questions at once; never a change against a price that is older
 */

import { RestError, type Market, type Rest } from '../wire/rest.ts';
import type { Price } from '../wire/rows.ts';
import { keyOf } from './markets.ts';

const PARALLEL_MAX = 2;
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

/** Where to look, coarse first: in its first hour a market has no closed hourly candle. */
const LOOKS = [
  { interval: '1h', limit: 24 },
  { interval: '1m', limit: 60 },
] as const;

export class Changes {
  bases = $state.raw<Readonly<Record<string, number>>>({});
  readonly #rest: Rest;
  #hour = 0;
  #markets: readonly Market[] = [];
  #loading = false;

  constructor(rest: Rest) {
    this.#rest = rest;
  }

  async load(markets: readonly Market[]): Promise<void> {
    if (this.#loading) return;
    this.#loading = true;
    this.#markets = markets;
    const found: Record<string, number> = {};
    const queue = [...markets];
    const walk = async (): Promise<void> => {
      for (let market = queue.shift(); market; market = queue.shift()) {
        const base = await this.#base(market);
        if (base > 0) found[keyOf(market)] = base;
      }
    };
    try {
      await Promise.all(Array.from({ length: PARALLEL_MAX }, walk));
      this.bases = { ...this.bases, ...found };
    } finally {
      this.#loading = false;
    }
  }

  /** The first price of a market that has no candle yet is its base; a new hour asks again. */
  follow(prices: ReadonlyMap<string, Price>): void {
    const first: Record<string, number> = {};
    let hour = this.#hour;
    for (const [key, price] of prices) {
      hour = Math.max(hour, Math.floor(price.timestamp / HOUR_MS));
      if (!(key in this.bases)) first[key] = Number(price.price);
    }
    if (this.#loading) return;
    if (Object.keys(first).length) this.bases = { ...this.bases, ...first };
    const turned = this.#hour > 0 && hour > this.#hour;
    this.#hour = hour;
    if (turned) void this.load(this.#markets);
  }

  of(key: string, price: number): number | null {
    const base = this.bases[key];
    return base ? price / base - 1 : null;
  }

  async #base(market: Market): Promise<number> {
    try {
      for (const { interval, limit } of LOOKS) {
        const { data } = await this.#rest.candles(market, interval, { limit });
        const newest = data[0]?.ts ?? 0;
        const first = data.findLast((row) => row.ts > newest - DAY_MS);
        if (first) return Number(first.open);
      }
    } catch (cause) {
      if (!(cause instanceof RestError)) throw cause;
    }
    return 0;
  }
}
