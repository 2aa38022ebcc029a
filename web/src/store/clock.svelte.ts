/**
 * The page's own clock, for ages that tick up.
 *
 * gives  `mono` (ms since the page opened) and `wall` (UTC ms), four times a second
 * never  ticks in a hidden tab
 */

const TICK_MS = 250;

export class Clock {
  mono = $state(performance.now());
  wall = $state(Date.now());

  start(): () => void {
    const tick = setInterval(() => {
      if (document.visibilityState !== 'visible') return;
      this.mono = performance.now();
      this.wall = Date.now();
    }, TICK_MS);
    return () => clearInterval(tick);
  }
}
