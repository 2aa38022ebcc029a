/**
 * Many messages, one redraw: runs a task at the next animation frame, once.
 *
 * takes  the task
 * gives  `ask`, to be called as often as one likes
 * never  runs twice in one frame, nor while the tab is hidden (the browser gives no frames then)
 */

export function perFrame(task: () => void): { ask(): void; drop(): void } {
  let asked = 0;
  return {
    ask() {
      if (asked) return;
      asked = requestAnimationFrame(() => {
        asked = 0;
        task();
      });
    },
    drop() {
      cancelAnimationFrame(asked);
      asked = 0;
    },
  };
}
