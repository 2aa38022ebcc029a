/**
 * What a key press means.
 *
 * takes  a key event's name and modifiers, and whether somebody is typing
 * gives  an intent, or null for a key that is none of our business
 * never  takes a key from a text field, nor one with Ctrl, Alt or Meta
 */

import { INTERVALS } from '../store/intervals.ts';

export type Intent =
  | { readonly does: 'search'; readonly typed: string }
  | { readonly does: 'interval'; readonly interval: string }
  | { readonly does: 'help' }
  | { readonly does: 'close' };

export interface Press {
  readonly key: string;
  readonly ctrlKey: boolean;
  readonly altKey: boolean;
  readonly metaKey: boolean;
}

export function intentOf(press: Press, typing: boolean): Intent | null {
  if (press.ctrlKey || press.altKey || press.metaKey) return null;
  if (press.key === 'Escape') return { does: 'close' };
  if (typing) return null;
  if (press.key === '/') return { does: 'search', typed: '' };
  if (press.key === '?') return { does: 'help' };
  if (/^[a-z]$/i.test(press.key)) return { does: 'search', typed: press.key };
  const interval = INTERVALS[Number(press.key) - 1];
  return /^[1-9]$/.test(press.key) && interval ? { does: 'interval', interval } : null;
}

const TYPING = 'input, textarea, select, [contenteditable="true"]';

export function isTyping(target: EventTarget | null): boolean {
  if (!(target instanceof Element) || target.closest(TYPING) === null) return false;
  // For a frame after Esc the focus can still be in the field that was closed with its dialog.
  return target.closest('dialog:not([open])') === null;
}
