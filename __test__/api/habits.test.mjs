// ensure, increment, push and values of a collection: what each answers and writes, that they are atomic among all callers and keep
// their place among the calls of a thread, and what they refuse because of what is stored. `api/bad-arguments` has what
// they refuse because of what they are given.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Storage } from '../../index.js';
import { openCollection } from '../support/temp.mjs';

const entriesIn = async (storage) =>
  (await storage.readLogEntries('coins')).map(({ op, key, value }) => [op, key, value]);

test('ensure sets a value once, and gives what is there', async (t) => {
  const { collection, storage } = await openCollection(t, Storage);
  assert.deepEqual(await collection.ensure('a', { coins: 5 }), { coins: 5 });
  assert.deepEqual(await collection.ensure('a', { coins: 7 }), { coins: 5 });
  await collection.set('none', null);
  assert.equal(await collection.ensure('none', 1), null);
  await collection.delete('none');
  assert.equal(await collection.ensure('none', 0), 0);
  assert.equal(await collection.ensure('none', 1), 0);
  assert.deepEqual(await entriesIn(storage), [
    ['SET', 'a', { coins: 5 }],
    ['SET', 'none', null],
    ['DELETE', 'none', undefined],
    ['SET', 'none', 0],
  ]);
});

test('ensure gives a copy of what JSON holds of the value', async (t) => {
  const { collection } = await openCollection(t, Storage);
  const value = { list: [1], at: new Date(0), gone: undefined };
  const ensuring = collection.ensure('a', value);
  value.list.push(2);
  const given = await ensuring;
  const stored = { list: [1], at: '1970-01-01T00:00:00.000Z' };
  assert.deepEqual(given, stored);
  given.list.push(3);
  assert.deepEqual(await collection.ensure('a', 0), stored);
});

test('callers that ensure one key at once all get the value of one of them', async (t) => {
  const one = await openCollection(t, Storage);
  const two = await openCollection(t, Storage, 'coins', { dataDir: one.dataDir });
  const calls = Array.from({ length: 60 }, (_, n) => (n % 2 ? one : two).collection.ensure('a', { n }));
  const answers = await Promise.all(calls);
  assert.equal(new Set(answers.map(({ n }) => n)).size, 1);
  assert.deepEqual(await entriesIn(one.storage), [['SET', 'a', answers[0]]]);
});

test('increment counts from 0, by any finite number', async (t) => {
  const { collection } = await openCollection(t, Storage);
  assert.equal(await collection.increment('a', 'coins'), 1);
  assert.deepEqual(await collection.get('a'), { coins: 1 });
  assert.equal(await collection.increment('a', 'coins', 41), 42);
  assert.equal(await collection.increment('a', 'coins', -50), -8);
  assert.equal(await collection.increment('a', 'coins', undefined), -7);
  assert.equal(await collection.increment('a', 'share', 0.1), 0.1);
  assert.equal(await collection.increment('a', 'share', 0.2), 0.1 + 0.2);
  // JSON has no -0.
  assert.ok(Object.is(await collection.increment('a', 'zero', -0), 0));
  assert.deepEqual(await collection.get('a'), { coins: -7, share: 0.1 + 0.2, zero: 0 });
});

test('increment and push leave the other fields and the order of all', async (t) => {
  const { collection } = await openCollection(t, Storage);
  await collection.set('a', { name: 'Ann', coins: 1, list: ['x'], nested: { coins: 9 } });
  await collection.increment('a', 'coins');
  await collection.push('a', 'list', 'y');
  await collection.increment('a', 'wins');
  assert.equal(
    JSON.stringify(await collection.get('a')),
    '{"name":"Ann","coins":2,"list":["x","y"],"nested":{"coins":9},"wins":1}',
  );
});

test('push adds items to the end, and gives the length', async (t) => {
  const { collection } = await openCollection(t, Storage);
  assert.equal(await collection.push('a', 'items', 'sword'), 1);
  assert.equal(await collection.push('a', 'items', 'shield', { gold: 5 }, null, ['a', 'list']), 5);
  assert.deepEqual(await collection.get('a'), {
    items: ['sword', 'shield', { gold: 5 }, null, ['a', 'list']],
  });
  const item = { n: 1 };
  const pushing = collection.push('b', 'items', item);
  item.n = 2;
  await pushing;
  assert.deepEqual(await collection.get('b'), { items: [{ n: 1 }] });
});

test('push without items writes nothing, and gives the length', async (t) => {
  const { collection, storage } = await openCollection(t, Storage);
  assert.equal(await collection.push('a', 'items'), 0);
  assert.equal(await collection.has('a'), false);
  await collection.push('a', 'items', 1, 2);
  const before = await entriesIn(storage);
  assert.equal(await collection.push('a', 'items'), 2);
  assert.equal(await collection.push('a', 'others'), 0);
  assert.deepEqual(await entriesIn(storage), before);
});

test('names that objects have are fields like any other', async (t) => {
  const { collection } = await openCollection(t, Storage);
  for (const field of ['__proto__', 'constructor', 'toString', 'hasOwnProperty', '7', 'a.b', 'ключ']) {
    assert.equal(await collection.increment('numbers', field, 2), 2, field);
    assert.equal(await collection.increment('numbers', field, 2), 4, field);
    assert.equal(await collection.push('lists', field, field), 1, field);
  }
  const numbers = await collection.get('numbers');
  assert.deepEqual(Object.entries(numbers), [
    ['7', 4],
    ['__proto__', 4],
    ['constructor', 4],
    ['toString', 4],
    ['hasOwnProperty', 4],
    ['a.b', 4],
    ['ключ', 4],
  ]);
  assert.equal({}.coins, undefined);
  assert.deepEqual(await collection.ensure('__proto__', { coins: 1 }), { coins: 1 });
  assert.equal(await collection.increment('__proto__', 'coins'), 2);
  assert.equal({}.coins, undefined);
});

test('what another type is in the store is refused, named, and left', async (t) => {
  const { collection, storage } = await openCollection(t, Storage);
  const values = { number: 5, text: '5', list: [1], nothing: null, record: { n: '5', list: {}, no: null } };
  for (const [key, value] of Object.entries(values)) await collection.set(key, value);
  const before = await entriesIn(storage);
  const cases = [
    ...['number', 'text', 'list', 'nothing'].flatMap((key) => [
      [collection.increment(key, 'n'), key, 'n', /the value of the key is .*, not an object/],
      [collection.push(key, 'n', 1), key, 'n', /the value of the key is .*, not an object/],
      [collection.push(key, 'n'), key, 'n', /the value of the key is .*, not an object/],
    ]),
    [collection.increment('record', 'n'), 'record', 'n', /the field is a string, not a number/],
    [collection.increment('record', 'no'), 'record', 'no', /the field is null, not a number/],
    [collection.increment('record', 'list'), 'record', 'list', /the field is an object, not a number/],
    [collection.push('record', 'n', 1), 'record', 'n', /the field is a string, not an array/],
    [collection.push('record', 'list', 1), 'record', 'list', /the field is an object, not an array/],
  ];
  for (const [call, key, field, why] of cases) {
    await assert.rejects(call, (error) => {
      assert.ok(error instanceof TypeError);
      assert.equal(error.code, 'ERR_STORED_TYPE');
      assert.match(error.message, why);
      assert.ok(error.message.includes(`the field "${field}" of the key "${key}" in the collection 'coins'`));
      return true;
    });
  }
  assert.deepEqual(await entriesIn(storage), before);
  assert.deepEqual(Object.fromEntries(await collection.entries()), values);
});

test('names in messages show no control characters', async (t) => {
  const { collection } = await openCollection(t, Storage);
  await collection.set('a\u001b[2J', { 'b\u202e\n': 'text' });
  await assert.rejects(collection.increment('a\u001b[2J', 'b\u202e\n'), ({ message }) => {
    // biome-ignore lint/suspicious/noControlCharactersInRegex: none of them may be in a message
    assert.doesNotMatch(message, /[\u0000-\u001f\u202e]/);
    assert.match(message, /u001b/);
    return true;
  });
});

test('a sum that JSON cannot hold is refused', async (t) => {
  const { collection, storage } = await openCollection(t, Storage);
  await collection.increment('a', 'coins', Number.MAX_VALUE);
  const before = await entriesIn(storage);
  await assert.rejects(collection.increment('a', 'coins', Number.MAX_VALUE), {
    name: 'TypeError',
    code: 'ERR_INVALID_ARG_VALUE',
    message: /would take the field "coins" of the key "a" in the collection 'coins' from .* to Infinity/,
  });
  assert.deepEqual(await entriesIn(storage), before);
  assert.equal(await collection.increment('a', 'coins', -Number.MAX_VALUE), 0);
});

test('increments and pushes of two objects on one place all count', async (t) => {
  const one = await openCollection(t, Storage);
  const two = await openCollection(t, Storage, 'coins', { dataDir: one.dataDir });
  const counted = [];
  const pushed = [];
  for (let n = 0; n < 60; n++) {
    const { collection } = n % 2 ? one : two;
    counted.push(collection.increment('a', 'n'));
    pushed.push(collection.push('a', 'list', n));
    if (n % 20 === 0) await Promise.all([...counted, ...pushed]);
  }
  const upTo60 = Array.from({ length: 60 }, (_, n) => n + 1);
  const sorted = async (calls) => (await Promise.all(calls)).sort((a, b) => a - b);
  assert.deepEqual(await sorted(counted), upTo60);
  assert.deepEqual(await sorted(pushed), upTo60);
  const { n, list } = await two.collection.get('a');
  assert.equal(n, 60);
  assert.deepEqual(
    [...list].sort((a, b) => a - b),
    upTo60.map((each) => each - 1),
  );
});

test('calls that nobody awaits take effect in the order in which they were made', async (t) => {
  const { collection } = await openCollection(t, Storage);
  const answers = await Promise.all([
    collection.ensure('a', { n: 1 }),
    collection.increment('a', 'n', 10),
    collection.set('a', { n: 5 }),
    collection.increment('a', 'n'),
    collection.push('a', 'list', 'x', 'y'),
    collection.ensure('a', 0),
    collection.delete('a'),
    collection.increment('a', 'n'),
    collection.values(),
    collection.delete('a'),
    collection.ensure('a', 'again'),
    collection.get('a'),
  ]);
  assert.deepEqual(answers, [
    { n: 1 },
    11,
    undefined,
    6,
    2,
    { n: 6, list: ['x', 'y'] },
    true,
    1,
    [{ n: 1 }],
    true,
    'again',
    'again',
  ]);
});

test('one call that is refused among others, none awaited, fails alone', async (t) => {
  const { collection } = await openCollection(t, Storage);
  const results = await Promise.allSettled([
    collection.increment('a', 'n'),
    collection.push('a', 'n', 1),
    collection.increment('a', 'n'),
    collection.set('a', 'text'),
    collection.increment('a', 'n'),
    collection.set('a', { n: 7 }),
    collection.increment('a', 'n'),
  ]);
  assert.deepEqual(
    results.map((result) => result.value ?? result.reason?.code),
    [1, 'ERR_STORED_TYPE', 2, undefined, 'ERR_STORED_TYPE', undefined, 8],
  );
});

test('values are those of entries, in their order, as copies', async (t) => {
  const { collection } = await openCollection(t, Storage);
  assert.deepEqual(await collection.values(), []);
  for (const key of ['b', '7', 'a', '3']) await collection.set(key, { key });
  await collection.set('b', null);
  assert.deepEqual(await collection.values(), [{ key: '3' }, { key: '7' }, null, { key: 'a' }]);
  (await collection.values())[0].key = 'changed';
  assert.deepEqual((await collection.entries())[0], ['3', { key: '3' }]);
});

test('on a storage that is closed, all of them reject', async (t) => {
  const { collection, storage } = await openCollection(t, Storage);
  await storage.close();
  for (const call of [
    () => collection.ensure('a', 1),
    () => collection.increment('a', 'n'),
    () => collection.push('a', 'list', 1),
    () => collection.push('a', 'list'),
    () => collection.values(),
  ])
    await assert.rejects(call(), { code: 'ERR_STORAGE_CLOSED' });
});

test('close waits for them, and the next process has what they answered', async (t) => {
  const { collection, storage, dataDir } = await openCollection(t, Storage);
  const answers = Promise.all([
    collection.ensure('a', { n: 1 }),
    collection.increment('a', 'n'),
    collection.push('a', 'list', 'x'),
  ]);
  await storage.close();
  assert.deepEqual(await answers, [{ n: 1 }, 2, 1]);
  const again = await openCollection(t, Storage, 'coins', { dataDir });
  assert.deepEqual(await again.collection.entries(), [['a', { n: 2, list: ['x'] }]]);
});
