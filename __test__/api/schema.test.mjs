// collection(name, { schema }): every value that the collection object writes passes the schema, what the schema makes of it is
// stored, and what does not fit changes nothing. With a schema written by hand, and with those of zod, valibot and arktype.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type } from 'arktype';
import * as v from 'valibot';
import { z } from 'zod';
import { Storage } from '../../index.js';
import { watchUnhandled } from '../support/durability.mjs';
import { openStorage } from '../support/temp.mjs';

/** A schema by hand; `validate` gives what Standard Schema says. */
const schemaOf = (validate, version = 1) => ({ '~standard': { version, vendor: 'by hand', validate } });
const refusing = (...issues) => schemaOf(() => ({ issues }));
const passing = schemaOf((value) => ({ value }));

/** Wallets: `coins` is a number, 0 by default; `items` are texts; other fields are dropped. */
const wallet = schemaOf((value) => {
  if (typeof value !== 'object' || value === null) return { issues: [{ message: 'no wallet' }] };
  const { coins = 0, items = [] } = value;
  const issues = [];
  if (typeof coins !== 'number') issues.push({ message: 'no number', path: ['coins'] });
  if (coins < 0) issues.push({ message: 'in debt', path: [{ key: 'coins' }] });
  for (const [n, item] of items.entries())
    if (typeof item !== 'string') issues.push({ message: 'no text', path: ['items', n] });
  return issues.length > 0 ? { issues } : { value: { coins, items } };
});

async function openWallets(t, schema = wallet) {
  const { storage } = await openStorage(t, Storage);
  const wallets = storage.collection('wallets', { schema });
  const plain = storage.collection('wallets');
  const written = async () =>
    (await storage.readLogEntries('wallets')).map(({ op, key, value }) => [op, key, value]);
  return { storage, wallets, plain, written };
}

const invalid = (message) => ({ name: 'TypeError', code: 'ERR_VALIDATION', message });

test('what the schema makes of a value is stored, by each call that writes', async (t) => {
  const { wallets, written } = await openWallets(t);
  assert.equal(await wallets.set('a', { nonsense: 1 }), undefined);
  assert.deepEqual(await wallets.update('b', () => ({ coins: 5 })), { coins: 5, items: [] });
  assert.deepEqual(await wallets.ensure('c', {}), { coins: 0, items: [] });
  assert.equal(await wallets.increment('d', 'coins'), 1);
  assert.equal(await wallets.push('e', 'items', 'sword'), 1);
  await wallets.setMany(new Map([['f', { coins: 2, nonsense: 1 }]]));
  await wallets.setMany({ g: {} });
  const moved = await wallets.updateMany(['a', 'f', '__proto__'], () => ({
    a: undefined,
    f: { coins: 3 },
    ['__proto__']: {},
  }));
  assert.deepEqual(Object.entries(moved), [
    ['f', { coins: 3, items: [] }],
    ['__proto__', { coins: 0, items: [] }],
  ]);
  assert.deepEqual(Object.fromEntries((await wallets.entries()).slice(4)), {
    f: { coins: 3, items: [] },
    g: { coins: 0, items: [] },
    ['__proto__']: { coins: 0, items: [] },
  });
  assert.deepEqual((await written()).slice(0, 5), [
    ['SET', 'a', { coins: 0, items: [] }],
    ['SET', 'b', { coins: 5, items: [] }],
    ['SET', 'c', { coins: 0, items: [] }],
    ['SET', 'd', { coins: 1, items: [] }],
    ['SET', 'e', { coins: 0, items: ['sword'] }],
  ]);
});

test('a value that does not fit is refused by each call that writes, and changes nothing', async (t) => {
  const unhandled = watchUnhandled(t);
  const { wallets, written } = await openWallets(t);
  await wallets.set('a', { coins: 1 });
  const before = await written();
  const place = /^The value for the key "a" in the collection 'wallets' does not fit its schema: /;
  for (const call of [
    () => wallets.set('a', { coins: '5' }),
    () => wallets.update('a', (value) => ({ ...value, coins: '5' })),
    () => wallets.ensure('a', { coins: '5' }),
    () => wallets.increment('a', 'coins', -2),
    () => wallets.push('a', 'items', 'sword', 5),
    () => wallets.increment('a', 'dropped'),
    () => wallets.push('a', 'dropped', 'x'),
    () => wallets.setMany({ b: {}, a: { coins: '5' } }),
    () => wallets.updateMany(['b', 'a'], () => ({ b: {}, a: { coins: '5' } })),
  ]) {
    const promise = call();
    assert.equal(typeof promise?.then, 'function');
    await assert.rejects(promise, invalid(place));
  }
  assert.deepEqual(await written(), before);
  assert.deepEqual(await wallets.values(), [{ coins: 1, items: [] }]);
  assert.deepEqual(await unhandled(), []);
});

test('the error has all issues with their paths, and names the first of them', async (t) => {
  const { wallets } = await openWallets(t);
  const error = await wallets.set('a b', { coins: 'x', items: [1, 'ok', 2] }).catch((reason) => reason);
  assert.equal(
    error.message,
    `The value for the key "a b" in the collection 'wallets' does not fit its schema: coins: no number; items[0]: no text; items[2]: no text`,
  );
  assert.deepEqual(error.issues, [
    { path: ['coins'], message: 'no number' },
    { path: ['items', 0], message: 'no text' },
    { path: ['items', 2], message: 'no text' },
  ]);
  // A step of a path may be an object, and an issue without a path is about the value itself.
  await assert.rejects(wallets.increment('a', 'coins', -1), invalid(/: coins: in debt$/));
  await assert.rejects(wallets.set('a', 5), invalid(/ its schema: no wallet$/));
  await assert.rejects(wallets.increment('a', 'xp'), {
    message: /: xp: the schema leaves no value there that is a number$/,
    issues: [{ path: ['xp'], message: 'the schema leaves no value there that is a number' }],
  });
});

test('messages are escaped and bounded, whatever keys and issues are', async (t) => {
  const nasty = '\u001b[2J\n\u202e\ud800';
  const issues = Array.from({ length: 40 }, (_, n) => ({
    message: `${nasty}${'x'.repeat(5000)}`,
    path: [nasty, n, Symbol('s'), 'not a name'],
  }));
  const { wallets } = await openWallets(t, refusing(...issues));
  const error = await wallets.set(nasty, 1).catch((reason) => reason);
  assert.equal(error.code, 'ERR_VALIDATION');
  // biome-ignore lint/suspicious/noControlCharactersInRegex: none of them may be in a message
  assert.doesNotMatch(error.message, /[\u0000-\u001f\u202e]|\p{Cs}/u);
  assert.match(error.message, /\[0\].*\["not a name"\]: .*; and 35 more$/);
  assert.ok(error.message.length < 4000, `${error.message.length} characters`);
  assert.equal(error.issues.length, 40);
  assert.deepEqual(error.issues[1].path, [nasty, 1, 'Symbol(s)', 'not a name']);
  const wordless = (await openWallets(t, refusing({}))).wallets;
  await assert.rejects(wordless.set('a', 1), invalid(/does not fit its schema: undefined$/));
});

test('an asynchronous check is refused, also one that rejects', async (t) => {
  const unhandled = watchUnhandled(t);
  for (const validate of [
    async (value) => ({ value }),
    async () => Promise.reject(new Error('on purpose')),
    // biome-ignore lint/suspicious/noThenProperty: any object with `then` is a promise
    (value) => ({ then: (resolve) => resolve({ value }) }),
  ]) {
    const { wallets, written } = await openWallets(t, schemaOf(validate));
    const refused = { name: 'TypeError', code: 'ERR_INVALID_RETURN_VALUE', message: /asynchronous/ };
    await assert.rejects(wallets.set('a', 1), refused);
    await assert.rejects(
      wallets.update('a', () => 1),
      refused,
    );
    await assert.rejects(wallets.ensure('a', 1), refused);
    await assert.rejects(wallets.increment('a', 'n'), refused);
    await assert.rejects(wallets.push('a', 'list', 1), refused);
    await assert.rejects(wallets.setMany({ a: 1 }), refused);
    await assert.rejects(
      wallets.updateMany(['a'], () => ({ a: 1 })),
      refused,
    );
    assert.deepEqual(await written(), []);
  }
  assert.deepEqual(await unhandled(), []);
});

test('a schema that throws rejects the call with its own error', async (t) => {
  const problem = new RangeError('on purpose');
  const { wallets } = await openWallets(
    t,
    schemaOf(() => {
      throw problem;
    }),
  );
  for (const call of [
    () => wallets.set('a', 1),
    () => wallets.update('a', () => 1),
    () => wallets.ensure('a', 1),
  ])
    await assert.rejects(call(), (error) => error === problem);
});

test('what a schema answers must be an object of Standard Schema, with a value for JSON', async (t) => {
  for (const answer of [undefined, null, true, 'text', { value: undefined }, { value: () => {} }, {}]) {
    const { wallets, written } = await openWallets(
      t,
      schemaOf(() => answer),
    );
    await assert.rejects(wallets.set('a', 1), { name: 'TypeError', code: 'ERR_INVALID_RETURN_VALUE' });
    await assert.rejects(
      wallets.update('a', () => 1),
      { name: 'TypeError', code: 'ERR_INVALID_RETURN_VALUE' },
    );
    assert.deepEqual(await written(), []);
  }
  const { wallets } = await openWallets(
    t,
    schemaOf(() => ({ value: 1n })),
  );
  await assert.rejects(wallets.set('a', 1), { name: 'TypeError', code: 'ERR_INVALID_ARG_VALUE' });
  await assert.rejects(wallets.ensure('a', 1), { name: 'TypeError', code: 'ERR_INVALID_ARG_VALUE' });
});

test('what is no value is refused as without a schema, which does not see it', async (t) => {
  const seen = [];
  const schema = schemaOf((value) => {
    seen.push(value);
    return { value: 'a default' };
  });
  const { wallets, written } = await openWallets(t, schema);
  for (const value of [undefined, () => {}, Symbol('s')]) {
    const wrongType = { name: 'TypeError', code: 'ERR_INVALID_ARG_TYPE' };
    await assert.rejects(wallets.set('a', value), wrongType);
    await assert.rejects(wallets.ensure('a', value), wrongType);
    await assert.rejects(
      wallets.update('a', () => value),
      { name: 'TypeError', code: 'ERR_INVALID_RETURN_VALUE' },
    );
    await assert.rejects(wallets.setMany({ a: value }), wrongType);
    // Undefined removes a key there.
    if (value === undefined) await wallets.updateMany(['a'], () => ({ a: value }));
    else
      await assert.rejects(
        wallets.updateMany(['a'], () => ({ a: value })),
        TypeError,
      );
  }
  for (const changes of [undefined, null, 5, [1], new Map(), Promise.resolve({})]) {
    await assert.rejects(
      wallets.updateMany(['a'], () => changes),
      { name: 'TypeError', code: 'ERR_INVALID_RETURN_VALUE' },
    );
  }
  for (const entries of [undefined, null, 5, 'text', [1], new Map([[5, 1]])])
    await assert.rejects(wallets.setMany(entries), { name: 'TypeError', code: 'ERR_INVALID_ARG_TYPE' });
  await assert.rejects(
    wallets.update('a', async () => 1),
    { name: 'TypeError', code: 'ERR_INVALID_RETURN_VALUE' },
  );
  for (const key of [undefined, 5, Symbol('s')])
    await assert.rejects(wallets.set(key, 1), { name: 'TypeError', code: 'ERR_INVALID_ARG_TYPE' });
  await assert.rejects(wallets.update('a', 5), { name: 'TypeError', code: 'ERR_INVALID_ARG_TYPE' });
  assert.deepEqual(seen, []);
  assert.deepEqual(await written(), []);
});

test('reading checks nothing, and other objects of the collection have no schema', async (t) => {
  const { storage, wallets, plain } = await openWallets(t);
  await plain.set('old', 'from before');
  assert.equal(await wallets.get('old'), 'from before');
  assert.deepEqual(await wallets.entries(), [['old', 'from before']]);
  assert.equal(await wallets.ensure('old', {}), 'from before');
  assert.equal(await wallets.delete('old'), true);
  await storage.collection('wallets', {}).set('b', 'no schema');
  await storage.collection('wallets', { schema: undefined }).set('c', 'no schema');
  assert.deepEqual(await wallets.values(), ['no schema', 'no schema']);
  await wallets.clear();
});

test('updates check each result, and all of two objects on one place count', async (t) => {
  const { storage, dataDir } = await openStorage(t, Storage);
  const one = storage.collection('wallets', { schema: wallet });
  const two = (await openStorage(t, Storage, { dataDir })).storage.collection('wallets', { schema: wallet });
  const calls = Array.from({ length: 40 }, (_, n) =>
    (n % 2 ? one : two).update('a', (value) => ({ coins: (value?.coins ?? 0) + 1 })),
  );
  await Promise.all(calls);
  // From 40 coins, exactly 40 can be spent.
  const spent = await Promise.allSettled(
    Array.from({ length: 60 }, (_, n) => (n % 2 ? one : two).increment('a', 'coins', -1)),
  );
  assert.equal(spent.filter(({ status }) => status === 'fulfilled').length, 40);
  assert.equal(spent.filter(({ reason }) => reason?.code === 'ERR_VALIDATION').length, 20);
  assert.deepEqual(await one.get('a'), { coins: 0, items: [] });
});

test('the schema sees what the caller gave, and its answer is copied at once', async (t) => {
  const { wallets } = await openWallets(t, passing);
  const value = { list: [1] };
  const calls = [wallets.set('a', value), wallets.ensure('b', value)];
  value.list.push(2);
  await Promise.all(calls);
  assert.deepEqual(await wallets.values(), [{ list: [1] }, { list: [1] }]);
});

test('the option is a schema of version 1, and there is no other option', async (t) => {
  const { storage } = await openStorage(t, Storage);
  const refused = (options, code, message) =>
    assert.throws(() => storage.collection('a', options), { name: 'TypeError', code, message });
  for (const options of [null, 5, 'schema', [], () => {}])
    refused(options, 'ERR_INVALID_ARG_TYPE', /'options' must be an object/);
  for (const schema of [null, 5, 'text', {}, [], () => {}, { '~standard': {} }, { '~standard': null }])
    refused({ schema }, 'ERR_INVALID_ARG_TYPE', /'schema' must be a schema/);
  refused({ schema: schemaOf(() => {}, 2) }, 'ERR_INVALID_ARG_VALUE', /version/);
  refused({ shema: passing }, 'ERR_INVALID_ARG_VALUE', /no option "shema"; it has schema/);
  Object.defineProperty(Object.prototype, 'schema', { value: 5, configurable: true });
  try {
    storage.collection('a', {});
  } finally {
    delete Object.prototype.schema;
  }
});

// The same guild for each library: `games` is a number and 0 by default, `name` a text that is trimmed.
const LIBRARIES = {
  zod: {
    schema: z.object({
      games: z.number().default(0),
      name: z.string().trim(),
      tags: z.array(z.string()).optional(),
    }),
    later: z.object({ name: z.string().refine(async () => true) }),
  },
  valibot: {
    schema: v.object({
      games: v.optional(v.number(), 0),
      name: v.pipe(v.string(), v.trim()),
      tags: v.optional(v.array(v.string())),
    }),
    later: v.pipeAsync(
      v.object({ name: v.string() }),
      v.checkAsync(async () => true),
    ),
  },
  arktype: {
    schema: type({ games: 'number = 0', name: 'string.trim', 'tags?': 'string[]' }),
  },
};

for (const [library, { schema, later }] of Object.entries(LIBRARIES)) {
  test(`a schema of ${library}`, async (t) => {
    const { wallets: guilds, written } = await openWallets(t, schema);
    await guilds.set('a', { name: ' Ann ' });
    assert.deepEqual(await guilds.get('a'), { games: 0, name: 'Ann' });
    assert.equal(await guilds.increment('a', 'games', 2), 2);
    assert.equal(await guilds.push('a', 'tags', 'new'), 1);
    assert.deepEqual(await guilds.update('a', (guild) => ({ ...guild, name: 'Ben ' })), {
      games: 2,
      name: 'Ben',
      tags: ['new'],
    });
    const before = await written();
    for (const [call, path] of [
      [() => guilds.set('a', { name: 5 }), ['name']],
      [() => guilds.set('a', 'text'), []],
      [() => guilds.push('a', 'tags', 5), ['tags', 1]],
      // A new record has no name.
      [() => guilds.increment('b', 'games'), ['name']],
    ]) {
      const error = await call().catch((reason) => reason);
      assert.equal(error.code, 'ERR_VALIDATION', error.stack);
      assert.deepEqual(error.issues[0].path, path);
      assert.ok(error.issues[0].message.length > 3);
    }
    assert.deepEqual(await written(), before);
    if (!later) return;
    const waiting = (await openWallets(t, later)).wallets;
    await assert.rejects(waiting.set('a', { name: 'Ann' }), { code: 'ERR_INVALID_RETURN_VALUE' });
  });
}
