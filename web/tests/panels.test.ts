/** The panels room: what a key means. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { intentOf, type Press } from '../src/panels/keys.ts';

function press(key: string, more: Partial<Press> = {}): Press {
  return { key, ctrlKey: false, altKey: false, metaKey: false, ...more };
}

test('digits choose intervals in order, and only as many as there are', () => {
  assert.deepEqual(intentOf(press('1'), false), { does: 'interval', interval: '1m' });
  assert.deepEqual(intentOf(press('6'), false), { does: 'interval', interval: '1d' });
  for (const key of ['0', '7', '9']) assert.equal(intentOf(press(key), false), null);
});

test('slash and letters search, the question mark helps', () => {
  assert.deepEqual(intentOf(press('/'), false), { does: 'search', typed: '' });
  assert.deepEqual(intentOf(press('e'), false), { does: 'search', typed: 'e' });
  assert.deepEqual(intentOf(press('?'), false), { does: 'help' });
});

test('keys with Ctrl, Alt or Meta belong to the browser, others to whoever types', () => {
  for (const held of ['ctrlKey', 'altKey', 'metaKey']) {
    assert.equal(intentOf(press('k', { [held]: true }), false), null);
  }
  for (const key of ['/', '1', 'b', '?']) assert.equal(intentOf(press(key), true), null);
  assert.deepEqual(intentOf(press('Escape'), true), { does: 'close' });
  for (const key of ['Tab', 'Enter', 'F5', 'ArrowLeft', ' ']) {
    assert.equal(intentOf(press(key), false), null);
  }
});
