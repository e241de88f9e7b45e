// `progressive-storage/keyv` as Keyv calls it. `npm run test:keyv` runs Keyv's own suite.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Storage } from '../../index.js';
import keyv from '../../lib/keyv.js';
import { openStorage } from '../support/temp.mjs';

const { KeyvStorage } = keyv;

async function opened(t, ...namespaces) {
  const { storage } = await openStorage(t, Storage);
  const stores = namespaces.map((namespace) => {
    const store = new KeyvStorage({ storage });
    store.namespace = namespace;
    return store;
  });
  return { storage, stores };
}

const listed = async (iterator) => {
  const found = [];
  for await (const pair of iterator) found.push(pair);
  return found;
};

test('values, one and many, in a collection', async (t) => {
  const { storage, stores } = await opened(t, undefined);
  const [store] = stores;
  assert.equal(await store.get('a'), undefined);
  await store.set('a', '{"value":1}');
  assert.deepEqual(
    await store.setMany([
      { key: 'b', value: 2 },
      { key: 'c', value: 3 },
      { key: 'b', value: 4 },
    ]),
    [true, true, true],
  );
  assert.deepEqual(await store.getMany(['c', 'x', 'b', 'a', 'c']), [3, undefined, 4, '{"value":1}', 3]);
  assert.deepEqual(await storage.collection('keyv').keys(), ['a', 'b', 'c']);
  assert.equal(await store.delete('a'), true);
  assert.equal(await store.delete('a'), false);
  assert.equal(await store.deleteMany(['a', 'b', 'b']), true);
  assert.equal(await store.deleteMany(['a', 'b']), false);
  assert.deepEqual(await listed(store.iterator()), [['c', 3]]);
  await store.clear();
  assert.deepEqual(await listed(store.iterator()), []);
});

test('a time to live is one of the collection, too', async (t) => {
  const { storage, stores } = await opened(t, undefined);
  const [store] = stores;
  const coins = storage.collection('keyv');
  const before = Date.now();
  await store.set('a', 'x', 60_000);
  // The clock of a server may differ a little.
  const expiresAt = await coins.expiresAt('a');
  assert.ok(Math.abs(expiresAt - before - 60_000) < 5000, `${expiresAt - before}`);
  for (const ttl of [undefined, 0, Number.POSITIVE_INFINITY]) {
    await store.set('a', 'x', ttl);
    assert.equal(await coins.expiresAt('a'), null);
  }
});

test('a namespace is listed and cleared alone', async (t) => {
  const { stores } = await opened(t, 'one', 'two');
  const [one, two] = stores;
  for (const key of ['one:a', 'one:b', 'two:a', 'ones:a']) await one.set(key, key);
  assert.deepEqual(await listed(one.iterator('one')), [
    ['one:a', 'one:a'],
    ['one:b', 'one:b'],
  ]);
  await one.clear();
  assert.deepEqual(await two.getMany(['one:a', 'two:a', 'ones:a']), [undefined, 'two:a', 'ones:a']);
});

test('a storage that was given stays open, one of its own is closed', async (t) => {
  const { storage, stores } = await opened(t, undefined);
  await stores[0].disconnect();
  assert.equal(await storage.collection('keyv').size(), 0);
});

test('bad options are refused', () => {
  const refused = (options, code) =>
    assert.throws(
      () => new KeyvStorage(options),
      (error) => error instanceof TypeError && error.code === code,
    );
  refused(7, 'ERR_INVALID_ARG_TYPE');
  refused(null, 'ERR_INVALID_ARG_TYPE');
  refused({ storage: {} }, 'ERR_INVALID_ARG_TYPE');
  refused({ collection: 5 }, 'ERR_INVALID_ARG_TYPE');
  refused({ collection: '../x' }, 'ERR_INVALID_ARG_VALUE');
  refused({ dataDirs: 'x' }, 'ERR_INVALID_ARG_VALUE');
});

test('a storage and its options are not given together', async (t) => {
  const { storage } = await openStorage(t, Storage);
  assert.throws(() => new KeyvStorage({ storage, dataDir: 'x' }), { code: 'ERR_INVALID_ARG_VALUE' });
});
