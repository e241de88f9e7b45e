// watch: every change of the watched keys once, in order, with the value before and after; for an iterator and for a
// listener; its end; and settings that are cached, as the documents show it. `files/watch` and `postgres/watch` are about what
// other processes write.

import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { Storage } from '../../index.js';
import { openCollection, openStorage, waitUntil } from '../support/temp.mjs';

// A watch alone keeps no process alive, and on a server a look comes by a timer that does not either.
const alive = setInterval(() => {}, 1000);
after(() => clearInterval(alive));

const ISO = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

/** Reads so many changes, without their times. */
async function read(stream, count) {
  const changes = [];
  while (changes.length < count) {
    const { value, done } = await stream.next();
    assert.equal(done, false);
    const { timestamp, ...change } = value;
    assert.match(timestamp, ISO);
    changes.push(change);
  }
  return changes;
}

/** A change of a key from a value to another. */
const changed = (key, previous, value) => ({ key, value, previous });

test('each change is seen once, in order, with the value before and after', async (t) => {
  const { collection } = await openCollection(t, Storage);
  await collection.set('old', { n: 1 });
  const stream = collection.watch();
  collection.set('a', 1);
  collection.set('a', 2);
  collection.set('old', { n: 2 });
  collection.delete('a');
  collection.delete('never there');
  collection.set('a', null);
  await collection.update('a', (value) => [value]);
  await collection.set('last', 0);
  assert.deepEqual(await read(stream, 7), [
    changed('a', undefined, 1),
    changed('a', 1, 2),
    changed('old', { n: 1 }, { n: 2 }),
    changed('a', 2, undefined),
    changed('a', undefined, null),
    changed('a', null, [null]),
    changed('last', undefined, 0),
  ]);
  await stream.return();
});

test('what was called before it is no change, what is called behind it is one', async (t) => {
  const { collection } = await openCollection(t, Storage);
  const before = collection.set('a', 'before');
  const stream = collection.watch('a');
  const behind = collection.set('a', 'behind');
  assert.deepEqual(await read(stream, 1), [changed('a', 'before', 'behind')]);
  await Promise.all([before, behind]);
  await stream.return();
});

test('a value that a key already has is no change', async (t) => {
  const { collection } = await openCollection(t, Storage);
  await collection.set('a', { n: 1 });
  const stream = collection.watch();
  await collection.set('a', { n: 1 });
  await collection.update('a', (value) => value);
  await collection.set('a', { n: 2 });
  assert.deepEqual(await read(stream, 1), [changed('a', { n: 1 }, { n: 2 })]);
  await stream.return();
});

test('a key, a prefix, or all keys', async (t) => {
  const { collection } = await openCollection(t, Storage);
  const streams = [collection.watch('a1'), collection.watch({ prefix: 'a' }), collection.watch(undefined)];
  for (const key of ['a', 'a1', 'b', '"', 'a2']) await collection.set(key, key);
  const keys = async (stream, count) => (await read(stream, count)).map(({ key }) => key);
  assert.deepEqual(await keys(streams[0], 1), ['a1']);
  assert.deepEqual(await keys(streams[1], 3), ['a', 'a1', 'a2']);
  assert.deepEqual(await keys(streams[2], 5), ['a', 'a1', 'b', '"', 'a2']);
  for (const stream of streams) await stream.return();
});

test('clear, entries that are appended, players and a compaction', async (t) => {
  const { storage } = await openStorage(t, Storage);
  const players = storage.collection('players');
  const stream = players.watch();
  await storage.updatePlayersStats([
    { userId: '1', username: 'Ann', score: 5 },
    { userId: '2', username: 'Ben', score: 7 },
  ]);
  await storage.compactLog('players');
  await storage.appendLogEntry('players', { op: 'SET', key: '3', value: 'by hand' });
  await storage.appendLogEntry('players', { op: 'NOTE', text: 'changes nothing' });
  await storage.appendLogEntry('players', { op: 'SET', data: { 3: 'again', 4: 'too' } });
  await storage.savePlayers({ 2: { userId: '2' }, 4: 'too' });
  const changes = await read(stream, 8);
  assert.deepEqual(
    changes.slice(0, 2).map(({ key, value, previous }) => [key, value.totalScore, previous]),
    [
      ['1', 5, undefined],
      ['2', 7, undefined],
    ],
  );
  assert.deepEqual(changes.slice(2, 5), [
    changed('3', undefined, 'by hand'),
    changed('3', 'by hand', 'again'),
    changed('4', undefined, 'too'),
  ]);
  assert.deepEqual(
    changes
      .slice(5)
      .map(({ key }) => key)
      .sort(),
    ['1', '2', '3'],
  );
  await players.clear();
  const gone = await read(stream, 2);
  assert.deepEqual(gone.map(({ key, value }) => [key, value]).sort(), [
    ['2', undefined],
    ['4', undefined],
  ]);
  await stream.return();
});

test('two storages on one place see each other', async (t) => {
  const { storage, dataDir } = await openStorage(t, Storage);
  const { storage: other } = await openStorage(t, Storage, { dataDir });
  const stream = storage.collection('coins').watch();
  await storage.collection('coins').set('a', 1);
  await other.collection('coins').update('a', (value) => value + 1);
  await storage.collection('coins').set('a', 3);
  assert.deepEqual(await read(stream, 3), [
    changed('a', undefined, 1),
    changed('a', 1, 2),
    changed('a', 2, 3),
  ]);
  await stream.return();
});

test('timestamps are those of the history', async (t) => {
  const { storage, collection } = await openCollection(t, Storage);
  const stream = collection.watch();
  await collection.set('a', 1);
  await collection.delete('a');
  const times = [(await stream.next()).value.timestamp, (await stream.next()).value.timestamp];
  assert.deepEqual(
    (await storage.history('coins', 'a')).map(({ timestamp }) => timestamp),
    times,
  );
  await stream.return();
});

test('return() ends it, also while a change is waited for', async (t) => {
  const { collection } = await openCollection(t, Storage);
  const stream = collection.watch();
  const waiting = [stream.next(), stream.next()];
  assert.deepEqual(await stream.return(), { value: undefined, done: true });
  for (const next of waiting) assert.deepEqual(await next, { value: undefined, done: true });
  await collection.set('a', 1);
  assert.deepEqual(await stream.next(), { value: undefined, done: true });
  const looped = collection.watch();
  await collection.set('a', 2);
  for await (const { value } of looped) if (value === 2) break;
  assert.deepEqual(await looped.next(), { value: undefined, done: true });
});

test('a storage that is closed ends it, behind the changes that were made', async (t) => {
  const { storage, collection } = await openCollection(t, Storage);
  const stream = collection.watch();
  const heard = [];
  collection.watch(undefined, ({ key }) => heard.push(key));
  const waiting = collection.watch('never').next();
  await collection.set('a', 1);
  await collection.set('b', 2);
  await storage.close();
  const changes = [];
  for await (const { key } of stream) changes.push(key);
  assert.deepEqual(changes, ['a', 'b']);
  assert.deepEqual(await waiting, { value: undefined, done: true });
  assert.deepEqual(heard, ['a', 'b']);
  assert.throws(() => collection.watch(), { code: 'ERR_STORAGE_CLOSED' });
});

test('what was called just before the storage was closed is seen, too', async (t) => {
  const { storage, collection } = await openCollection(t, Storage);
  const stream = collection.watch();
  const heard = [];
  collection.watch(undefined, ({ key }) => heard.push(key));
  await collection.set('a', 1);
  const pending = [collection.set('b', 2), collection.set('c', 3)];
  const closed = storage.close();
  await assert.rejects(collection.set('d', 4), { code: 'ERR_STORAGE_CLOSED' });
  await Promise.all(pending);
  await closed;
  const changes = [];
  for await (const { key } of stream) changes.push(key);
  assert.deepEqual(changes, ['a', 'b', 'c']);
  assert.deepEqual(heard, ['a', 'b', 'c']);
});

test('a listener gets each change until it is ended', async (t) => {
  const { collection } = await openCollection(t, Storage);
  const heard = [];
  const end = collection.watch({ prefix: 'a' }, (change) =>
    heard.push([change.key, change.previous, change.value]),
  );
  await collection.set('a', 1);
  await collection.set('b', 1);
  await collection.set('a', 2);
  await waitUntil(() => heard.length === 2, { what: 'two changes' });
  end();
  end();
  await collection.set('a', 3);
  const stream = collection.watch('a');
  await collection.set('a', 4);
  await read(stream, 1);
  await stream.return();
  assert.deepEqual(heard, [
    ['a', undefined, 1],
    ['a', 1, 2],
  ]);
});

test('a listener may end its watch, and make calls', async (t) => {
  const { collection } = await openCollection(t, Storage);
  const heard = [];
  const end = collection.watch('a', ({ value }) => {
    heard.push(value);
    if (value === 3) end();
    else collection.set('a', value + 1);
  });
  await collection.set('a', 0);
  await waitUntil(() => heard.length === 4, { what: 'the last change' });
  await collection.set('a', 10);
  assert.deepEqual(heard, [0, 1, 2, 3]);
});

test('wrong arguments are refused at the call', async (t) => {
  const { collection } = await openCollection(t, Storage);
  const refused = (code, ...args) =>
    assert.throws(
      () => collection.watch(...args),
      (error) => error instanceof TypeError && error.code === code,
      String(args),
    );
  for (const wrong of [null, 5, [], () => {}, { prefix: 5 }, {}, { prefix: undefined }]) {
    refused('ERR_INVALID_ARG_TYPE', wrong);
  }
  for (const wrong of ['', { key: 'a' }, { prefix: 'a', limit: 1 }]) refused('ERR_INVALID_ARG_VALUE', wrong);
  for (const wrong of [null, {}, 'listener']) refused('ERR_INVALID_ARG_TYPE', 'a', wrong);
  assert.throws(() => collection.watch.call({}), TypeError);
});

test('who does not read gets merged changes, from the first value to the last', async (t) => {
  const { collection } = await openCollection(t, Storage);
  await collection.set('a', 'first');
  const stream = collection.watch();
  const text = 'x'.repeat(1_000_000);
  for (let i = 0; i < 60; i++) await collection.set('a', `${i}${text}`);
  await collection.set('b', 'last');
  let [change] = await read(stream, 1);
  assert.equal(change.previous, 'first');
  let count = 1;
  let { value } = change;
  for (; change.key !== 'b'; count++) {
    [change] = await read(stream, 1);
    if (change.key === 'a') {
      assert.equal(change.previous === value, true, 'each goes on from the one before');
      ({ value } = change);
    }
  }
  assert.ok(count < 50, `${count} changes`);
  assert.equal(value.slice(0, 3), '59x');
  await stream.return();
});

test('settings that are cached, as the documents show it', async (t) => {
  const { storage, dataDir } = await openStorage(t, Storage);
  const { storage: otherShard } = await openStorage(t, Storage, { dataDir });
  const settings = storage.collection('settings');
  await settings.set('guild-1', { prefix: '!' });

  const cache = new Map();
  // A key that was removed has undefined here, so the loop does not bring it back.
  const end = settings.watch(undefined, ({ key, value }) => cache.set(key, value));
  for await (const [key, value] of settings) if (!cache.has(key)) cache.set(key, value);

  await otherShard.collection('settings').set('guild-2', { prefix: '?' });
  await otherShard.collection('settings').update('guild-1', (value) => ({ ...value, prefix: '$' }));
  await waitUntil(() => cache.get('guild-1')?.prefix === '$' && cache.get('guild-2')?.prefix === '?');
  await otherShard.collection('settings').delete('guild-2');
  await waitUntil(() => cache.get('guild-2') === undefined);
  end();
});
