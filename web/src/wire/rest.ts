/**
 * The HTTP side: first loads, older pages, and what has to be fetched again after a cut.
 *
 * takes  typed questions
 * gives  typed rows; a failure is a `RestError` with the server's own words
 * never  waits longer than ANSWER_MS_MAX, never retries: the store decides about that
 */

import type { Alert, Candle, Gap, IndicatorRow, Page, Signal, Status, SymbolRow } from './rows.ts';

export const ANSWER_MS_MAX = 10_000;
/** The server's own limit for a page of rows. */
const ROWS_MAX = 1_000;

export class RestError extends Error {
  readonly status: number;

  constructor(status: number, words: string) {
    super(words);
    this.name = 'RestError';
    this.status = status;
  }
}

export interface Market {
  readonly venue: string;
  readonly symbol: string;
}

type Query = Readonly<Record<string, string | number | undefined>>;

async function wordsOf(answer: Response): Promise<string> {
  const plain = `${answer.status} ${answer.statusText}`.trim();
  if (!(answer.headers.get('content-type') ?? '').includes('json')) return plain;
  const problem = (await answer.json()) as { title?: unknown; detail?: unknown };
  const parts = [problem.title, problem.detail].filter((part) => typeof part === 'string');
  return parts.join(': ') || plain;
}

export class Rest {
  readonly #base: URL;

  /** `base` is the page's own address, so that the page also works under a sub-path. */
  constructor(base: string) {
    this.#base = new URL('api/v1/', base);
  }

  async #get<Answer>(path: string, query: Query, stop?: AbortSignal): Promise<Answer> {
    const address = new URL(path, this.#base);
    for (const [name, value] of Object.entries(query)) {
      if (value !== undefined) address.searchParams.set(name, String(value));
    }
    const limit = AbortSignal.timeout(ANSWER_MS_MAX);
    const signal = stop ? AbortSignal.any([stop, limit]) : limit;
    let answer: Response;
    try {
      answer = await fetch(address, { signal, headers: { accept: 'application/json' } });
    } catch (cause) {
      if (stop?.aborted) throw cause;
      throw new RestError(0, limit.aborted ? 'no answer in 10 s' : 'the server does not answer');
    }
    if (!answer.ok) throw new RestError(answer.status, await wordsOf(answer));
    return (await answer.json()) as Answer;
  }

  symbols(): Promise<Page<SymbolRow>> {
    return this.#get('symbols', {});
  }

  status(): Promise<Status> {
    return this.#get('status', {});
  }

  gaps(): Promise<Page<Gap>> {
    return this.#get('gaps', {});
  }

  candles(of: Market, interval: string, query: Query, stop?: AbortSignal): Promise<Page<Candle>> {
    const path = `historical/${encodeURIComponent(of.symbol)}`;
    return this.#get(path, { venue: of.venue, interval, order: 'desc', ...query }, stop);
  }

  indicators(
    of: Market,
    interval: string,
    names: readonly string[],
    query: Query,
    stop?: AbortSignal,
  ): Promise<Page<IndicatorRow>> {
    const path = `indicators/${encodeURIComponent(of.symbol)}`;
    const asked = { venue: of.venue, interval, names: names.join(','), order: 'desc', ...query };
    return this.#get(path, asked, stop);
  }

  signals(of: Market, stop?: AbortSignal): Promise<Page<Signal>> {
    const query = { venue: of.venue, limit: ROWS_MAX };
    return this.#get(`signals/${encodeURIComponent(of.symbol)}`, query, stop);
  }

  alerts(of: Market, stop?: AbortSignal): Promise<Page<Alert>> {
    const query = { venue: of.venue, limit: ROWS_MAX };
    return this.#get(`alerts/${encodeURIComponent(of.symbol)}`, query, stop);
  }
}
