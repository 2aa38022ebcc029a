/**
 * How long to wait before the next attempt: doubling, bounded, jittered.
 *
 * takes  how many attempts failed in a row, and a random number 0..1
 * gives  milliseconds; the upper half of the doubled step, so that many pages do not come at once
 * never  more than WAIT_MS_MAX, never 0
 * source AWS Architecture Blog, "Exponential Backoff And Jitter", equal jitter
 */

export const WAIT_MS_MIN = 400;
export const WAIT_MS_MAX = 10_000;

export function waitMs(failures: number, chance: number): number {
  const step = Math.min(WAIT_MS_MAX, WAIT_MS_MIN * 2 ** Math.min(failures, 10));
  return Math.round(step / 2 + (step / 2) * chance);
}
