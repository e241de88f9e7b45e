// Iteration over a collection: the order, what the options choose, that all of it is as of one moment, and its end: early,
// by an error, or because the storage is closed.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Storage } from '../../index.js';
import { collect, openCollection } from '../support/temp.mjs';

const keysOf = async (iterable) => (await collect(iterable)).map(([key]) => key);

// Array indices come first, ascending; the others as they were set.
const ORDER = ['2', '10', 'b1', 'a2', '01', 'a1', 'b2'];

async function someKeys(t) {
  const { storage, collection } = await openCollection(t, Storage);
  for (const key of ['b1', '10', 'gone', 'a2', '01', '2', 'a1', 'b2']) await collection.set(key, { of: key });
  await collection.delete('gone');
  // A key that is set again keeps its place.
  await collection.set('a2', { of: 'a2', again: true });
  return { storage, collection };
}

test('for await gives each key with its value, in the order of the collection', async (t) => {
  const { collection } = await someKeys(t);
  const found = [];
  for await (const [key, value] of collection) found.push([key, value]);
  assert.deepEqual(found, await collection.entries());
  assert.deepEqual(
    found.map(([key]) => key),
    ORDER,
  );
  assert.deepEqual(await collect(collection.iterate()), found);
  assert.deepEqual(await collect(collection.iterate({})), found);
  assert.deepEqual(await collect(collection.iterate({ prefix: undefined, limit: undefined })), found);
});

test('a collection without keys has no pairs', async (t) => {
  const { collection } = await openCollection(t, Storage);
  assert.deepEqual(await collect(collection), []);
  assert.deepEqual(await collect(collection.iterate({ reverse: true, prefix: 'a', limit: 3 })), []);
});

test('every choice of options gives what the same choice of the entries gives', async (t) => {
  const { collection } = await someKeys(t);
  const entries = await collection.entries();
  const choices = { prefix: ['', 'a', 'b', '1', 'x'], limit: [0, 1, 3, 100], after: ORDER };
  for (const reverse of [undefined, false, true]) {
    const inOrder = reverse ? [...entries].reverse() : entries;
    for (const after of [undefined, ...choices.after]) {
      const behind = inOrder.slice(inOrder.findIndex(([key]) => key === after) + 1);
      for (const prefix of [undefined, ...choices.prefix]) {
        const begun = behind.filter(([key]) => key.startsWith(prefix ?? ''));
        for (const limit of [undefined, ...choices.limit]) {
          const options = { reverse, after, prefix, limit };
          const found = await collect(collection.iterate(options));
          assert.deepEqual(found, begun.slice(0, limit), JSON.stringify(options));
        }
      }
    }
  }
});

test('pages: each goes on behind the last key of the one before', async (t) => {
  const { collection } = await someKeys(t);
  for (const reverse of [false, true]) {
    const found = [];
    let after;
    for (;;) {
      const page = await keysOf(collection.iterate({ after, limit: 2, reverse }));
      if (page.length === 0) break;
      found.push(...page);
      after = page.at(-1);
    }
    assert.deepEqual(found, reverse ? [...ORDER].reverse() : ORDER);
  }
});

test('a prefix compares as startsWith does, whatever the characters', async (t) => {
  const { collection } = await openCollection(t, Storage);
  const keys = [
    'a"b',
    'a\\b',
    'a\nb',
    'a%b',
    'a_b',
    'a',
    '\u{1f600}x',
    '\u{1f601}',
    '\ud83d',
    '\ud83dx',
    '\0',
    'é',
  ];
  for (const [index, key] of keys.entries()) await collection.set(key, index);
  for (const prefix of [
    'a',
    'a"',
    'a\\',
    'a\n',
    'a%',
    'a_',
    '\u{1f600}',
    '\ud83d',
    '\ud83e',
    '\0',
    '\\',
    '"',
    'e',
  ]) {
    const wanted = keys.filter((key) => key.startsWith(prefix));
    assert.deepEqual(await keysOf(collection.iterate({ prefix })), wanted, JSON.stringify(prefix));
    const [first] = wanted;
    assert.deepEqual(
      await keysOf(collection.iterate({ prefix, limit: 1 })),
      first === undefined ? [] : [first],
    );
  }
});

test('a key to go on behind that is not there is an error of the first next()', async (t) => {
  const { collection } = await someKeys(t);
  for (const options of [{ after: 'gone' }, { after: 'gone', reverse: true }, { after: '5', limit: 0 }]) {
    const iterator = collection.iterate(options);
    await assert.rejects(iterator.next(), (error) => {
      assert.ok(error instanceof TypeError);
      assert.equal(error.code, 'ERR_INVALID_ARG_VALUE');
      assert.match(error.message, options.after === '5' ? /"5"/ : /"gone"/);
      return true;
    });
    assert.deepEqual(await iterator.next(), { value: undefined, done: true });
  }
});

test('all of it is as of one moment, whatever is written meanwhile', async (t) => {
  const { storage, collection } = await openCollection(t, Storage);
  // More than one piece.
  const text = 'x'.repeat(2000);
  const before = Array.from({ length: 600 }, (_, i) => [`k${i}`, { i, text }]);
  await Promise.all(before.map(([key, value]) => collection.set(key, value)));
  for (const reverse of [false, true]) {
    const now = await collection.entries();
    const wanted = reverse ? now.reverse() : now;
    const found = [];
    for await (const pair of collection.iterate({ reverse })) {
      found.push(pair);
      if (found.length === 1) {
        await Promise.all([
          collection.set('new', 1),
          collection.delete('k500'),
          collection.delete('k10'),
          collection.set('k501', 'changed once'),
        ]);
        await collection.set('k501', 'changed twice');
        await collection.set('k10', 'removed, and there again');
        await storage.compactLog('coins');
        await collection.set('k502', 'changed behind a compaction');
      }
      if (found.length === 300) await collection.clear();
    }
    assert.deepEqual(found, wanted);
    await Promise.all(before.map(([key, value]) => collection.set(key, value)));
  }
});

test('it shows what was called before it, and not what is called behind its first next()', async (t) => {
  const { collection } = await openCollection(t, Storage);
  const written = collection.set('a', 1);
  const iterator = collection.iterate();
  const later = collection.set('b', 2);
  const first = iterator.next();
  const latest = collection.set('c', 3);
  assert.deepEqual((await first).value, ['a', 1]);
  await Promise.all([written, later, latest]);
  assert.deepEqual(
    (await collect(iterator)).map(([key]) => key),
    ['b'],
  );
});

test('values are parsed anew: changing one changes nothing stored', async (t) => {
  const { collection } = await someKeys(t);
  for await (const [, value] of collection) value.of = 'changed';
  assert.equal((await collection.get('a1')).of, 'a1');
});

test('a value that is larger than a piece, and one key among many', async (t) => {
  const { collection } = await openCollection(t, Storage);
  const large = 'y'.repeat(1_200_000);
  await Promise.all([
    collection.set('small', 1),
    collection.set('large', large),
    collection.set('last', null),
  ]);
  assert.deepEqual(await collect(collection), [
    ['small', 1],
    ['large', large],
    ['last', null],
  ]);
});

test('break and return() end it, also while a pair is waited for', async (t) => {
  const { collection } = await someKeys(t);
  const iterator = collection.iterate();
  for await (const [key] of iterator) if (key === '10') break;
  assert.deepEqual(await iterator.next(), { value: undefined, done: true });
  const other = collection.iterate();
  const waiting = other.next();
  assert.deepEqual(await other.return(), { value: undefined, done: true });
  assert.deepEqual(await waiting, { value: undefined, done: true });
  assert.deepEqual(await other.return(), { value: undefined, done: true });
});

test('calls of next() at once are answered in order', async (t) => {
  const { collection } = await someKeys(t);
  const iterator = collection.iterate();
  const answers = await Promise.all(Array.from({ length: ORDER.length + 2 }, () => iterator.next()));
  assert.deepEqual(
    answers.map(({ value }) => value?.[0]),
    [...ORDER, undefined, undefined],
  );
});

test('a storage that is closed ends it with the error of other calls', async (t) => {
  const { storage, collection } = await someKeys(t);
  const [begun, unbegun] = [collection.iterate(), collection.iterate()];
  await begun.next();
  await storage.close();
  for (const iterator of [begun, unbegun]) {
    await assert.rejects(iterator.next(), { code: 'ERR_STORAGE_CLOSED' });
    assert.deepEqual(await iterator.next(), { value: undefined, done: true });
  }
  assert.throws(() => collection.iterate(), { code: 'ERR_STORAGE_CLOSED' });
});

test('wrong options are refused at the call', async (t) => {
  const { collection } = await someKeys(t);
  const wrongTypes = [
    null,
    5,
    'a',
    [],
    () => {},
    { prefix: 5 },
    { prefix: null },
    { after: 7 },
    { reverse: 1 },
    { reverse: 'yes' },
    { limit: '5' },
    { limit: 5n },
  ];
  const wrongValues = [
    { limit: -1 },
    { limit: 1.5 },
    { limit: Number.NaN },
    { limit: Number.POSITIVE_INFINITY },
    { limit: -0 },
    { after: '' },
    { prefx: 'a' },
    { prefix: 'a', Limit: 3 },
  ];
  const refused = (code) => (options) =>
    assert.throws(
      () => collection.iterate(options),
      (error) => error instanceof TypeError && error.code === code,
      `${typeof options} ${Object.keys(options ?? {})}`,
    );
  wrongTypes.forEach(refused('ERR_INVALID_ARG_TYPE'));
  wrongValues.forEach(refused('ERR_INVALID_ARG_VALUE'));
  assert.throws(() => collection.iterate.call({}), TypeError);
});

test('several iterations at once do not disturb each other', async (t) => {
  const { collection } = await someKeys(t);
  const all = await Promise.all([
    keysOf(collection),
    keysOf(collection.iterate({ reverse: true })),
    keysOf(collection.iterate({ prefix: 'a' })),
  ]);
  assert.deepEqual(all, [ORDER, [...ORDER].reverse(), ['a2', 'a1']]);
});
