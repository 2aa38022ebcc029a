/** Every text colour is readable on every surface that it stands on: WCAG 2.2 AA, 1.4.3 and 1.4.11. */

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

type Colours = Readonly<Record<string, string>>;

const css = readFileSync(join(import.meta.dirname, '../src/panels/theme.css'), 'utf8');

function block(selector: string): Colours {
  const start = css.indexOf(`\n${selector} {`);
  assert.ok(start >= 0, `theme.css has no ${selector}`);
  const body = css.slice(start, css.indexOf('}', start));
  return Object.fromEntries(
    [...body.matchAll(/--([\w-]+):\s*(#[0-9a-f]{6})/g)].map(([, name, value]) => [name, value]),
  );
}

const dark = block(':root');
const light = { ...dark, ...block(":root[data-theme='light']") };
const safe = block(":root[data-palette='safe']");
const safeLight = block(":root[data-theme='light'][data-palette='safe']");
const THEMES: Readonly<Record<string, Colours>> = {
  dark,
  light,
  'dark safe': { ...dark, ...safe },
  'light safe': { ...light, ...safe, ...safeLight },
};

/** Relative luminance, as WCAG 2.2 defines it. */
function luminance(colour: string): number {
  const [red = 0, green = 0, blue = 0] = [1, 3, 5].map((at) => {
    const part = Number.parseInt(colour.slice(at, at + 2), 16) / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

function contrast(one: string, other: string): number {
  const [low = 0, high = 0] = [luminance(one), luminance(other)].sort((a, b) => a - b);
  return (high + 0.05) / (low + 0.05);
}

const TEXTS = ['text', 'muted', 'up-text', 'down-text', 'sma20-text', 'sma50-text', 'rsi-text'];
const STATES = ['gap-text', 'good-text', 'warn-text', 'bad-text'];
const SURFACES = ['ground', 'surface', 'raised', 'hover'];
const GRAPHICS = ['up', 'down', 'sma20', 'sma50', 'rsi', 'gap', 'absent', 'edge', 'focus'];

for (const [name, colours] of Object.entries(THEMES)) {
  const of = (key: string): string => {
    const found = colours[key];
    assert.ok(found, `${name} has no --${key}`);
    return found;
  };

  test(`${name}: text has 4.5:1 on every surface`, () => {
    const pairs = [...TEXTS, ...STATES].flatMap((text) => SURFACES.map((on) => [text, on]));
    for (const tone of ['up', 'down', 'gap', 'warn', 'bad']) {
      pairs.push([`${tone}-text`, `${tone}-ground`]);
    }
    pairs.push(['on-accent', 'accent']);
    const poor = pairs
      .map(([text = '', on = '']) => [text, on, contrast(of(text), of(on)).toFixed(2)] as const)
      .filter(([, , found]) => Number(found) < 4.5);
    assert.deepEqual(poor, []);
  });

  test(`${name}: lines, candles, borders of controls and focus have 3:1 on the chart`, () => {
    const poor = GRAPHICS.map((key) => [key, contrast(of(key), of('surface')).toFixed(2)] as const)
      .filter(([, found]) => Number(found) < 3);
    assert.deepEqual(poor, []);
  });
}
