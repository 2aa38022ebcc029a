/**
 * One market's candles in order, as a chart needs them: a page of history, live rows, older pages.
 *
 * takes  candle and indicator rows, in any order
 * gives  bars sorted by open time, each time once, and which bar changed first
 * never  lets an older revision or a staler picture of the open candle replace a newer one; holds
 *        more than BARS_MAX bars (the oldest are dropped, `trimmed` says so)
 */
import type { Candle, IndicatorRow, Values } from '../wire/rows.ts';
export declare const BARS_MAX = 20000;
export interface Bar {
    readonly candle: Candle;
    readonly values: Values;
}
/** Bars from this index on differ; `shift` when everything has to be drawn again. */
export interface Change {
    readonly first: number;
    readonly whole: boolean;
}
/** Is `next` a later picture of the same candle than `held`? */
export declare function supersedes(next: Candle, held: Candle): boolean;
export declare class Bars {
    #private;
    trimmed: boolean;
    get rows(): readonly Bar[];
    get last(): Bar | undefined;
    /** Forget everything: another market, interval, or a fresh start after a cut. */
    reset(candles: readonly Candle[], indicators: readonly IndicatorRow[]): void;
    /** An older page, put before what is there; returns how many bars were added. */
    prepend(candles: readonly Candle[], indicators: readonly IndicatorRow[]): number;
    /** One candle, live or fetched; null when it said nothing that was not known. */
    merge(candle: Candle): Change | null;
    /** Stored indicator values; those of bars that are not here are dropped. */
    enrich(indicators: readonly IndicatorRow[]): Change | null;
    /** Index of the bar with this open time, or of the last one before it; -1 before all. */
    indexAt(ts: number): number;
}
/** Several changes of one frame as one. */
export declare function joined(held: Change | null, next: Change | null): Change | null;
