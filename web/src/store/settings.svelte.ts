/**
 * What the person chose, kept in the browser.
 *
 * takes  the stored choices; the system's colour scheme the first time
 * gives  reactive fields; `apply` puts the theme on the document
 * never  fails without storage (private windows): the choices then last as long as the tab
 */

import { INTERVALS } from './intervals.ts';
import type { Zone } from './words.ts';

const KEY = 'candlewick.settings';

export type Theme = 'dark' | 'light';
export type Palette = 'classic' | 'safe';

interface Kept {
  theme: Theme;
  palette: Palette;
  zone: Zone;
  log: boolean;
  keys: boolean;
  signals: boolean;
  interval: string;
  market: string;
}

function kept(): Partial<Kept> {
  try {
    const found: unknown = JSON.parse(localStorage.getItem(KEY) ?? '{}');
    return typeof found === 'object' && found !== null ? found : {};
  } catch (cause) {
    if (cause instanceof SyntaxError || cause instanceof DOMException) return {};
    throw cause;
  }
}

function systemTheme(): Theme {
  return matchMedia('(prefers-color-scheme: light)').matches ? 'light' : 'dark';
}

export class Settings {
  theme = $state<Theme>('dark');
  palette = $state<Palette>('classic');
  zone = $state<Zone>('utc');
  log = $state(false);
  keys = $state(true);
  /** Whether the chart shows arrows for signals. */
  signals = $state(true);
  interval = $state<string>('1m');
  market = $state('');

  constructor() {
    const found = kept();
    this.theme = found.theme === 'light' || found.theme === 'dark' ? found.theme : systemTheme();
    this.palette = found.palette === 'safe' ? 'safe' : 'classic';
    this.zone = found.zone === 'local' ? 'local' : 'utc';
    this.log = found.log === true;
    this.keys = found.keys !== false;
    this.signals = found.signals !== false;
    const known: readonly string[] = INTERVALS;
    this.interval = found.interval && known.includes(found.interval) ? found.interval : '1m';
    this.market = typeof found.market === 'string' ? found.market : '';
  }

  /** Put the look on the document and remember every choice; call it inside an effect. */
  apply(): void {
    const { theme, palette, zone, log, keys, signals, interval, market } = this;
    const root = document.documentElement;
    root.dataset['theme'] = theme;
    root.dataset['palette'] = palette;
    const colour = theme === 'dark' ? '#0d1117' : '#f5f6f8';
    document.querySelector('meta[name="theme-color"]')?.setAttribute('content', colour);
    const choices: Kept = { theme, palette, zone, log, keys, signals, interval, market };
    try {
      localStorage.setItem(KEY, JSON.stringify(choices));
    } catch (cause) {
      if (!(cause instanceof DOMException)) throw cause;
    }
  }
}
