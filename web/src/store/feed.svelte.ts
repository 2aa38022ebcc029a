/**
 * The candles on the chart: loaded, kept live, paged back in time.
 *
 * takes  a market and an interval; live candle rows of that channel
 * gives  `bars` with a `Change` to each listener once a frame, the last bar and the loading state
 * never  applies a live row before the page that it belongs to; never asks for two pages at once
 */

import { RestError, type Market, type Rest } from '../wire/rest.ts';
import type { Candle, IndicatorRow } from '../wire/rows.ts';
import { Bars, joined, type Bar, type Change } from './bars.ts';
import { perFrame } from './perframe.ts';

export const PAGE_ROWS = 500;
export const INDICATORS = ['sma_20', 'sma_50', 'rsi_14'] as const;
/** How long after a bar's successor began its final row and stored values are fetched if absent. */
const SETTLE_MS = 4_000;
const SETTLE_ROWS = 10;
const WAITING_ROWS_MAX = 1_000;

export type FeedState = 'idle' | 'loading' | 'ready' | 'empty' | 'failed';
export type BarsListener = (change: Change) => void;

export class Feed {
  readonly bars = new Bars();
  market = $state.raw<Market | null>(null);
  interval = $state('1m');
  state = $state<FeedState>('idle');
  failure = $state('');
  paging = $state(false);
  /** No older bars exist on the server, or the page holds as many as it may. */
  complete = $state(false);
  last = $state.raw<Bar | undefined>(undefined);

  readonly #rest: Rest;
  readonly #listeners = new Set<BarsListener>();
  readonly #redraw = perFrame(() => this.#tell());
  #pending: Change | null = null;
  #waiting: Candle[] = [];
  /** The newest live row of this connection: history holds only closed candles. */
  #newest: Candle | null = null;
  #stop = new AbortController();
  #cursor: string | null = null;
  #settle: ReturnType<typeof setTimeout> | undefined;

  constructor(rest: Rest) {
    this.#rest = rest;
  }

  listen(listener: BarsListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Show this market; what was shown is dropped at once, so that no chart has a wrong label. */
  async open(market: Market, interval: string): Promise<void> {
    this.market = market;
    this.interval = interval;
    this.bars.reset([], []);
    this.#newest = null;
    this.last = undefined;
    this.#announce({ first: 0, whole: true });
    await this.load();
  }

  /** Fetch the newest page again; what is shown stays until the answer is here. */
  async load(): Promise<void> {
    const { market, interval } = this;
    if (!market) return;
    this.#stop.abort();
    this.#stop = new AbortController();
    clearTimeout(this.#settle);
    const stop = this.#stop.signal;
    this.#waiting = [];
    this.paging = false;
    this.failure = '';
    this.state = 'loading';
    try {
      const [candles, indicators] = await Promise.all([
        this.#rest.candles(market, interval, { limit: PAGE_ROWS }, stop),
        this.#values(market, interval, { limit: PAGE_ROWS }, stop),
      ]);
      if (stop.aborted) return;
      this.#cursor = candles.next ?? null;
      this.complete = !candles.has_more;
      this.bars.reset(candles.data, indicators);
      const waiting = this.#newest ? [this.#newest, ...this.#waiting] : this.#waiting;
      this.#waiting = [];
      for (const candle of waiting) this.bars.merge(candle);
      this.state = this.bars.rows.length ? 'ready' : 'empty';
      this.#announce({ first: 0, whole: true });
    } catch (cause) {
      if (stop.aborted) return;
      if (!(cause instanceof RestError)) throw cause;
      this.state = this.bars.rows.length ? 'ready' : 'failed';
      this.failure = cause.message;
    }
  }

  /** A live row of the channel of this market and interval. */
  hear(candle: Candle): void {
    const { market } = this;
    if (candle.venue !== market?.venue || candle.symbol !== market.symbol) return;
    if (candle.interval !== this.interval) return;
    if (candle.ts >= (this.#newest?.ts ?? 0)) this.#newest = candle;
    if (this.state === 'loading') {
      this.#waiting.push(candle);
      if (this.#waiting.length > WAITING_ROWS_MAX) this.#waiting.shift();
      return;
    }
    const before = this.bars.last?.candle.ts ?? 0;
    const change = this.bars.merge(candle);
    if (!change) return;
    this.state = 'ready';
    if (candle.ts > before) this.#settleSoon();
    this.#announce(change);
  }

  /** One older page; the chart asks when its left edge comes near. */
  async older(): Promise<void> {
    const { market, interval } = this;
    if (!market || this.paging || this.complete || this.state !== 'ready') return;
    const oldest = this.bars.rows[0]?.candle.ts;
    if (oldest === undefined || !this.#cursor) return;
    const stop = this.#stop.signal;
    this.paging = true;
    try {
      const page = await this.#rest.candles(
        market,
        interval,
        { limit: PAGE_ROWS, cursor: this.#cursor },
        stop,
      );
      const from = page.data.at(-1)?.ts;
      const indicators =
        from === undefined
          ? []
          : await this.#values(
              market,
              interval,
              { limit: PAGE_ROWS, start: from, end: oldest },
              stop,
            );
      if (stop.aborted) return;
      this.#cursor = page.next ?? null;
      this.bars.prepend(page.data, indicators);
      this.complete = !page.has_more || this.bars.trimmed;
      this.#announce({ first: 0, whole: true });
    } catch (cause) {
      if (stop.aborted) return;
      if (!(cause instanceof RestError)) throw cause;
      this.failure = cause.message;
    } finally {
      if (!stop.aborted) this.paging = false;
    }
  }

  /** A connection was lost: what it said last may be of another run of the server. */
  forget(): void {
    this.#newest = null;
  }

  close(): void {
    this.#stop.abort();
    this.#redraw.drop();
    clearTimeout(this.#settle);
  }

  /** Stored values; a server that does not compute one of them (422) still has candles. */
  async #values(
    market: Market,
    interval: string,
    span: Readonly<Record<string, number>>,
    stop: AbortSignal,
  ): Promise<readonly IndicatorRow[]> {
    try {
      return (await this.#rest.indicators(market, interval, INDICATORS, span, stop)).data;
    } catch (cause) {
      if (cause instanceof RestError && cause.status === 422) return [];
      throw cause;
    }
  }

  /** A missed final row or stored values would show at the bar before the last: look, and mend. */
  #settleSoon(): void {
    clearTimeout(this.#settle);
    const stop = this.#stop.signal;
    this.#settle = setTimeout(() => void this.#mend(stop), SETTLE_MS);
  }

  async #mend(stop: AbortSignal): Promise<void> {
    const { market, interval } = this;
    const closed = this.bars.rows.at(-2);
    const whole = closed?.candle.final && INDICATORS.every((name) => name in closed.values);
    if (!market || whole || stop.aborted) return;
    try {
      const [candles, indicators] = await Promise.all([
        this.#rest.candles(market, interval, { limit: SETTLE_ROWS }, stop),
        this.#values(market, interval, { limit: SETTLE_ROWS }, stop),
      ]);
      if (stop.aborted) return;
      let change: Change | null = null;
      for (const candle of candles.data) change = joined(change, this.bars.merge(candle));
      change = joined(change, this.bars.enrich(indicators));
      if (change) this.#announce(change);
    } catch (cause) {
      if (stop.aborted || cause instanceof RestError) return;
      throw cause;
    }
  }

  #announce(change: Change): void {
    this.#pending = joined(this.#pending, change);
    this.#redraw.ask();
  }

  #tell(): void {
    const change = this.#pending;
    this.#pending = null;
    if (!change) return;
    this.last = this.bars.last;
    for (const listener of this.#listeners) listener(change);
  }
}
