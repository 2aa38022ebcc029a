/**
 * The rows that the server sends, over HTTP and over the socket alike.
 *
 * takes  nothing
 * gives  one type a row; prices and sizes are exact decimal strings, `ts` is integer ms UTC
 * never  a number made from a price: charts do that at their own door
 */

/** Exact decimal text, never passed through a float on the way here. */
export type Decimal = string;

export interface SymbolRow {
  readonly venue: string;
  readonly symbol: string;
  readonly native: string;
  readonly price_decimals: number;
  readonly size_decimals: number;
  readonly tick: Decimal;
  readonly lot: Decimal;
  readonly last_price: Decimal | null;
  readonly feed_state: string;
  readonly source: string;
}

export type Values = Readonly<Record<string, number | null>>;

export interface Candle {
  readonly venue: string;
  readonly symbol: string;
  readonly interval: string;
  readonly open_time: string;
  readonly ts: number;
  readonly open: Decimal;
  readonly high: Decimal;
  readonly low: Decimal;
  readonly close: Decimal;
  readonly volume: Decimal | null;
  readonly quote_volume: Decimal | null;
  readonly taker_buy_volume: Decimal | null;
  readonly trades: number;
  readonly revision: number;
  readonly final: boolean;
  /** `complete`, or flags joined by `|`: partial, gap, backfilled, revised. */
  readonly coverage: string;
  /** On the socket only; a preview while the candle is open. */
  readonly indicators?: Values;
}

export interface IndicatorRow {
  readonly open_time: string;
  readonly ts: number;
  readonly values: Values;
}

export interface Page<Row> {
  readonly data: readonly Row[];
  readonly next?: string | null;
  readonly has_more?: boolean;
}

export type Side = 'BUY' | 'SELL' | 'HOLD';

export interface Signal {
  readonly venue: string;
  readonly symbol: string;
  readonly time: string;
  readonly ts: number;
  readonly signal: Side;
  readonly price: Decimal;
  readonly tick_sma_20: number | null;
  readonly reason: string;
}

export interface Alert {
  readonly venue: string;
  readonly symbol: string;
  readonly interval: string;
  readonly open_time: string;
  readonly ts: number;
  readonly kind: string;
  readonly severity: string;
  readonly value: number;
  readonly limit: number;
  readonly reason: string;
}

export interface Gap {
  readonly venue: string;
  readonly symbol: string;
  readonly kind: string;
  readonly first_id: number;
  readonly last_id: number;
  readonly missing: number;
  /** Exchange times (RFC 3339) of the events around the hole; null where unknown. */
  readonly after: string | null;
  readonly before: string | null;
  readonly seen_at: string | null;
  readonly repaired_at: string | null;
  readonly how: string | null;
}

export interface FeedStatus {
  readonly venue: string;
  readonly state: string;
  readonly reason?: string;
  readonly lag_ms: number | null;
  readonly age_ms: number | null;
  readonly reconnects: number;
  readonly frames: number;
  readonly peer_errors: number;
  readonly symbols: readonly string[];
}

export interface Status {
  readonly version: string;
  readonly env: string;
  readonly source: string;
  readonly source_reason: string | null;
  readonly started_at: string;
  /** Why nothing is stored any more; null while all is well. */
  readonly store_failure?: string | null;
  readonly feeds: readonly FeedStatus[];
}

/** The flat form: one a symbol and batch. */
export interface Price {
  readonly symbol: string;
  readonly venue: string;
  readonly price: Decimal | number;
  readonly sma_20: number | null;
  readonly signal: Side;
  readonly timestamp: number;
  readonly time: string;
}
