/**
 * The page's one state: which markets there are, which one is shown, what is known of each.
 *
 * takes  the server's rows through `wire/`
 * gives  reactive fields for the panels, `Feed` for the chart; one update a frame
 * never  polls: it fetches once after each (re)connection and is pushed the rest
 */

import {
  ALERTS,
  GAPS,
  PRICES,
  STATUS,
  candlesChannel,
  kindOf,
  signalsChannel,
} from '../wire/channels.ts';
import type { ChannelFrame } from '../wire/frames.ts';
import { Link, type LinkState } from '../wire/link.ts';
import { Rest, RestError, type Market } from '../wire/rest.ts';
import type { Alert, Candle, Gap, Price, Signal, Status, SymbolRow } from '../wire/rows.ts';
import { Changes } from './changes.svelte.ts';
import { Feed } from './feed.svelte.ts';
import { Ledger } from './ledger.ts';
import { keyOf, rowsOf } from './markets.ts';
import { perFrame } from './perframe.ts';
import type { Settings } from './settings.svelte.ts';

const SIGNALS_MAX = 1_000;
const ALERTS_MAX = 300;
const GAPS_MAX = 1_000;
/** A tab that is hidden for longer than this leaves the socket. */
const HIDDEN_MS_MAX = 4_000;
/** A channel that was refused is asked for again after this. */
const REFUSED_MS = 3_000;
const REFUSALS_MAX = 5;

export type Boot = 'starting' | 'down' | 'ready';

export class Session {
  readonly feed: Feed;
  readonly changes: Changes;
  boot = $state<Boot>('starting');
  failure = $state('');
  link = $state.raw<LinkState>({ name: 'idle' });
  /** `performance.now()` when the socket was lost last. */
  cutAt = $state(0);
  /** Socket reconnections of this page since it was opened. */
  rejoins = $state(0);
  refusals = $state.raw<readonly string[]>([]);
  symbols = $state.raw<readonly SymbolRow[]>([]);
  market = $state.raw<Market | null>(null);
  interval = $state('1m');
  prices = $state.raw<Readonly<Record<string, Price>>>({});
  signals = $state.raw<readonly Signal[]>([]);
  alerts = $state.raw<readonly Alert[]>([]);
  gaps = $state.raw<readonly Gap[]>([]);
  status = $state.raw<Status | null>(null);
  /** `performance.now()` of the last status, and of the last market row by venue. */
  statusAt = $state(0);
  heardAt = $state.raw<Readonly<Record<string, number>>>({});
  /** Spoken to screen readers when an alert arrives. */
  notice = $state('');
  /** Where the chart shall go; a new object each time. */
  jump = $state.raw<{ readonly at_ms: number } | null>(null);

  readonly #rest: Rest;
  readonly #link: Link;
  readonly #settings: Settings;
  readonly #signals = new Ledger<Signal>((s) => `${s.ts} ${s.signal}`, (s) => s.ts, SIGNALS_MAX);
  readonly #alerts = new Ledger<Alert>(
    (a) => `${keyOf(a)} ${a.interval} ${a.ts} ${a.kind}`,
    (a) => a.ts,
    ALERTS_MAX,
  );
  readonly #gaps = new Ledger<Gap>(
    (g) => `${keyOf(g)} ${g.kind} ${g.first_id}`,
    (g) => Date.parse(g.seen_at ?? g.before ?? '') || 0,
    GAPS_MAX,
  );
  readonly #redraw = perFrame(() => this.#publish());
  #freshPrices = new Map<string, Price>();
  #freshHeard = new Map<string, number>();
  #dirty = new Set<'signals' | 'alerts' | 'gaps'>();
  #seqs = new Map<string, number>();
  #joins = 0;
  /** How many markets the server had when this page last looked. */
  #listed = 0;
  #hidden: ReturnType<typeof setTimeout> | undefined;
  #again: ReturnType<typeof setTimeout> | undefined;
  #signalsStop = new AbortController();
  #alertsStop = new AbortController();

  constructor(base: string, settings: Settings) {
    this.#settings = settings;
    this.interval = settings.interval;
    this.#rest = new Rest(base);
    this.feed = new Feed(this.#rest);
    this.changes = new Changes(this.#rest);
    const address = new URL('ws', base);
    address.protocol = address.protocol === 'https:' ? 'wss:' : 'ws:';
    this.#link = new Link(address.href, {
      changed: (state) => this.#linkChanged(state),
      joined: () => void this.#joined(),
      frame: (frame) => this.#hear(frame),
      refused: (channel, code, detail) => this.#refused(channel, code, detail),
    });
  }

  start(): () => void {
    this.#subscribe();
    this.#link.start();
    const seen = () => this.#visibility();
    const online = () => this.retry();
    document.addEventListener('visibilitychange', seen);
    addEventListener('online', online);
    return () => {
      document.removeEventListener('visibilitychange', seen);
      removeEventListener('online', online);
      clearTimeout(this.#again);
      this.#link.stop();
      this.feed.close();
    };
  }

  /** Do not wait for the back-off. */
  retry(): void {
    if (document.visibilityState === 'visible') this.#link.start();
  }

  async select(market: Market, interval = this.interval): Promise<void> {
    const same = this.market && keyOf(this.market) === keyOf(market);
    if (same && interval === this.interval && this.feed.state !== 'idle') return;
    this.market = market;
    this.interval = interval;
    this.#settings.market = keyOf(market);
    this.#settings.interval = interval;
    this.#subscribe();
    const loads: Promise<void>[] = [this.feed.open(market, interval)];
    if (!same) {
      this.#signals.clear();
      this.signals = [];
      loads.push(this.#loadSignals(market));
    }
    await Promise.all(loads);
  }

  /** Show the bar of this instant, on that market. */
  async show(market: Market, interval: string, at_ms: number): Promise<void> {
    await this.select(market, interval);
    this.jump = { at_ms };
  }

  /** Age of the newest data of a venue: what this page saw, or what the server says of its feed. */
  ageMs(venue: string, now: number): number | null {
    const heard = this.heardAt[venue];
    const feed = this.status?.feeds.find((one) => one.venue === venue);
    const here = heard === undefined ? Infinity : now - heard;
    const there =
      feed?.age_ms === null || feed?.age_ms === undefined
        ? Infinity
        : feed.age_ms + Math.max(0, now - this.statusAt);
    const age_ms = Math.min(here, there);
    return Number.isFinite(age_ms) ? Math.max(0, age_ms) : null;
  }

  /** A market that the server does not know yet (it has just started) may be known soon. */
  #refused(channel: string, code: string, detail: string): void {
    this.refusals = [`${channel}: ${code}, ${detail}`, ...this.refusals].slice(0, REFUSALS_MAX);
    clearTimeout(this.#again);
    this.#again = setTimeout(() => this.#subscribe(), REFUSED_MS);
  }

  #subscribe(): void {
    const channels = [STATUS, ALERTS, GAPS, PRICES];
    if (this.market) {
      const { venue, symbol } = this.market;
      channels.push(candlesChannel(venue, symbol, this.interval), signalsChannel(venue, symbol));
    }
    this.#link.want(channels);
  }

  #linkChanged(state: LinkState): void {
    if (this.link.name === 'open') this.cutAt = performance.now();
    this.link = state;
    if (state.name === 'connecting') this.feed.forget();
    if (state.name === 'waiting' && this.boot !== 'ready') void this.#loadAll();
  }

  async #joined(): Promise<void> {
    this.#seqs.clear();
    this.#alerts.clear();
    this.#joins += 1;
    this.rejoins = this.#joins - 1;
    const again = this.boot === 'ready' && this.market;
    await this.#loadAll();
    if (!again || !this.market) return;
    await Promise.all([this.feed.load(), this.#loadSignals(this.market)]);
  }

  async #loadAll(): Promise<void> {
    try {
      const [symbols, status, gaps] = await Promise.all([
        this.#rest.symbols(),
        this.#rest.status(),
        this.#rest.gaps(),
      ]);
      this.symbols = symbols.data;
      // Counted as the status counts them: a venue without a feed (a test's) is in no status.
      const fed = new Set(status.feeds.map((one) => one.venue));
      this.#listed = symbols.data.filter((row) => fed.has(row.venue)).length;
      this.#setStatus(status);
      this.#gaps.clear();
      this.#gaps.add(gaps.data);
      this.#mark('gaps');
      this.failure = '';
      this.boot = 'ready';
      void this.changes.load(symbols.data);
      void this.#loadAlerts(symbols.data);
      const chosen = this.market ?? this.#firstMarket();
      if (chosen) await this.select(chosen);
    } catch (cause) {
      if (!(cause instanceof RestError)) throw cause;
      this.failure = cause.message;
      if (this.boot !== 'ready') this.boot = 'down';
    }
  }

  /** The past alerts of every market, one question at a time; the channel has only new ones. */
  async #loadAlerts(markets: readonly Market[]): Promise<void> {
    this.#alertsStop.abort();
    this.#alertsStop = new AbortController();
    const stop = this.#alertsStop.signal;
    try {
      for (const market of markets) {
        const { data } = await this.#rest.alerts(market, stop);
        if (data.length) this.#alerts.add(data);
        if (data.length) this.#mark('alerts');
      }
    } catch (cause) {
      if (!stop.aborted && !(cause instanceof RestError)) throw cause;
    }
  }

  #firstMarket(): Market | null {
    const kept = this.symbols.find((row) => keyOf(row) === this.#settings.market);
    return kept ?? this.symbols[0] ?? null;
  }

  async #loadSignals(market: Market): Promise<void> {
    this.#signalsStop.abort();
    this.#signalsStop = new AbortController();
    const stop = this.#signalsStop.signal;
    try {
      const signals = await this.#rest.signals(market, stop);
      if (stop.aborted) return;
      this.#signals.clear();
      this.#signals.add(signals.data);
      this.#mark('signals');
    } catch (cause) {
      if (stop.aborted) return;
      if (!(cause instanceof RestError)) throw cause;
      this.failure = cause.message;
    }
  }

  #hear(frame: ChannelFrame): void {
    this.#follow(frame);
    switch (kindOf(frame.ch)) {
      case 'candles':
        for (const candle of rowsOf<Candle>(frame.data, 'candles')) {
          this.#heard(candle.venue, frame.t);
          this.feed.hear(candle);
        }
        break;
      case 'prices':
        for (const price of rowsOf<Price>(frame.data, 'prices')) {
          this.#freshPrices.set(keyOf(price), price);
          this.#heard(price.venue, frame.t);
        }
        break;
      case 'signals':
        this.#hearSignals(frame);
        break;
      case 'alerts':
        this.#hearAlerts(frame);
        break;
      case 'gaps':
        this.#gaps.add(rowsOf<Gap>(frame.data, 'gaps'));
        this.#mark('gaps');
        break;
      case 'status':
        for (const status of rowsOf<Status>(frame.data, 'status')) this.#setStatus(status);
        break;
    }
    this.#redraw.ask();
  }

  #hearSignals(frame: ChannelFrame): void {
    const { market } = this;
    if (!market || frame.ch !== signalsChannel(market.venue, market.symbol)) return;
    this.#signals.add(rowsOf<Signal>(frame.data, 'signals'));
    this.#mark('signals');
  }

  #hearAlerts(frame: ChannelFrame): void {
    const fresh = this.#alerts.add(rowsOf<Alert>(frame.data, 'alerts'));
    this.#mark('alerts');
    const newest = fresh.at(-1);
    if (frame.t === 'upd' && newest) {
      const { severity, symbol, venue, reason } = newest;
      this.notice = `${severity} alert, ${symbol} on ${venue}: ${reason}`;
    }
  }

  /** Event channels count up by one; a hole means that rows were missed: fetch them. */
  #follow(frame: ChannelFrame): void {
    const last = this.#seqs.get(frame.ch);
    this.#seqs.set(frame.ch, frame.seq);
    const hole = frame.t === 'upd' && last !== undefined && frame.seq > last + 1;
    if (!hole) return;
    const kind = kindOf(frame.ch);
    if (kind === 'gaps') void this.#loadAll();
    if (kind === 'alerts') void this.#loadAlerts(this.symbols);
    if (kind === 'signals' && this.market) void this.#loadSignals(this.market);
  }

  #heard(venue: string, type: 'snap' | 'upd'): void {
    if (type === 'upd') this.#freshHeard.set(venue, performance.now());
  }

  #setStatus(status: Status): void {
    this.status = status;
    this.statusAt = performance.now();
    const listed = status.feeds.reduce((sum, feed) => sum + feed.symbols.length, 0);
    if (this.boot !== 'ready' || listed === this.#listed) return;
    // A feed has told which markets it has, perhaps only now: the server had just started.
    this.#listed = listed;
    void this.#loadAll();
  }

  #mark(list: 'signals' | 'alerts' | 'gaps'): void {
    this.#dirty.add(list);
    this.#redraw.ask();
  }

  #publish(): void {
    if (this.#freshPrices.size) {
      this.prices = { ...this.prices, ...Object.fromEntries(this.#freshPrices) };
      this.changes.follow(this.#freshPrices);
      this.#freshPrices.clear();
    }
    if (this.#freshHeard.size) {
      this.heardAt = { ...this.heardAt, ...Object.fromEntries(this.#freshHeard) };
      this.#freshHeard.clear();
    }
    if (this.#dirty.delete('signals')) this.signals = this.#signals.newestFirst();
    if (this.#dirty.delete('alerts')) this.alerts = this.#alerts.newestFirst();
    if (this.#dirty.delete('gaps')) this.gaps = this.#gaps.newestFirst();
  }

  #visibility(): void {
    clearTimeout(this.#hidden);
    if (document.visibilityState === 'visible') {
      if (this.link.name === 'idle') this.#link.start();
      return;
    }
    this.#hidden = setTimeout(() => this.#link.stop(), HIDDEN_MS_MAX);
  }
}
