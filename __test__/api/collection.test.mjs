// collection(name): calls for any other data of a bot. Every call, and that players, tokens and game_state are
// collections too. `files/collection` tests its files.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Storage } from '../../index.js';
import { openCollection, openStorage } from '../support/temp.mjs';

test('set, get, has, delete', async (t) => {
  const { collection } = await openCollection(t, Storage);
  assert.equal(await collection.get('a'), undefined);
  assert.equal(await collection.has('a'), false);
  assert.equal(await collection.set('a', { coins: 5 }), undefined);
  assert.deepEqual(await collection.get('a'), { coins: 5 });
  assert.equal(await collection.has('a'), true);
  assert.equal(await collection.delete('a'), true);
  assert.equal(await collection.delete('a'), false);
  assert.equal(await collection.get('a'), undefined);
  assert.equal(await collection.has('a'), false);
});

test('a value is any JSON value', async (t) => {
  const { collection, storage, dataDir } = await openCollection(t, Storage);
  const values = [
    0,
    -1.5,
    1e21,
    '',
    'text',
    true,
    false,
    null,
    [],
    {},
    [1, [2, { a: null }]],
    { a: { b: [] } },
  ];
  for (const [index, value] of values.entries()) await collection.set(`k${index}`, value);
  for (const [index, value] of values.entries()) {
    assert.deepEqual(await collection.get(`k${index}`), value);
    assert.equal(await collection.has(`k${index}`), true);
  }
  await storage.close();
  const again = await openCollection(t, Storage, 'coins', { dataDir });
  for (const [index, value] of values.entries()) {
    assert.deepEqual(await again.collection.get(`k${index}`), value);
  }
});

test('values go in and come out as copies', async (t) => {
  const { collection } = await openCollection(t, Storage);
  const value = { list: [1] };
  const setting = collection.set('a', value);
  value.list.push(2);
  await setting;
  (await collection.get('a')).list.push(3);
  (await collection.entries())[0][1].list.push(4);
  assert.deepEqual(await collection.get('a'), { list: [1] });
});

test('keys, entries and size, in the order of properties', async (t) => {
  const { collection } = await openCollection(t, Storage);
  assert.deepEqual(await collection.keys(), []);
  assert.deepEqual(await collection.entries(), []);
  assert.equal(await collection.size(), 0);
  const likeJavaScript = {};
  for (const key of ['b', '7', 'a', '07', '3', 'c']) {
    await collection.set(key, key);
    likeJavaScript[key] = key;
  }
  await collection.set('b', 'B');
  likeJavaScript.b = 'B';
  assert.deepEqual(await collection.keys(), Object.keys(likeJavaScript));
  assert.deepEqual(await collection.entries(), Object.entries(likeJavaScript));
  assert.equal(await collection.size(), 6);
  await collection.delete('b');
  await collection.set('b', 1);
  assert.deepEqual(await collection.keys(), ['3', '7', 'a', '07', 'c', 'b']);
});

test('update reads and writes in one step', async (t) => {
  const { collection } = await openCollection(t, Storage);
  const seen = [];
  const add = (amount) => (current) => {
    seen.push(current);
    return { coins: (current?.coins ?? 0) + amount };
  };
  assert.deepEqual(await collection.update('a', add(5)), { coins: 5 });
  // The function may run again; its last run counts.
  assert.equal(seen.at(-1), undefined);
  assert.deepEqual(await collection.update('a', add(-2)), { coins: 3 });
  assert.deepEqual(seen.at(-1), { coins: 5 });
  assert.deepEqual(await collection.get('a'), { coins: 3 });
});

test('update may change the value that it is given, and return it', async (t) => {
  const { collection } = await openCollection(t, Storage);
  await collection.set('a', { list: [1] });
  const result = await collection.update('a', (value) => {
    value.list.push(2);
    return value;
  });
  assert.deepEqual(result, { list: [1, 2] });
  assert.deepEqual(await collection.get('a'), { list: [1, 2] });
});

test('updates of one key that nobody awaits all count, also between sets and deletes', async (t) => {
  const { collection } = await openCollection(t, Storage, 'coins', { fsync: 'always' });
  const calls = [];
  for (let i = 0; i < 200; i++) calls.push(collection.update('n', (n = 0) => n + 1));
  const results = await Promise.all(calls);
  assert.deepEqual(
    results,
    Array.from({ length: 200 }, (_, i) => i + 1),
  );
  const mixed = await Promise.all([
    collection.set('m', 10),
    collection.update('m', (m) => m + 1),
    collection.delete('m'),
    collection.update('m', (m) => (m === undefined ? 'was gone' : m)),
    collection.delete('m'),
    collection.delete('m'),
    collection.set('m', 1),
  ]);
  assert.deepEqual(mixed, [undefined, 11, true, 'was gone', true, false, undefined]);
  assert.equal(await collection.get('m'), 1);
});

test('updates of two objects on one folder all count', async (t) => {
  const one = await openCollection(t, Storage);
  const two = await openCollection(t, Storage, 'coins', { dataDir: one.dataDir });
  const calls = [];
  for (let i = 0; i < 50; i++) {
    calls.push(one.collection.update('n', (n = 0) => n + 1));
    calls.push(two.collection.update('n', (n = 0) => n + 1));
    if (i % 10 === 0) await Promise.all(calls);
  }
  const results = await Promise.all(calls);
  assert.deepEqual(
    results.sort((a, b) => a - b),
    Array.from({ length: 100 }, (_, i) => i + 1),
  );
  assert.equal(await one.collection.get('n'), 100);
  assert.equal(await two.collection.get('n'), 100);
});

test('a function that throws rejects only its call, and changes nothing', async (t) => {
  const { collection, storage } = await openCollection(t, Storage);
  await collection.set('a', 1);
  const entries = await storage.readLogEntries('coins');
  const problem = new RangeError('not enough coins');
  const failing = collection.update('a', () => {
    throw problem;
  });
  await assert.rejects(failing, (error) => error === problem);
  assert.deepEqual(await storage.readLogEntries('coins'), entries);
  const results = await Promise.allSettled([
    collection.update('a', (n) => n + 1),
    collection.update('a', () => {
      throw problem;
    }),
    collection.update('a', (n) => n + 1),
  ]);
  assert.deepEqual(
    results.map((result) => result.value ?? result.reason),
    [2, problem, 3],
  );
  assert.equal(await collection.get('a'), 3);
});

test('a function must return a new value', async (t) => {
  const { collection } = await openCollection(t, Storage);
  await collection.set('a', 1);
  for (const change of [() => undefined, () => {}, async () => 2, () => Promise.resolve(2)]) {
    await assert.rejects(collection.update('a', change), {
      name: 'TypeError',
      code: 'ERR_INVALID_RETURN_VALUE',
    });
  }
  assert.equal(await collection.get('a'), 1);
  assert.equal(await collection.update('a', () => null), null);
  assert.equal(await collection.get('a'), null);
});

test('what a function returns is stored as JSON.stringify writes it', async (t) => {
  const { collection } = await openCollection(t, Storage);
  await collection.update('a', () => ({ at: new Date(0), gone: undefined, n: Number.NaN }));
  assert.deepEqual(await collection.get('a'), { at: '1970-01-01T00:00:00.000Z', n: null });
});

test('top and rank by a field; values without that number are left out', async (t) => {
  const { collection } = await openCollection(t, Storage);
  const data = {
    a: { coins: 5, wins: 1 },
    b: { coins: 9 },
    c: { coins: 5 },
    d: { coins: '100' },
    e: null,
    f: 7,
    g: [],
    h: { coins: -1 },
    1: { coins: 5 },
  };
  for (const [key, value] of Object.entries(data)) await collection.set(key, value);
  assert.deepEqual(await collection.top('coins'), [
    ['b', data.b],
    ['1', data[1]],
    ['a', data.a],
    ['c', data.c],
    ['h', data.h],
  ]);
  assert.deepEqual(await collection.top('coins', 2), [
    ['b', data.b],
    ['1', data[1]],
  ]);
  assert.deepEqual(await collection.top('coins', 0), []);
  assert.deepEqual(await collection.top('wins'), [['a', data.a]]);
  assert.deepEqual(await collection.top('nothing'), []);
  assert.equal((await collection.rank('b', 'coins')).rank, 1);
  assert.equal((await collection.rank('c', 'coins')).rank, 4);
  assert.equal((await collection.rank('h', 'coins')).rank, 5);
  assert.equal(await collection.rank('d', 'coins'), null);
  assert.equal(await collection.rank('nobody', 'coins'), null);
});

test('top gives ten by default', async (t) => {
  const { collection } = await openCollection(t, Storage);
  await Promise.all(Array.from({ length: 30 }, (_, n) => collection.set(`k${n}`, { n })));
  assert.deepEqual(
    (await collection.top('n')).map(([, value]) => value.n),
    [29, 28, 27, 26, 25, 24, 23, 22, 21, 20],
  );
  assert.deepEqual(await collection.rank('k20', 'n'), { rank: 10, of: 30 });
});

test('clear removes everything, also for the next process', async (t) => {
  const { collection, storage, dataDir } = await openCollection(t, Storage);
  for (const key of ['a', 'b', '1']) await collection.set(key, { key });
  assert.equal(await collection.clear(), undefined);
  assert.equal(await collection.size(), 0);
  assert.deepEqual(await collection.entries(), []);
  assert.deepEqual(await storage.rebuildStateFromLog('coins'), {});
  await collection.clear();
  await collection.set('c', 1);
  await storage.close();
  const again = await openCollection(t, Storage, 'coins', { dataDir });
  assert.deepEqual(await again.collection.entries(), [['c', 1]]);
});

test('its log is like the other logs of the bot', async (t) => {
  const { collection, storage } = await openCollection(t, Storage);
  await collection.set('a', { coins: 1 });
  await collection.set('b', [1]);
  await collection.delete('a');
  assert.deepEqual(
    (await storage.readLogEntries('coins')).map(({ op, key, value }) => [op, key, value]),
    [
      ['SET', 'a', { coins: 1 }],
      ['SET', 'b', [1]],
      ['DELETE', 'a', undefined],
    ],
  );
});

test('two objects with one name are one collection, other names are separate', async (t) => {
  const { storage } = await openStorage(t, Storage);
  await storage.collection('coins').set('a', 1);
  assert.equal(await storage.collection('coins').get('a'), 1);
  assert.equal(await storage.collection('other').get('a'), undefined);
  await storage.collection('other').set('a', 2);
  assert.equal(await storage.collection('coins').get('a'), 1);
});

test('players, tokens and game_state are collections', async (t) => {
  const { storage } = await openStorage(t, Storage);
  await storage.updatePlayerStats('u1', 'Ann', 10);
  await storage.updatePlayerStats('u2', 'Bea', 20);
  await storage.saveGameState('c1', { round: 1 });
  await storage.saveTokens(['t']);
  const players = storage.collection('players');
  assert.deepEqual(await players.get('u1'), await storage.getPlayerStats('u1'));
  assert.deepEqual(await players.keys(), ['u1', 'u2']);
  assert.deepEqual(await players.rank('u1', 'totalScore'), { rank: 2, of: 2 });
  await players.update('u1', (player) => ({ ...player, totalScore: 500 }));
  assert.equal((await storage.updatePlayerStats('u1', 'Ann', 1)).totalScore, 501);
  assert.equal((await storage.collection('game_state').get('c1')).round, 1);
  assert.deepEqual(await storage.collection('tokens').get('tokens'), ['t']);
  await storage.collection('game_state').clear();
  assert.deepEqual(await storage.getAllGameStates(), {});
});

test('a log with only appended entries becomes a collection when it is opened as one', async (t) => {
  const { storage } = await openStorage(t, Storage);
  await storage.appendLogEntry('notes', { op: 'SET', data: { a: 1, b: 2 } });
  const notes = storage.collection('notes');
  assert.deepEqual(await notes.entries(), [
    ['a', 1],
    ['b', 2],
  ]);
  await notes.set('c', 3);
  assert.deepEqual(await storage.rebuildStateFromLog('notes'), { a: 1, b: 2, c: 3 });
});

test('flush and close wait for an update whose function has not run yet', async (t) => {
  for (const end of ['flush', 'close']) {
    const { storage, dataDir } = await openStorage(t, Storage);
    const calls = [];
    // Nobody has read this place yet, so the update first reads the value. The next call waits behind it.
    const coins = storage.collection('coins');
    coins.update('a', () => 1).then(() => calls.push('update'));
    coins.set('b', 2).then(() => calls.push('set'));
    await storage[end]();
    assert.deepEqual(calls, ['update', 'set'], end);
    const again = await openCollection(t, Storage, 'coins', { dataDir });
    assert.deepEqual(Object.fromEntries(await again.collection.entries()), { a: 1, b: 2 }, end);
  }
});
