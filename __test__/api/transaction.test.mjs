// `storage.transaction()`: keys of several collections, read, changed and written in one step. `files/transaction` tests what
// a crash leaves of one, `processes/transfers` that a kill splits none.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Storage } from '../../index.js';
import { openStorage } from '../support/temp.mjs';

/** A shop: coins and items of one storage. */
async function openShop(t) {
  const { storage, dataDir } = await openStorage(t, Storage);
  const [coins, items] = [storage.collection('coins'), storage.collection('items')];
  return { storage, dataDir, coins, items };
}

const buy =
  (price, what) =>
  ([has = 0, bag = []]) => {
    if (has < price) throw new RangeError(`It costs ${price} coins`);
    return [has - price, [...bag, what]];
  };

test('a transaction changes several collections in one step', async (t) => {
  const { storage, coins, items } = await openShop(t);
  await coins.set('ann', 80);
  const places = [
    [coins, 'ann'],
    [items, 'ann'],
  ];
  assert.deepEqual(await storage.transaction(places, buy(50, 'sword')), [30, ['sword']]);
  assert.deepEqual([await coins.get('ann'), await items.get('ann')], [30, ['sword']]);
  await assert.rejects(storage.transaction(places, buy(50, 'shield')), {
    name: 'RangeError',
    message: 'It costs 50 coins',
  });
  assert.deepEqual([await coins.get('ann'), await items.get('ann')], [30, ['sword']]);
  assert.deepEqual(await storage.transaction(places, buy(30, 'cap')), [0, ['sword', 'cap']]);
});

test('values are in the order of the places, and a collection may be named', async (t) => {
  const { storage, coins, items } = await openShop(t);
  await coins.setMany({ a: 1, b: 2 });
  await items.set('a', { x: 'i' });
  let seen;
  const places = new Set([
    ['items', 'a'],
    [coins, 'b'],
    [items, 'none'],
    ['coins', 'a'],
    ['other', 'a'],
  ]);
  const made = await storage.transaction(places, (values) => {
    seen = structuredClone(values);
    return [{ x: 'j' }, null, undefined, 'one', [1]];
  });
  assert.deepEqual(seen, [{ x: 'i' }, 2, undefined, 1, undefined]);
  assert.deepEqual(made, [{ x: 'j' }, null, undefined, 'one', [1]]);
  assert.deepEqual(await coins.entries(), [
    ['a', 'one'],
    ['b', null],
  ]);
  assert.deepEqual(await items.entries(), [['a', { x: 'j' }]]);
  assert.deepEqual(await storage.collection('other').entries(), [['a', [1]]]);
});

test('undefined removes a key, and what is as it was is not written', async (t) => {
  const { storage, coins, items } = await openShop(t);
  await coins.setMany({ a: 1, b: 2 });
  await items.set('a', [1]);
  const entriesOf = async () => [
    await storage.readLogEntries('coins'),
    await storage.readLogEntries('items'),
  ];
  const before = await entriesOf();
  const places = [
    [coins, 'a'],
    [items, 'a'],
    [coins, 'none'],
  ];
  assert.deepEqual(await storage.transaction(places, (values) => values), [1, [1], undefined]);
  assert.deepEqual(await entriesOf(), before, 'no change is no entry');
  assert.deepEqual(await storage.transaction(places, ([, bag]) => [undefined, bag, undefined]), [
    undefined,
    [1],
    undefined,
  ]);
  assert.equal(await coins.has('a'), false);
  const [, items2] = await entriesOf();
  assert.deepEqual(items2, before[1], 'the other collection has no new entry');
  assert.deepEqual(await storage.rebuildStateFromLog('coins'), { b: 2 });
});

test('each collection has the change in its log, its history and its watchers', async (t) => {
  const { storage, coins, items } = await openShop(t);
  await coins.set('ann', 5);
  const heard = [];
  const stops = [coins, items].map((each) => each.watch('ann', ({ key, value }) => heard.push([key, value])));
  await coins.get('ann');
  await storage.transaction(
    [
      [coins, 'ann'],
      [items, 'ann'],
    ],
    () => [4, 'cap'],
  );
  const values = async (name) => (await storage.history(name, 'ann')).map(({ value }) => value);
  assert.deepEqual(await values('coins'), [5, 4]);
  assert.deepEqual(await values('items'), ['cap']);
  while (heard.length < 2) await new Promise((resolve) => setTimeout(resolve, 5));
  assert.deepEqual(
    heard.sort(([, a], [, b]) => String(a).localeCompare(b)),
    [
      ['ann', 4],
      ['ann', 'cap'],
    ],
  );
  for (const stop of stops) await stop();
});

test('an expiry is kept', async (t) => {
  const { storage, coins, items } = await openShop(t);
  const expiresAt = Date.now() + 3_600_000;
  await coins.set('ann', 5, { expiresAt });
  await storage.transaction(
    [
      [coins, 'ann'],
      [items, 'ann'],
    ],
    () => [4, 'cap'],
  );
  assert.equal(await coins.expiresAt('ann'), expiresAt);
  assert.equal(await items.expiresAt('ann'), null);
});

test('a key may have any name', async (t) => {
  const { storage, coins, items } = await openShop(t);
  const names = ['__proto__', 'constructor', '7', 'a"b\\\n', '\ud800'];
  const places = [coins, items].flatMap((each) => names.map((name) => [each, name]));
  const made = await storage.transaction(places, (values) => values.map((_, place) => place));
  assert.deepEqual(
    made,
    places.map((_, place) => place),
  );
  for (const [each, offset] of [
    [coins, 0],
    [items, names.length],
  ]) {
    for (const [place, name] of names.entries()) assert.equal(await each.get(name), offset + place);
  }
  assert.equal({}.polluted, undefined);
});

test('bad places are refused before anything is touched', async (t) => {
  const { storage, coins } = await openShop(t);
  const { storage: other } = await openStorage(t, Storage);
  const foreign = other.collection('coins');
  let calls = 0;
  const fn = (values) => {
    calls++;
    return values;
  };
  const wrong = [
    [undefined, 'ERR_INVALID_ARG_TYPE'],
    [null, 'ERR_INVALID_ARG_TYPE'],
    [5, 'ERR_INVALID_ARG_TYPE'],
    [{}, 'ERR_INVALID_ARG_TYPE'],
    [[], 'ERR_INVALID_ARG_VALUE'],
    [['coins'], 'ERR_INVALID_ARG_TYPE'],
    [[[coins]], 'ERR_INVALID_ARG_VALUE'],
    [[[coins, 'a', 1]], 'ERR_INVALID_ARG_VALUE'],
    [[[{}, 'a']], 'ERR_INVALID_ARG_TYPE'],
    [[[undefined, 'a']], 'ERR_INVALID_ARG_TYPE'],
    [[['../coins', 'a']], 'ERR_INVALID_ARG_VALUE'],
    [[['', 'a']], 'ERR_INVALID_ARG_VALUE'],
    [[[coins, 5]], 'ERR_INVALID_ARG_TYPE'],
    [[[coins, '']], 'ERR_INVALID_ARG_VALUE'],
    [[[foreign, 'a']], 'ERR_INVALID_ARG_VALUE'],
    [
      [
        [coins, 'a'],
        ['coins', 'a'],
      ],
      'ERR_INVALID_ARG_VALUE',
    ],
  ];
  for (const [places, code] of wrong) {
    await assert.rejects(
      storage.transaction(places, fn),
      { name: 'TypeError', code },
      JSON.stringify(places),
    );
  }
  for (const notOne of [undefined, null, 'fn', {}]) {
    const refused = storage.transaction([[coins, 'a']], notOne);
    await assert.rejects(refused, { name: 'TypeError', code: 'ERR_INVALID_ARG_TYPE' });
  }
  assert.equal(calls, 0);
});

test('a function must return an array of as many values', async (t) => {
  const { storage, coins, items } = await openShop(t);
  await coins.set('a', 1);
  const places = [
    [coins, 'a'],
    [items, 'a'],
  ];
  const wrong = [
    () => undefined,
    () => ({ 0: 1, 1: 2 }),
    () => 'ab',
    () => [1],
    () => [1, 2, 3],
    async () => [1, 2],
    () => Promise.reject(new Error('on purpose')),
    () => [2, () => 1],
    () => [2, Symbol('s')],
  ];
  for (const fn of wrong) {
    await assert.rejects(
      storage.transaction(places, fn),
      { name: 'TypeError', code: 'ERR_INVALID_RETURN_VALUE' },
      String(fn),
    );
  }
  await assert.rejects(
    storage.transaction(places, () => [2, 1n]),
    { name: 'TypeError', code: 'ERR_INVALID_ARG_VALUE' },
  );
  assert.deepEqual([await coins.entries(), await items.entries()], [[['a', 1]], []]);
});

test('calls of one thread that nobody awaits take effect in their order', async (t) => {
  const { storage, coins, items } = await openShop(t);
  const both = [
    [coins, 'ann'],
    [items, 'ann'],
  ];
  const results = await Promise.all([
    coins.set('ann', 100),
    storage.transaction(both, buy(30, 'cap')),
    coins.get('ann'),
    items.update('ann', (bag) => [...bag, 'gift']),
    coins.update('ann', (has) => has - 1),
    storage.transaction(both, buy(60, 'sword')),
    storage.transaction(both, buy(60, 'boat')).catch(({ message }) => message),
    coins.get('ann'),
    items.get('ann'),
    coins.delete('ann'),
    storage.transaction(both, ([has]) => [has, undefined]),
    items.size(),
  ]);
  assert.deepEqual(results, [
    undefined,
    [70, ['cap']],
    70,
    ['cap', 'gift'],
    69,
    [9, ['cap', 'gift', 'sword']],
    'It costs 60 coins',
    9,
    ['cap', 'gift', 'sword'],
    true,
    [undefined, undefined],
    0,
  ]);
});

test('transactions of several storages at once lose nothing', async (t) => {
  const { storage, dataDir, coins, items } = await openShop(t);
  const { storage: other } = await openStorage(t, Storage, { dataDir });
  await coins.set('ann', 1000);
  const buyOne = (from) =>
    from.transaction(
      [
        ['coins', 'ann'],
        ['items', 'ann'],
      ],
      ([has, bag = 0]) => [has - 1, bag + 1],
    );
  const all = [];
  for (let round = 0; round < 40; round++)
    all.push(
      buyOne(storage),
      buyOne(other),
      coins.update('ann', (n) => n),
    );
  await Promise.all(all);
  assert.deepEqual([await coins.get('ann'), await items.get('ann')], [920, 80]);
});

test('the schemas of the collections are kept', async (t) => {
  const { storage } = await openShop(t);
  const number = {
    '~standard': {
      version: 1,
      vendor: 'test',
      validate: (value) =>
        typeof value === 'number' ? { value: value + 0.5 } : { issues: [{ message: 'no number' }] },
    },
  };
  const coins = storage.collection('coins', { schema: number });
  const places = [
    [coins, 'ann'],
    ['items', 'ann'],
  ];
  assert.deepEqual(await storage.transaction(places, () => [1, 'cap']), [1.5, 'cap']);
  await assert.rejects(
    storage.transaction(places, () => ['1', 'hat']),
    { name: 'TypeError', code: 'ERR_VALIDATION' },
  );
  assert.deepEqual(await storage.transaction(places, () => [undefined, undefined]), [undefined, undefined]);
});

test('what was closed takes no transaction', async (t) => {
  const { storage, coins } = await openShop(t);
  await storage.close();
  await assert.rejects(
    storage.transaction([[coins, 'a']], (values) => values),
    { code: 'ERR_STORAGE_CLOSED' },
  );
  const { transaction } = Storage.prototype;
  await assert.rejects(async () => transaction.call({}, [[coins, 'a']], () => [1]), { name: 'TypeError' });
});
