// Several keys of a collection at once: getMany, setMany, deleteMany, and updateMany, which reads, changes and writes them
// in one step. `files/several-keys` tests the lines that they leave, `processes/transfers` that a kill splits none.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Storage } from '../../index.js';
import { openCollection } from '../support/temp.mjs';

/** A function that moves coins from Ann to Ben. */
const move =
  (coins) =>
  ({ ann = 0, ben = 0 }) => {
    if (ann < coins) throw new RangeError('Ann has too few coins');
    return { ann: ann - coins, ben: ben + coins };
  };

test('getMany gives a Map in the order of the keys, without those that are not there', async (t) => {
  const { collection } = await openCollection(t, Storage);
  await collection.setMany({ ann: { coins: 5 }, ben: null, cid: [1, { two: 2 }], 7: 'seven' });
  const found = await collection.getMany(['cid', 'nobody', '7', 'ben', 'cid']);
  assert.ok(found instanceof Map);
  assert.deepEqual(
    [...found],
    [
      ['cid', [1, { two: 2 }]],
      ['7', 'seven'],
      ['ben', null],
    ],
  );
  assert.equal(found.get('nobody'), undefined);
  assert.equal(found.has('nobody'), false);
  assert.deepEqual(await collection.getMany([]), new Map());
  assert.deepEqual(await collection.getMany(new Set(['ann'])), new Map([['ann', { coins: 5 }]]));
  assert.deepEqual(await collection.getMany(new Map([['ben', 1]]).keys()), new Map([['ben', null]]));
  found.get('cid').push(3);
  assert.deepEqual(await collection.get('cid'), [1, { two: 2 }]);
});

test('setMany takes an object, a Map, pairs and iterators', async (t) => {
  const { collection } = await openCollection(t, Storage);
  function* pairs() {
    yield ['d', 4];
    yield ['e', 5];
  }
  assert.equal(await collection.setMany({ b: 2, a: 1 }), undefined);
  await collection.setMany(new Map([['c', 3]]));
  await collection.setMany(pairs());
  await collection.setMany([
    ['f', 6],
    ['a', 10],
    ['f', 60],
  ]);
  assert.deepEqual(Object.fromEntries(await collection.entries()), { b: 2, a: 10, c: 3, d: 4, e: 5, f: 60 });
  assert.deepEqual(await collection.keys(), ['b', 'a', 'c', 'd', 'e', 'f']);
});

test('what setMany takes is copied when it is called, and set like a single value', async (t) => {
  const { collection } = await openCollection(t, Storage);
  const entries = { ann: { list: [1], at: new Date(0), gone: undefined } };
  const setting = collection.setMany(entries);
  entries.ann.list.push(2);
  entries.ben = 1;
  await setting;
  assert.deepEqual(await collection.entries(), [['ann', { list: [1], at: '1970-01-01T00:00:00.000Z' }]]);
});

test('deleteMany tells how many keys were there', async (t) => {
  const { collection } = await openCollection(t, Storage);
  await collection.setMany({ a: 1, b: 2, c: 3 });
  assert.equal(await collection.deleteMany(['a', 'x', 'c', 'a']), 2);
  assert.equal(await collection.deleteMany(new Set(['a', 'c'])), 0);
  assert.equal(await collection.deleteMany([]), 0);
  assert.deepEqual(await collection.entries(), [['b', 2]]);
});

test('updateMany moves coins from one key to another', async (t) => {
  const { collection } = await openCollection(t, Storage);
  await collection.setMany({ ann: 500, cid: 1 });
  assert.deepEqual(await collection.updateMany(['ann', 'ben'], move(200)), { ann: 300, ben: 200 });
  await assert.rejects(collection.updateMany(['ann', 'ben'], move(301)), {
    name: 'RangeError',
    message: 'Ann has too few coins',
  });
  assert.deepEqual(await collection.updateMany(new Set(['ann', 'ben']), move(300)), { ann: 0, ben: 500 });
  assert.deepEqual(Object.fromEntries(await collection.entries()), { ann: 0, cid: 1, ben: 500 });
});

test('a key that the changes lack stays, and undefined removes one', async (t) => {
  const { collection, storage } = await openCollection(t, Storage);
  await collection.setMany({ a: 1, b: 2, c: 3 });
  const result = await collection.updateMany(['a', 'b', 'c', 'd'], () => ({
    a: undefined,
    c: 4,
    d: undefined,
  }));
  assert.deepEqual(result, { b: 2, c: 4 });
  assert.deepEqual(Object.fromEntries(await collection.entries()), { b: 2, c: 4 });
  const entries = await storage.readLogEntries('coins');
  assert.deepEqual(await collection.updateMany(['b', 'c'], () => ({})), { b: 2, c: 4 });
  assert.deepEqual(await collection.updateMany(['x', 'b'], () => ({ x: undefined })), { b: 2 });
  assert.deepEqual(await collection.updateMany([], () => ({})), {});
  await collection.setMany([]);
  assert.deepEqual(await storage.readLogEntries('coins'), entries, 'no change is no entry');
});

test('several keys are one entry of the log, and the history of each key', async (t) => {
  const { collection, storage } = await openCollection(t, Storage);
  await collection.setMany({ ann: 1, ben: 2 });
  await collection.updateMany(['ann', 'ben'], () => ({ ann: 0, ben: 3 }));
  await collection.updateMany(['ann', 'ben'], () => ({ ann: undefined, ben: 4 }));
  const entries = await storage.readLogEntries('coins');
  assert.deepEqual(
    entries.map(({ timestamp, ...entry }) => entry),
    [
      { op: 'SET', data: { ann: 1, ben: 2 } },
      { op: 'SET', data: { ann: 0, ben: 3 } },
      { op: 'SET', key: 'ben', value: 4 },
      { op: 'DELETE', key: 'ann' },
    ],
  );
  const values = async (key) => (await storage.history('coins', key)).map(({ value }) => value);
  assert.deepEqual(await values('ann'), [1, 0, undefined]);
  assert.deepEqual(await values('ben'), [2, 3, 4]);
  assert.deepEqual(await storage.rebuildStateFromLog('coins'), { ben: 4 });
});

test('a key may have any name', async (t) => {
  const { collection } = await openCollection(t, Storage);
  const names = ['__proto__', 'constructor', 'toString', 'then', 'length', '7', 'a"b\\\n', '\ud800'];
  let seen;
  const results = await collection.updateMany(names, (values) => {
    seen = names.map((name) => values[name]);
    return Object.fromEntries(names.map((name, place) => [name, place]));
  });
  assert.deepEqual(seen, Array(names.length).fill(undefined), 'none of them is there');
  assert.deepEqual(Object.keys(results).sort(), [...names].sort());
  const pairs = names.map((name, place) => [name, place]);
  assert.deepEqual([...(await collection.getMany(names))], pairs);
  await collection.updateMany(names, (values) => {
    for (const name of names) values[name] += 1;
    return values;
  });
  assert.deepEqual(
    [...(await collection.getMany(names))],
    pairs.map(([name, place]) => [name, place + 1]),
  );
  await collection.setMany(pairs);
  assert.equal(await collection.deleteMany(names), names.length);
  assert.equal({}.polluted, undefined);
});

test('a function must return an object of changes of its keys', async (t) => {
  const { collection, storage } = await openCollection(t, Storage);
  await collection.setMany({ a: 1, b: 2, z: 3 });
  const before = await storage.readLogEntries('coins');
  const wrong = [
    () => undefined,
    () => {},
    () => null,
    () => 'a',
    () => 5,
    () => ['a', 1],
    () => new Map([['a', 1]]),
    () => new Set(['a']),
    async () => ({ a: 2 }),
    () => Promise.reject(new Error('on purpose')),
    () => ({ a: 2, z: 4 }),
    () => ({ a: 2, b: () => 1 }),
    () => ({ a: 2, b: Symbol('s') }),
  ];
  for (const change of wrong) {
    await assert.rejects(
      collection.updateMany(['a', 'b'], change),
      { name: 'TypeError', code: 'ERR_INVALID_RETURN_VALUE' },
      String(change),
    );
  }
  const circular = {};
  circular.self = circular;
  for (const value of [1n, circular]) {
    const failing = collection.updateMany(['a', 'b'], () => ({ a: 2, b: value }));
    await assert.rejects(failing, { name: 'TypeError', code: 'ERR_INVALID_ARG_VALUE' });
  }
  assert.deepEqual(await storage.readLogEntries('coins'), before);
  assert.deepEqual(Object.fromEntries(await collection.entries()), { a: 1, b: 2, z: 3 });
});

test('calls of one thread that nobody awaits take effect in their order', async (t) => {
  const { collection } = await openCollection(t, Storage);
  const results = await Promise.all([
    collection.setMany({ ann: 10, ben: 1 }),
    collection.updateMany(['ann', 'ben'], move(4)),
    collection.getMany(['ben', 'ann']),
    collection.update('ann', (coins) => coins + 100),
    collection
      .updateMany(['ann', 'ben'], () => {
        throw new RangeError('on purpose');
      })
      .catch(({ message }) => message),
    collection.updateMany(['ann', 'ben'], move(50)),
    collection.deleteMany(['ben', 'cid']),
    collection.updateMany(['ben', 'ann'], move(1)),
    collection.set('ann', 3),
    collection.getMany(['ann', 'ben']),
  ]);
  assert.deepEqual(results, [
    undefined,
    { ann: 6, ben: 5 },
    new Map([
      ['ben', 5],
      ['ann', 6],
    ]),
    106,
    'on purpose',
    { ann: 56, ben: 55 },
    1,
    { ann: 55, ben: 1 },
    undefined,
    new Map([
      ['ann', 3],
      ['ben', 1],
    ]),
  ]);
});

test('of two objects on one place, no reader sees half of a move and no coin is lost', async (t) => {
  const one = await openCollection(t, Storage);
  const two = await openCollection(t, Storage, 'coins', { dataDir: one.dataDir });
  await one.collection.setMany({ ann: 1000, ben: 0, cid: 0 });
  const names = ['ann', 'ben', 'cid'];
  const calls = [];
  for (let i = 0; i < 60; i++) {
    for (const [place, { collection }] of [one, two].entries()) {
      const [from, to] = [names[(i + place) % 3], names[(i + 1) % 3]];
      if (from === to) continue;
      calls.push(
        collection.updateMany([from, to], (values) => ({
          [from]: (values[from] ?? 0) - 5,
          [to]: (values[to] ?? 0) + 5,
        })),
      );
      const sum = (values) => [...values.values()].reduce((total, coins) => total + coins, 0);
      calls.push(collection.getMany(names).then((values) => assert.equal(sum(values), 1000)));
    }
    if (i % 12 === 0) await Promise.all(calls);
  }
  await Promise.all(calls);
  const values = Object.fromEntries(await two.collection.entries());
  assert.equal(values.ann + values.ben + values.cid, 1000);
  assert.deepEqual(Object.fromEntries(await one.collection.entries()), values);
});

test('a function refuses no values that the keys never had together', async (t) => {
  const one = await openCollection(t, Storage);
  const two = await openCollection(t, Storage, 'coins', { dataDir: one.dataDir });
  await one.collection.setMany({ ann: 100, ben: 0 });
  const check = ({ ann, ben }) => {
    if (ann + ben !== 100) throw new RangeError(`${ann} and ${ben}`);
  };
  const moves = [];
  for (let i = 0; i < 80; i++) {
    const { collection } = i % 2 ? one : two;
    moves.push(
      collection.updateMany(['ann', 'ben'], (values) => {
        check(values);
        return { ann: values.ann - 1, ben: values.ben + 1 };
      }),
    );
    if (i % 10 === 0) await Promise.all(moves);
  }
  await Promise.all(moves);
  assert.deepEqual(
    await one.collection.getMany(['ann', 'ben']),
    new Map([
      ['ann', 20],
      ['ben', 80],
    ]),
  );
});

test('many keys and large values', async (t) => {
  const { collection } = await openCollection(t, Storage);
  const keys = Array.from({ length: 3000 }, (_, number) => `k${number}`);
  const text = 'x'.repeat(1000);
  await collection.setMany(keys.map((key) => [key, { text, key }]));
  const found = await collection.getMany([...keys].reverse());
  assert.equal(found.size, keys.length);
  assert.deepEqual(found.keys().next().value, 'k2999');
  assert.deepEqual(found.get('k1234'), { text, key: 'k1234' });
  const result = await collection.updateMany(keys, (values) =>
    Object.fromEntries(
      keys.map((key, number) => [key, number % 3 ? { ...values[key], text: 'y' } : undefined]),
    ),
  );
  assert.equal(Object.keys(result).length, 2000);
  assert.equal(await collection.size(), 2000);
  assert.equal(await collection.deleteMany(keys), 2000);
  assert.equal(await collection.size(), 0);
});
