/**
 * The first price of the UTC day by market, for the change in the watchlist.
 *
 * takes  the open 1d candle of each market, once, and again when the day turns
 * gives  the change of a price since then, as a fraction
 * never  more than PARALLEL_MAX questions at once
 */

import { RestError, type Market, type Rest } from '../wire/rest.ts';
import type { Price } from '../wire/rows.ts';
import { keyOf } from './markets.ts';

const PARALLEL_MAX = 4;
const DAY_MS = 86_400_000;

export class DayOpens {
  opens = $state.raw<Readonly<Record<string, number>>>({});
  readonly #rest: Rest;
  #day = 0;
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
        try {
          const candle = await this.#rest.latest(market, '1d');
          this.#day = Math.max(this.#day, Math.floor(candle.ts / DAY_MS));
          const open = Number(candle.open);
          if (open > 0) found[keyOf(market)] = open;
        } catch (cause) {
          if (!(cause instanceof RestError)) throw cause;
        }
      }
    };
    try {
      await Promise.all(Array.from({ length: PARALLEL_MAX }, walk));
      this.opens = { ...this.opens, ...found };
    } finally {
      this.#loading = false;
    }
  }

  /** The first price of a market that had none is its open; a new day asks again. */
  follow(prices: ReadonlyMap<string, Price>): void {
    let turned = false;
    const first: Record<string, number> = {};
    for (const [key, price] of prices) {
      if (this.#day && Math.floor(price.timestamp / DAY_MS) > this.#day) turned = true;
      if (!(key in this.opens)) first[key] = Number(price.price);
    }
    if (Object.keys(first).length && !this.#loading) this.opens = { ...this.opens, ...first };
    if (turned && !this.#loading) void this.load(this.#markets);
  }

  change(key: string, price: number): number | null {
    const open = this.opens[key];
    return open ? price / open - 1 : null;
  }
}
