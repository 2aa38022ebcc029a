/**
 * The chart's colours, read from the page's custom properties: one place holds every colour.
 *
 * takes  the document's theme and palette, as `panels/theme.css` sets them
 * gives  plain colour strings for the canvas
 * never  a colour of its own
 */

const NAMES = [
  'surface', 'line', 'grid', 'text', 'muted', 'up', 'down', 'sma20', 'sma50', 'rsi', 'gap',
  'absent', 'warn', 'bad', 'accent', 'water',
] as const;

export type Colours = Readonly<Record<(typeof NAMES)[number], string>> & { readonly font: string };

export function readColours(): Colours {
  const style = getComputedStyle(document.documentElement);
  const read = (name: string): string => style.getPropertyValue(`--${name}`).trim();
  const found = Object.fromEntries(NAMES.map((name) => [name, read(name)]));
  return { ...(found as Record<(typeof NAMES)[number], string>), font: read('font') };
}

/** `#rrggbb` with an opacity 0..1. */
export function faded(colour: string, opacity: number): string {
  const part = Math.round(opacity * 255).toString(16).padStart(2, '0');
  return /^#[0-9a-f]{6}$/i.test(colour) ? colour + part : colour;
}
