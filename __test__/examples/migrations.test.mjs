// The recipes that bring data from quick.db and lowdb: every value arrives, a second run changes nothing, what the bot has
// changed since stays and is named, and what cannot be brought is refused before anything is written.

import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { bringOver, inWords } from '../../examples/recipes/bring-over.mjs';
import { collectionsOf, fromLowdb } from '../../examples/recipes/from-lowdb.mjs';
import { fromQuickDb, openSqlite, readQuickDb } from '../../examples/recipes/from-quick-db.mjs';
import { Storage } from '../../index.js';
import { isOnServer, optionsAt } from '../support/place.mjs';
import { hasSqlite, RECIPES, startShard } from '../support/recipes.mjs';
import { openCollection, openStorage, runScript, temporaryFolder, waitUntil } from '../support/temp.mjs';

const noSqlite = hasSqlite ? false : 'this runtime has no node:sqlite';
const VALUES = {
  42: { coins: 5, items: ['a', { b: null }], ключ: '日本 😀' },
  list: [1, 2.5, -0, 1e300],
  text: 'a "quoted" text\n\u0000\u2028',
  nothing: null,
  no: false,
  constructor: 1,
  'with.dots': { deep: { deeper: [[]] } },
};
const entriesOf = (values) => [...Object.entries(values), ['__proto__', { isHostile: true }]];
const asJson = (value) => JSON.parse(JSON.stringify(value));

/** A database as quick.db 9 makes it: tables of two columns. */
async function quickDb(folder, tables) {
  const file = path.join(folder, 'json.sqlite');
  const database = await openSqlite(file, { mayWrite: true });
  for (const [table, rows] of Object.entries(tables)) {
    database.exec(`CREATE TABLE "${table}" (ID TEXT PRIMARY KEY, json TEXT)`);
    const insert = database.prepare(`INSERT INTO "${table}" VALUES (?, ?)`);
    for (const row of rows) insert.run(...row);
  }
  database.close();
  return file;
}

const rowsOf = (values) => entriesOf(values).map(([key, value]) => [key, JSON.stringify(value)]);

test('every value arrives, and a second run finds them the same', async (t) => {
  const { collection } = await openCollection(t, Storage);
  const entries = entriesOf(VALUES);
  const nothing = { written: 0, same: 0, kept: [], overwritten: [] };
  const first = await bringOver(collection, entries);
  assert.deepEqual(first, { ...nothing, total: entries.length, written: entries.length });
  for (const [key, value] of entries) assert.deepEqual(await collection.get(key), asJson(value), key);
  assert.deepEqual(await bringOver(collection, entries), {
    ...nothing,
    total: entries.length,
    same: entries.length,
  });
  assert.deepEqual(await bringOver(collection, []), { ...nothing, total: 0 });
});

test('what was changed since stays and is named, or is overwritten and named', async (t) => {
  const { collection } = await openCollection(t, Storage);
  const entries = [
    ['ann', { coins: 1 }],
    ['__proto__', 2],
    ['gone', 3],
    ['same', 4],
  ];
  await bringOver(collection, entries);
  await collection.increment('ann', 'coins', 5);
  await collection.set('__proto__', 'changed');
  await collection.delete('gone');
  await collection.set('new', 1);
  const again = await bringOver(collection, entries);
  assert.deepEqual(again, { total: 4, written: 1, same: 1, kept: ['ann', '__proto__'], overwritten: [] });
  assert.deepEqual(await collection.get('ann'), { coins: 6 });
  assert.equal(
    inWords('x', again),
    'x: of 4, 1 written, 1 the same already, 2 changed since, which stay as they are here: "ann", "__proto__"',
  );
  const forced = await bringOver(collection, entries, { overwrite: true });
  assert.deepEqual(forced, { total: 4, written: 0, same: 2, kept: [], overwritten: ['ann', '__proto__'] });
  assert.deepEqual(await collection.get('ann'), { coins: 1 });
  assert.match(inWords('x', forced), /2 overwritten: "ann", "__proto__"$/);
  assert.equal(await collection.get('new'), 1, 'what only the store has stays');
});

test('more keys than one step takes', async (t) => {
  const { collection } = await openCollection(t, Storage);
  const entries = Array.from({ length: 1203 }, (_, i) => [`k${i}`, { i }]);
  await bringOver(collection, entries.slice(0, 700));
  const { written, same } = await bringOver(collection, entries);
  assert.deepEqual([written, same], [503, 700]);
  assert.deepEqual(new Map(await collection.entries()), new Map(entries));
});

test('a value that did not arrive is found', async (t) => {
  const { collection } = await openCollection(t, Storage);
  // Somebody else changes what was just brought.
  const losing = {
    getMany: (keys) => collection.getMany(keys),
    updateMany: (keys, fn) => collection.updateMany(keys, (values) => ({ ...fn(values), b: { n: 3 } })),
  };
  await assert.rejects(
    bringOver(losing, Object.entries({ a: 1, b: { n: 2 } })),
    /The key "b" is not what it should be/,
  );
});

test('keys are shown as text that no terminal obeys', () => {
  const report = {
    total: 1,
    written: 0,
    same: 0,
    kept: ['\u001b]0;x\u0007\u009b2J\u202e\n'],
    overwritten: [],
  };
  assert.doesNotMatch(inWords('x', report), /[\p{Cc}\p{Bidi_Control}]/u);
  const many = { ...report, kept: Array.from({ length: 25 }, (_, i) => `${i}`) };
  assert.match(inWords('x', many), /25 changed since.*"19", …$/);
});

test('quick.db: every row of a table', { skip: noSqlite }, async (t) => {
  const folder = await temporaryFolder(t);
  const file = await quickDb(folder, {
    json: rowsOf(VALUES),
    money: [['ann', '7']],
  });
  const { storage } = await openStorage(t, Storage);
  const report = await fromQuickDb(storage, file);
  assert.equal(report.written, entriesOf(VALUES).length);
  for (const [key, value] of entriesOf(VALUES))
    assert.deepEqual(await storage.collection('json').get(key), asJson(value), key);
  assert.equal((await fromQuickDb(storage, file)).same, entriesOf(VALUES).length);
  assert.equal((await fromQuickDb(storage, file, { table: 'money' })).written, 1);
  assert.equal(await storage.collection('money').get('ann'), 7);
  await storage.collection('money').set('ann', 8);
  assert.deepEqual((await fromQuickDb(storage, file, { table: 'money' })).kept, ['ann']);
  assert.deepEqual((await fromQuickDb(storage, file, { table: 'money', overwrite: true })).overwritten, [
    'ann',
  ]);
});

test('quick.db: what is no such database is refused, and nothing is written', {
  skip: noSqlite,
}, async (t) => {
  const { storage } = await openStorage(t, Storage);
  const collection = storage.collection('json');
  const file = async (rows) => quickDb(await temporaryFolder(t), { json: rows });
  await assert.rejects(fromQuickDb(storage, path.join(await temporaryFolder(t), 'none.sqlite')));
  await assert.rejects(fromQuickDb(storage, await file([]), { table: 'x" UNION SELECT' }));
  await assert.rejects(
    fromQuickDb(
      storage,
      await file([
        ['a', '1'],
        ['b\u009b', '{'],
      ]),
    ),
    /The row "b\\u009b" has no JSON/,
  );
  await assert.rejects(
    fromQuickDb(
      storage,
      await file([
        ['a', '1'],
        ['', '2'],
      ]),
    ),
    /no empty key/,
  );
  assert.equal(await collection.size(), 0);
  assert.deepEqual(await readQuickDb(await file([])), []);
});

test('lowdb: lists by id, objects by property, the rest in a collection of its own', async (t) => {
  const folder = await temporaryFolder(t);
  const file = path.join(folder, 'db.json');
  const users = [
    { id: 'ann', coins: 1 },
    { id: 7, coins: 2 },
    { id: '__proto__', coins: 3 },
  ];
  const data = {
    users,
    settings: JSON.parse('{"prefix":"!","__proto__":[1]}'),
    visits: 3,
    motd: null,
    empty: [],
  };
  const text = JSON.stringify(data);
  await writeFile(file, text);
  const { storage } = await openStorage(t, Storage);
  const reports = await fromLowdb(storage, file);
  assert.deepEqual(
    [...reports].map(([name, { total, written }]) => [name, total, written]),
    [
      ['users', 3, 3],
      ['settings', 2, 2],
      ['empty', 0, 0],
      ['lowdb', 2, 2],
    ],
  );
  for (const user of users) assert.deepEqual(await storage.collection('users').get(String(user.id)), user);
  assert.deepEqual(await storage.collection('settings').get('__proto__'), [1]);
  assert.deepEqual(
    new Map(await storage.collection('lowdb').entries()),
    new Map([
      ['visits', 3],
      ['motd', null],
    ]),
  );
  await storage.collection('users').increment('ann', 'coins', 9);
  const again = await fromLowdb(storage, file);
  assert.deepEqual(again.get('users'), { total: 3, written: 0, same: 2, kept: ['ann'], overwritten: [] });
  assert.equal(await readFile(file, 'utf8'), text, 'the file is only read');
});

test('lowdb: what cannot be brought is refused, and nothing is written', async (t) => {
  const folder = await temporaryFolder(t);
  const { storage } = await openStorage(t, Storage);
  for (const [data, problem] of [
    ['[]', /no object at its top/],
    ['null', /no object at its top/],
    ['{', SyntaxError],
    ['{"ok":{"a":1},"users":[{"id":"a"},{"name":"x"}]}', /users\[1\] has no 'id'/],
    ['{"ok":{"a":1},"users":[{"id":""}]}', /users\[0\] has no 'id'/],
    ['{"ok":{"a":1},"users":[null]}', /users\[0\] has no 'id'/],
    ['{"ok":{"a":1},"users":[{"id":"1"},{"id":1}]}', /users has 1 twice/],
    ['{"ok":{"a":1},"../out":{"a":1}}', TypeError],
    ['{"ok":{"a":1},"lowdb":{"a":1},"visits":1}', /Rename 'lowdb'/],
  ]) {
    const file = path.join(folder, 'db.json');
    await writeFile(file, data);
    await assert.rejects(fromLowdb(storage, file), problem, data);
  }
  assert.equal(await storage.collection('ok').size(), 0);
  const byName = collectionsOf({ users: [{ name: 'ann' }] }, 'name');
  assert.deepEqual([...byName], [['users', [['ann', { name: 'ann' }]]]]);
});

test('two processes at once, one of which is killed, bring each key once', async (t) => {
  const { storage, dataDir } = await openStorage(t, Storage);
  const file = path.join(await temporaryFolder(t), 'db.json');
  const words = Object.fromEntries(Array.from({ length: 3000 }, (_, i) => [`k${i}`, { i }]));
  await writeFile(file, JSON.stringify({ words }));
  const options = optionsAt(dataDir);
  const [victim, other] = await Promise.all([1, 2].map(() => startShard(t, 'from-lowdb', options)));
  const killed = victim.call('fromLowdb', file);
  const bringing = other.call('fromLowdb', file);
  await waitUntil(async () => (await storage.collection('words').size()) > 0, { what: 'the first step' });
  await victim.kill();
  await killed;
  assert.equal((await bringing).error, undefined);
  const report = (await fromLowdb(storage, file)).get('words');
  assert.deepEqual([report.same, report.kept], [3000, []]);
  const lines = await storage.history('words', 'k2999');
  assert.equal(lines.length, 1, 'it was written once');
  assert.equal(await other.end(), 0);
});

test('as programs, with a file and a folder', { skip: isOnServer && 'they take a folder' }, async (t) => {
  const folder = await temporaryFolder(t);
  await writeFile(path.join(folder, 'db.json'), '{"users":[{"id":"42","coins":5}]}');
  const run = (name, ...args) => runScript(t, { file: path.join(RECIPES, name), args, cwd: folder });
  for (const told of [
    'users: of 1, 1 written, 0 the same already',
    'users: of 1, 0 written, 1 the same already',
  ]) {
    const { code, stdout, stderr } = await run('from-lowdb.mjs', 'db.json', 'data');
    assert.equal(code, 0, stderr);
    assert.equal(stdout.trimEnd(), told);
  }
  if (hasSqlite) {
    await quickDb(folder, { money: [['ann', '7']] });
    const { code, stdout, stderr } = await run('from-quick-db.mjs', 'json.sqlite', 'data', 'money');
    assert.equal(code, 0, stderr);
    assert.equal(stdout.trimEnd(), 'money: of 1, 1 written, 0 the same already');
  }
  const { storage } = await openStorage(t, Storage, { dataDir: path.join(folder, 'data') });
  assert.deepEqual(await storage.collection('users').get('42'), { id: '42', coins: 5 });
  if (hasSqlite) assert.equal(await storage.collection('money').get('ann'), 7);
});
