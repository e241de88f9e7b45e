// A whole state whose JSON text is longer than V8's longest string (2^29 - 24 characters) still loads, and so does a log
// with such entries. Needs about 6 GB of free memory, and is skipped with less.

import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { freemem } from 'node:os';
import test from 'node:test';
import { openStorage } from '../support/temp.mjs';

const ps = createRequire(import.meta.url)('../../index.js');
const skip = freemem() < 6 * 2 ** 30 && 'needs 6 GB of free memory';

test('a state larger than the longest string loads', { skip }, async (t) => {
  const { storage, dataDir } = await openStorage(t, ps.Storage, { fsync: 'never' });
  const large = storage.collection('large');
  const text = 'x'.repeat(50_000_000);
  for (let n = 0; n < 11; n += 1) await large.set(`key-${n}`, { n, text });
  await large.set('__proto__', { n: 'own' });
  const check = async (again) => {
    const state = Object.fromEntries(await again.collection('large').entries());
    assert.equal(Object.keys(state).length, 12);
    const rebuilt = await again.rebuildStateFromLog('large');
    assert.deepEqual(Object.keys(rebuilt).slice(0, 2), ['key-0', 'key-1']);
    assert.equal(rebuilt['key-10'].n, 10);
    assert.equal(rebuilt['key-10'].text.length, text.length);
    assert.deepEqual(Object.getOwnPropertyDescriptor(rebuilt, '__proto__').value, { n: 'own' });
    assert.equal(Object.getPrototypeOf(rebuilt), Object.prototype);
    assert.equal((await again.readLogEntries('large')).length, 12);
  };
  await check(storage);
  await storage.close();
  const again = await openStorage(t, ps.Storage, { dataDir, fsync: 'never' });
  await check(again.storage);
});
