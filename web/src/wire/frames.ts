/**
 * Socket text to frames: the typed form of `/ws` (shared/interfaces.md 4.4) and the flat one.
 *
 * takes  one text message
 * gives  a channel frame, an acknowledgement, a refusal, a heartbeat, a goodbye or a flat price
 * never  an exception: what is not understood is `unknown`, with the reason, and is counted
 */

import type { Price } from './rows.ts';

export interface ChannelFrame {
  readonly kind: 'channel';
  readonly ch: string;
  readonly t: 'snap' | 'upd';
  readonly seq: number;
  readonly data: unknown;
}

export type Frame =
  | ChannelFrame
  | { readonly kind: 'ack'; readonly id: number; readonly ch: readonly string[] }
  | { readonly kind: 'err'; readonly id: number; readonly code: string; readonly detail: string }
  | { readonly kind: 'hb'; readonly ts: number }
  | { readonly kind: 'bye'; readonly why: string; readonly retry_ms: number }
  | { readonly kind: 'flat'; readonly price: Price }
  | { readonly kind: 'unknown'; readonly why: string };

type Fields = Readonly<Record<string, unknown>>;

function unknownFrame(why: string): Frame {
  return { kind: 'unknown', why };
}

function readOperation(fields: Fields): Frame {
  const id = typeof fields['id'] === 'number' ? fields['id'] : -1;
  switch (fields['op']) {
    case 'ack':
      return { kind: 'ack', id, ch: Array.isArray(fields['ch']) ? fields['ch'].map(String) : [] };
    case 'err':
      return {
        kind: 'err',
        id,
        code: String(fields['code'] ?? 'error'),
        detail: String(fields['detail'] ?? ''),
      };
    case 'hb':
      return { kind: 'hb', ts: typeof fields['ts'] === 'number' ? fields['ts'] : 0 };
    case 'bye': {
      const retry_ms = typeof fields['retry_ms'] === 'number' ? fields['retry_ms'] : 0;
      return { kind: 'bye', why: String(fields['why'] ?? ''), retry_ms };
    }
    default:
      return unknownFrame(`operation ${String(fields['op'])}`);
  }
}

/** Read one message; a frame that this page does not know is no error, only `unknown`. */
export function readFrame(text: string): Frame {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch (cause) {
    return unknownFrame(cause instanceof SyntaxError ? 'not JSON' : String(cause));
  }
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) {
    return unknownFrame('not an object');
  }
  const fields = parsed as Fields;
  if ('op' in fields) return readOperation(fields);
  if (typeof fields['ch'] === 'string' && (fields['t'] === 'snap' || fields['t'] === 'upd')) {
    return {
      kind: 'channel',
      ch: fields['ch'],
      t: fields['t'],
      seq: typeof fields['seq'] === 'number' ? fields['seq'] : -1,
      data: fields['data'],
    };
  }
  if (typeof fields['symbol'] === 'string' && 'price' in fields) {
    return { kind: 'flat', price: parsed as Price };
  }
  return unknownFrame('no channel, operation or price');
}
