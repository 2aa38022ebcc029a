/**
 * How well the data is, in one word and one colour: decided here, shown by the ribbon.
 *
 * takes  the server's status row, the link's state, and the age of the newest market data
 * gives  a level (good, warn, bad) with words that a person can act on
 * never  a clock: ages come in as milliseconds
 */

import type { LinkState } from '../wire/link.ts';
import type { FeedStatus, Gap } from '../wire/rows.ts';

export type Level = 'good' | 'warn' | 'bad' | 'unknown';

/** Data older than this is late, then stale; the feeds' own silence limit is 10 s. */
export const LATE_MS = 5_000;
export const STALE_MS = 15_000;

export function ageLevel(age_ms: number | null): Level {
  if (age_ms === null) return 'unknown';
  if (age_ms > STALE_MS) return 'bad';
  return age_ms > LATE_MS ? 'warn' : 'good';
}

const FEED_LEVELS: Readonly<Record<string, Level>> = {
  live: 'good',
  ended: 'warn',
  connecting: 'warn',
  silent: 'bad',
  down: 'bad',
};

/** What the server said of a feed holds only as long as it keeps saying so. */
export const STATUS_MS_MAX = 5_000;

export function feedLevel(feed: FeedStatus, status_ms: number): Level {
  return status_ms > STATUS_MS_MAX ? 'unknown' : (FEED_LEVELS[feed.state] ?? 'unknown');
}

export function feedWords(feed: FeedStatus, status_ms: number): string {
  return status_ms > STATUS_MS_MAX ? `was ${feed.state}` : feed.state;
}

/** Holes that may still be filled; a trade that came too late was never missing. */
export function openGaps(gaps: readonly Gap[]): number {
  return gaps.filter((gap) => !gap.repaired_at && gap.kind !== 'late').length;
}

export interface SourceWords {
  readonly badge: string;
  readonly words: string;
  readonly simulated: boolean;
}

/** What the numbers on the page are made of, said so that nobody trades on a simulation. */
export function sourceWords(source: string, venues: readonly string[]): SourceWords {
  switch (source) {
    case 'live':
      return {
        badge: 'LIVE',
        words: venues.length ? `Live market data from ${venues.join(' and ')}` : 'Live market data',
        simulated: false,
      };
    case 'built-in':
      return {
        badge: 'SIMULATED',
        words: 'Built-in exchange: prices are not real',
        simulated: true,
      };
    case 'tape':
      return { badge: 'TAPE', words: 'Replay of a recording, not the market now', simulated: true };
    default:
      return { badge: '…', words: 'The source of the data is not known yet', simulated: false };
  }
}

export function linkLevel(link: LinkState): Level {
  if (link.name === 'open') return 'good';
  if (link.name === 'connecting' && link.failures === 0) return 'warn';
  return link.name === 'idle' ? 'unknown' : 'bad';
}
