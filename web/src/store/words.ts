/**
 * Numbers and times as people read them.
 *
 * takes  exact decimal text, ms, ns-free integers
 * gives  short text; prices keep the instrument's own decimals
 * never  a locale's own separators: a quant pastes these into a notebook
 */

export type Zone = 'utc' | 'local';

const pad = (part: number): string => String(part).padStart(2, '0');

/** A tick finer than this many digits of the price was not told by the venue, only assumed. */
const DIGITS_MAX = 10;
const DIGITS_SHOWN = 7;

/** How many decimals to show: the tick's, or seven digits in all where the tick is not known. */
export function decimalsOf(tick: string, last: string | number | null | undefined): number {
  const point = tick.indexOf('.');
  const fine = point < 0 ? 0 : tick.slice(point + 1).replace(/0+$/, '').length;
  const size = Math.abs(Number(last ?? 0));
  const whole = size > 0 ? Math.floor(Math.log10(size)) + 1 : 0;
  if (size === 0 || whole + fine <= DIGITS_MAX) return fine;
  return Math.min(fine, Math.max(0, DIGITS_SHOWN - whole));
}

const grouped = new Intl.NumberFormat('en-US', { maximumFractionDigits: 0 });

/** 64123.5 -> `64,123.50`. */
export function price(value: number | string | null | undefined, decimals: number): string {
  if (value === null || value === undefined || value === '') return '–';
  const number = Number(value);
  if (!Number.isFinite(number)) return '–';
  const [whole = '0', part] = Math.abs(number).toFixed(decimals).split('.');
  const sign = number < 0 ? '−' : '';
  return sign + grouped.format(BigInt(whole)) + (part ? `.${part}` : '');
}

/** 1234567 -> `1.235M`; small sizes keep four significant digits. */
export function amount(value: number | string | null | undefined): string {
  if (value === null || value === undefined || value === '') return '–';
  const number = Number(value);
  if (!Number.isFinite(number)) return '–';
  if (number === 0) return '0';
  for (const [size, letter] of [[1e9, 'B'], [1e6, 'M'], [1e3, 'k']] as const) {
    if (number >= size) return `${(number / size).toPrecision(4)}${letter}`;
  }
  return number >= 1 ? number.toPrecision(4) : number.toFixed(4);
}

export function percent(fraction: number | null | undefined): string {
  if (fraction === null || fraction === undefined || !Number.isFinite(fraction)) return '–';
  const text = Math.abs(fraction * 100).toFixed(2);
  const sign = text === '0.00' ? ' ' : fraction > 0 ? '+' : '−';
  return `${sign.trim()}${text}%`;
}

/** 900 -> `0.9 s`; 75,000 -> `1 min 15 s`. */
export function age(age_ms: number | null): string {
  if (age_ms === null) return '–';
  const seconds = Math.max(0, age_ms) / 1000;
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`;
  if (seconds < 60) return `${Math.round(seconds)} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${pad(Math.floor(seconds % 60))} s`;
  const hours = Math.floor(seconds / 3600);
  if (hours < 24) return `${hours} h ${pad(Math.floor((seconds % 3600) / 60))} min`;
  return `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

/** 83,000 -> `1:23`; with hours `4:01:23`. */
export function countdown(left_ms: number): string {
  const seconds = Math.ceil(left_ms / 1000);
  const hours = Math.floor(seconds / 3600);
  const minutes = Math.floor((seconds % 3600) / 60);
  const end = `${pad(seconds % 60)}`;
  return hours ? `${hours}:${pad(minutes)}:${end}` : `${minutes}:${end}`;
}

export function lag(lag_ms: number | null): string {
  if (lag_ms === null || !Number.isFinite(lag_ms)) return '–';
  return lag_ms < 1000 ? `${Math.round(lag_ms)} ms` : age(lag_ms);
}

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

/** The parts of an instant in the chosen zone. */
export function partsOf(at_ms: number, zone: Zone): Readonly<Record<string, string>> {
  const utc = zone === 'utc';
  const at = new Date(at_ms);
  const month = MONTHS[utc ? at.getUTCMonth() : at.getMonth()] ?? '';
  return {
    year: String(utc ? at.getUTCFullYear() : at.getFullYear()),
    month,
    day: String(utc ? at.getUTCDate() : at.getDate()),
    hour: pad(utc ? at.getUTCHours() : at.getHours()),
    minute: pad(utc ? at.getUTCMinutes() : at.getMinutes()),
    second: pad(utc ? at.getUTCSeconds() : at.getSeconds()),
  };
}

export function clock(at_ms: number, zone: Zone): string {
  const at = partsOf(at_ms, zone);
  return `${at['hour']}:${at['minute']}:${at['second']}`;
}

/** `14:05:09` today, `19 Nov 14:05` before. */
export function moment(at_ms: number, zone: Zone, now_ms: number): string {
  if (!Number.isFinite(at_ms)) return '–';
  const at = partsOf(at_ms, zone);
  const today = partsOf(now_ms, zone);
  const same = at['day'] === today['day'] && at['month'] === today['month'];
  if (same && at['year'] === today['year']) return clock(at_ms, zone);
  return `${at['day']} ${at['month']} ${at['hour']}:${at['minute']}`;
}

/** The open time of a bar, in full. */
export function stamp(at_ms: number, zone: Zone): string {
  const at = partsOf(at_ms, zone);
  return `${at['day']} ${at['month']} ${at['year']} ${at['hour']}:${at['minute']}`;
}
