/**
 * The socket that stays: connects, subscribes, watches the heartbeat, comes back.
 *
 * takes  the channels that are wanted now
 * gives  channel frames and its own state to one listener
 * never  an unbounded wait: connect, acknowledgement and silence each have a limit; a limit that is
 *        reached closes the socket and starts the jittered back-off
 */

import { waitMs, WAIT_MS_MAX } from './backoff.ts';
import { readFrame, type ChannelFrame } from './frames.ts';

export const CONNECT_MS_MAX = 8_000;
export const ACK_MS_MAX = 5_000;
export const SILENCE_MS_MAX = 12_000;
/** A connection that lived this long clears the count of failures. */
export const STEADY_MS_MIN = 5_000;

export type LinkState =
  | { readonly name: 'idle' }
  | { readonly name: 'connecting'; readonly failures: number }
  | { readonly name: 'open' }
  | { readonly name: 'waiting'; readonly failures: number; readonly wait_ms: number };

export interface LinkListener {
  /** The link changed its state. */
  changed(state: LinkState): void;
  /** Everything wanted is subscribed again after (re)connecting: fetch what was missed. */
  joined(): void;
  frame(frame: ChannelFrame): void;
  /** The server does not have this channel; it is not wanted any more until `want` says so. */
  refused(channel: string, code: string, detail: string): void;
}

export class Link {
  readonly #address: string;
  readonly #listener: LinkListener;
  #socket: WebSocket | null = null;
  #wanted = new Set<string>();
  /** Questions without an answer yet: their channel by id. */
  #asked = new Map<number, string>();
  #joining = false;
  #lastId = 0;
  #failures = 0;
  #openedAt = 0;
  /** What the server asked for when it said goodbye. */
  #asked_wait_ms = 0;
  #deadline: ReturnType<typeof setTimeout> | undefined;
  #ackDeadline: ReturnType<typeof setTimeout> | undefined;

  constructor(address: string, listener: LinkListener) {
    this.#address = address;
    this.#listener = listener;
  }

  /** Connect now; a wait in progress is cut short. */
  start(): void {
    if (this.#socket) return;
    clearTimeout(this.#deadline);
    this.#listener.changed({ name: 'connecting', failures: this.#failures });
    const socket = new WebSocket(this.#address);
    this.#socket = socket;
    this.#within(CONNECT_MS_MAX);
    socket.onopen = () => this.#opened();
    socket.onmessage = (message) => this.#heard(String(message.data));
    socket.onclose = () => this.#lost(socket);
  }

  /** Close and stay closed until `start`. */
  stop(): void {
    this.#drop();
    this.#failures = 0;
    clearTimeout(this.#deadline);
    this.#listener.changed({ name: 'idle' });
  }

  /** Exactly these channels from now on; the difference is sent. */
  want(channels: Iterable<string>): void {
    const wanted = new Set(channels);
    const gone = [...this.#wanted].filter((channel) => !wanted.has(channel));
    const added = [...wanted].filter((channel) => !this.#wanted.has(channel));
    this.#wanted = wanted;
    if (this.#socket?.readyState !== WebSocket.OPEN) return;
    for (const channel of added) this.#ask('sub', channel);
    for (const channel of gone) this.#ask('unsub', channel);
  }

  /** One channel a question, so that a channel that is refused takes no other with it. */
  #ask(op: 'sub' | 'unsub', channel: string): void {
    const id = ++this.#lastId;
    this.#asked.set(id, channel);
    this.#socket?.send(JSON.stringify({ op, id, ch: [channel] }));
    clearTimeout(this.#ackDeadline);
    this.#ackDeadline = setTimeout(() => this.#giveUp(), ACK_MS_MAX);
  }

  #opened(): void {
    this.#openedAt = performance.now();
    this.#within(SILENCE_MS_MAX);
    this.#joining = true;
    for (const channel of this.#wanted) this.#ask('sub', channel);
  }

  #heard(text: string): void {
    this.#within(SILENCE_MS_MAX);
    const frame = readFrame(text);
    if (frame.kind === 'bye') this.#asked_wait_ms = Math.min(frame.retry_ms, WAIT_MS_MAX);
    if (frame.kind === 'channel') this.#listener.frame(frame);
    if (frame.kind !== 'ack' && frame.kind !== 'err') return;
    const channel = this.#asked.get(frame.id);
    this.#asked.delete(frame.id);
    if (frame.kind === 'err' && channel !== undefined) {
      this.#wanted.delete(channel);
      this.#listener.refused(channel, frame.code, frame.detail);
    }
    if (this.#asked.size > 0) return;
    clearTimeout(this.#ackDeadline);
    if (!this.#joining) return;
    this.#joining = false;
    this.#listener.changed({ name: 'open' });
    this.#listener.joined();
  }

  #within(limit_ms: number): void {
    clearTimeout(this.#deadline);
    this.#deadline = setTimeout(() => this.#giveUp(), limit_ms);
  }

  #giveUp(): void {
    const socket = this.#socket;
    if (!socket) return;
    this.#drop();
    this.#retry();
  }

  #lost(socket: WebSocket): void {
    if (socket !== this.#socket) return;
    this.#drop();
    this.#retry();
  }

  #retry(): void {
    const steady = this.#openedAt > 0 && performance.now() - this.#openedAt > STEADY_MS_MIN;
    this.#failures = steady ? 0 : this.#failures + 1;
    this.#openedAt = 0;
    const wait_ms = Math.max(this.#asked_wait_ms, waitMs(this.#failures, Math.random()));
    this.#asked_wait_ms = 0;
    this.#listener.changed({ name: 'waiting', failures: this.#failures, wait_ms });
    clearTimeout(this.#deadline);
    this.#deadline = setTimeout(() => this.start(), wait_ms);
  }

  #drop(): void {
    const socket = this.#socket;
    this.#socket = null;
    this.#asked.clear();
    this.#joining = false;
    clearTimeout(this.#ackDeadline);
    if (!socket) return;
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.close();
  }
}
