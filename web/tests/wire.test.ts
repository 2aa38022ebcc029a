/** The wire room: what comes off the socket, and how long to wait for it. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { WAIT_MS_MAX, WAIT_MS_MIN, waitMs } from '../src/wire/backoff.ts';
import { candlesChannel, kindOf, signalsChannel } from '../src/wire/channels.ts';
import { readFrame } from '../src/wire/frames.ts';

test('waits double, stay in the upper half of their step, and end at the maximum', () => {
  for (let failures = 0; failures < 40; failures += 1) {
    const step = Math.min(WAIT_MS_MAX, WAIT_MS_MIN * 2 ** Math.min(failures, 10));
    assert.equal(waitMs(failures, 0), Math.round(step / 2));
    assert.equal(waitMs(failures, 1), step);
  }
  assert.equal(waitMs(39, 1), WAIT_MS_MAX);
});

test('each kind of frame is read as what it is', () => {
  assert.deepEqual(readFrame('{"ch":"gaps","t":"upd","seq":4,"data":{"a":1}}'), {
    kind: 'channel',
    ch: 'gaps',
    t: 'upd',
    seq: 4,
    data: { a: 1 },
  });
  assert.deepEqual(readFrame('{"op":"ack","id":2,"ch":["gaps"]}'), {
    kind: 'ack',
    id: 2,
    ch: ['gaps'],
  });
  assert.deepEqual(readFrame('{"op":"err","id":2,"code":"bad","detail":"why"}'), {
    kind: 'err',
    id: 2,
    code: 'bad',
    detail: 'why',
  });
  assert.deepEqual(readFrame('{"op":"hb","ts":9}'), { kind: 'hb', ts: 9 });
  assert.deepEqual(readFrame('{"op":"bye","why":"slow","retry_ms":1500}'), {
    kind: 'bye',
    why: 'slow',
    retry_ms: 1500,
  });
  assert.equal(readFrame('{"symbol":"BTCUSDT","venue":"binance","price":1}').kind, 'flat');
});

test('damaged and foreign frames are unknown, never an exception', () => {
  const damaged = ['', '{', 'null', '[]', '7', '"x"', '{}', '{"op":"dance"}', '{"ch":"a","t":"x"}'];
  for (const text of damaged) assert.equal(readFrame(text).kind, 'unknown', text);
});

test('channel names keep the symbol whole', () => {
  assert.equal(candlesChannel('binance', 'BTC/USDT', '1m'), 'candles:binance:BTC/USDT:1m');
  assert.equal(kindOf(signalsChannel('kraken', 'BTC/USD')), 'signals');
  assert.equal(kindOf('alerts'), 'alerts');
});
