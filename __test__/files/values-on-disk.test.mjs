// `cacheBytes`: values that are not in memory are read from the log. Every call answers the same however many are; what the log
// does not have where it should is noticed; and memory does not grow with the values. The random calls of `files/model` run
// with it, too, and the simulations in Rust with none, few and all values in memory.

import assert from 'node:assert/strict';
import { open, readFile, truncate } from 'node:fs/promises';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Storage } from '../../index.js';
import { atEnd, logPath, runScript, temporaryFolder, waitUntil } from '../support/temp.mjs';

const CHOICES = [0, 3000, 'all'];
const onWindows = process.platform === 'win32' && 'all values are in memory there';

function opened(t, dataDir, options) {
  const storage = new Storage({ dataDir, fsync: 'never', ...options });
  atEnd(t, () => storage.close());
  return storage;
}

const value = (n) => ({ n, score: (n * 37) % 101, text: `${'é'.repeat(n % 50)}${n}` });

async function answersOf(storage) {
  const guilds = storage.collection('guilds');
  const iterated = [];
  for await (const [key] of guilds.iterate({ prefix: 'g1', limit: 7 })) iterated.push(key);
  return {
    entries: await guilds.entries(),
    keys: await guilds.keys(),
    values: await guilds.values(),
    size: await guilds.size(),
    one: await guilds.get('g17'),
    none: await guilds.get('nobody'),
    has: [await guilds.has('g3'), await guilds.has('g100')],
    many: [...(await guilds.getMany(['g5', 'g250', 'nobody', 'g6']))],
    top: await guilds.top('score', 5),
    rank: await guilds.rank('g17', 'score'),
    other: await guilds.top('n', 3),
    rebuilt: Object.keys(await storage.rebuildStateFromLog('guilds')).length,
    history: (await storage.history('guilds', 'g7')).map((entry) => entry.value),
    iterated,
    players: await storage.loadPlayers(),
    leaders: (await storage.getLeaderboard('totalScore', 2)).map(({ userId }) => userId),
  };
}

/** All that a storage answers along a life, with the times taken out. */
async function lifeOf(t, cacheBytes) {
  const dataDir = await temporaryFolder(t);
  const answers = [];
  let storage = opened(t, dataDir, { cacheBytes });
  const note = async () => {
    const text = JSON.stringify(await answersOf(storage));
    answers.push(text.replaceAll(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, 'TIME'));
  };
  let guilds = storage.collection('guilds');
  for (let n = 0; n < 300; n++) await guilds.set(`g${n}`, value(n));
  for (let n = 0; n < 5; n++) await storage.updatePlayerStats(`player${n}`, 'name', n);
  await note();
  await guilds.update('g17', (before) => ({ ...before, score: before.score + 1000 }));
  await guilds.updateMany(['g1', 'g2'], ({ g1, g2 }) => ({ g1: g2, g2: g1 }));
  await guilds.increment('g9', 'n', 5);
  await guilds.delete('g3');
  await guilds.deleteMany(['g100', 'g101']);
  await storage.transaction(
    [
      ['guilds', 'g20'],
      ['coins', 'g20'],
    ],
    ([guild]) => [{ ...guild, n: -1 }, guild.n],
  );
  await note();
  await storage.compactLog('guilds');
  await guilds.set('g4', 'after');
  await note();
  await storage.close();
  storage = opened(t, dataDir, { cacheBytes });
  await note();
  guilds = storage.collection('guilds');
  await storage.savePlayers({ player1: { userId: 'player1', totalScore: 7 } });
  await guilds.clear();
  await guilds.set('last', 1);
  await note();
  await storage.close();
  return answers;
}

test('every call answers the same, however many values are in memory', async (t) => {
  const [none, some, all] = await Promise.all(CHOICES.map((cacheBytes) => lifeOf(t, cacheBytes)));
  assert.equal(all.length, 5);
  assert.deepEqual(none, all);
  assert.deepEqual(some, all);
});

test('calls that nobody awaits read what those before them wrote', async (t) => {
  const storage = opened(t, await temporaryFolder(t), { cacheBytes: 0 });
  const guilds = storage.collection('guilds');
  await guilds.set('a', { n: 0 });
  const reads = [];
  for (let n = 1; n <= 50; n++) {
    guilds.update('a', (before) => ({ n: before.n + 1 }));
    reads.push(guilds.get('a'));
  }
  assert.deepEqual(
    (await Promise.all(reads)).map(({ n }) => n),
    Array.from({ length: 50 }, (_, n) => n + 1),
  );
});

test('a watch shows values that are in no memory', async (t) => {
  const storage = opened(t, await temporaryFolder(t), { cacheBytes: 0 });
  const guilds = storage.collection('guilds');
  for (let n = 0; n < 10; n++) await guilds.set(`g${n}`, value(n));
  const watch = guilds.watch({ prefix: 'g' });
  await guilds.set('g3', 'new');
  await guilds.delete('g4');
  const changes = [(await watch.next()).value, (await watch.next()).value];
  assert.deepEqual(
    changes.map(({ key, value, previous }) => [key, value, previous]),
    [
      ['g3', 'new', value(3)],
      ['g4', undefined, value(4)],
    ],
  );
  await watch.return();
});

test('one process compacts while another one reads by position', { skip: onWindows }, async (t) => {
  const dataDir = await temporaryFolder(t);
  const [reader, other] = [opened(t, dataDir, { cacheBytes: 0 }), opened(t, dataDir, { cacheBytes: 'all' })];
  const guilds = reader.collection('guilds');
  for (let n = 0; n < 200; n++) await guilds.set(`g${n}`, value(n));
  const iterator = guilds.iterate();
  await iterator.next();
  for (let round = 0; round < 10; round++) {
    const compacted = other.compactLog('guilds');
    const found = await Promise.all(Array.from({ length: 200 }, (_, n) => guilds.get(`g${n}`)));
    assert.deepEqual(
      found,
      Array.from({ length: 200 }, (_, n) => value(n)),
    );
    assert.equal((await guilds.entries()).length, 200);
    await compacted;
  }
  // What was begun before is of the log as it was then.
  const left = [];
  for await (const [, one] of iterator) left.push(one.n);
  assert.deepEqual(
    left,
    Array.from({ length: 199 }, (_, n) => n + 1),
  );
});

/** Players and guilds that come to several pieces, with keys that an object has in another order or treats in another way. */
async function inPieces(t, repeats = 10_000) {
  const dataDir = await temporaryFolder(t);
  const storage = opened(t, dataDir, { cacheBytes: 0, logger: null, mirror: 'close' });
  const keys = ['__proto__', '7', 'zebra', ...Array.from({ length: 60 }, (_, n) => `p${n}`), '3'];
  const entries = keys.map((key, n) => [key, { n, text: `${key}é`.repeat(repeats) }]);
  await storage.collection('guilds').setMany(entries);
  await storage.collection('players').setMany(entries);
  const ordered = [
    ...entries.filter(([key]) => /^\d/.test(key)).reverse(),
    ...entries.filter(([key]) => !/^\d/.test(key)),
  ];
  return { dataDir, storage, expected: ordered };
}

test('a state that is larger than a piece is answered whole, as it was when it was asked for', async (t) => {
  const { storage, expected } = await inPieces(t);
  const guilds = storage.collection('guilds');
  const asked = [guilds.entries(), guilds.values(), storage.loadPlayers()];
  const after = [guilds.set('p0', 1), guilds.delete('p1'), storage.collection('players').clear()];
  const again = guilds.entries();
  const [entries, values, players] = await Promise.all(asked);
  await Promise.all(after);
  assert.deepEqual(entries, expected);
  assert.deepEqual(
    values,
    expected.map(([, value]) => value),
  );
  assert.deepEqual(Object.getPrototypeOf(players), Object.prototype);
  assert.deepEqual(Object.keys(players), Object.keys(Object.fromEntries(expected)));
  assert.deepEqual(Object.entries(players), expected);
  const changed = expected
    .filter(([key]) => key !== 'p1')
    .map(([key, value]) => [key, key === 'p0' ? 1 : value]);
  assert.deepEqual(await again, changed);
});

test('what was asked for before the end is answered whole', async (t) => {
  const { storage, expected } = await inPieces(t);
  const asked = [storage.loadPlayers(), storage.collection('guilds').entries()];
  await storage.close();
  const [players, entries] = await Promise.all(asked);
  assert.deepEqual(Object.entries(players), expected);
  assert.deepEqual(entries, expected);
});

test('a state that another program changes while it is read is read anew', { skip: onWindows }, async (t) => {
  // So large that most of it is still to be read when the log is changed.
  const { dataDir, storage, expected } = await inPieces(t, 100_000);
  await storage.flush();
  const log = logPath(dataDir, 'guilds');
  const text = await readFile(log);
  const at = text.indexOf('"n":', text.indexOf('"p59"')) + '"n":'.length;
  const asked = storage.collection('guilds').entries();
  const file = await open(log, 'r+');
  await file.write(Buffer.from('9'), 0, 1, at);
  await file.close();
  const entries = await asked;
  // The JSON file still has the value that the log lost, whether it was read before or after that.
  assert.deepEqual(entries, expected);
  assert.deepEqual(await storage.collection('guilds').entries(), expected);
});

/** A storage with nothing in memory, whose JSON file shows all, and what it notifies of. */
async function onDisk(t) {
  const dataDir = await temporaryFolder(t);
  const storage = opened(t, dataDir, { cacheBytes: 0, logger: null });
  const events = [];
  for (const name of ['recovery', 'corruption']) storage.on(name, (event) => events.push(event));
  const guilds = storage.collection('guilds');
  for (let n = 0; n < 20; n++) await guilds.set(`g${n}`, value(n));
  await storage.flush();
  return { dataDir, storage, guilds, events, log: logPath(dataDir, 'guilds') };
}

test('a value that was overwritten in its place is noticed, and the JSON file has it', {
  skip: onWindows,
}, async (t) => {
  const { guilds, events, log } = await onDisk(t);
  const text = await readFile(log);
  const at = text.indexOf('"score":', text.indexOf('"g7"')) + '"score":'.length;
  const file = await open(log, 'r+');
  await file.write(Buffer.from('9'), 0, 1, at);
  await file.close();
  assert.deepEqual(await guilds.get('g7'), value(7));
  assert.deepEqual(
    (await guilds.entries()).map(([, one]) => one),
    Array.from({ length: 20 }, (_, n) => value(n)),
  );
  await waitUntil(() => events.length >= 2);
  assert.deepEqual(events.map(({ code, lostKeys }) => [code, lostKeys]).sort(), [
    ['PS_LOG_DAMAGED', undefined],
    ['PS_LOG_LOST', undefined],
  ]);
});

test('a log that was cut while in use: what the JSON file has is kept, and what is lost is told', {
  skip: onWindows,
}, async (t) => {
  const dataDir = await temporaryFolder(t);
  const options = { cacheBytes: 0, logger: null, mirror: 'close' };
  const storage = opened(t, dataDir, options);
  const events = [];
  storage.on('recovery', (event) => events.push(event));
  const guilds = storage.collection('guilds');
  for (let n = 0; n < 20; n++) await guilds.set(`g${n}`, value(n));
  await storage.flush();
  await guilds.set('g3', 'newer');
  await guilds.set('new', 'in the log alone');
  await truncate(logPath(dataDir, 'guilds'), 0);
  await guilds.set('last', 1);
  await waitUntil(() => events.length > 0);
  const [{ code, lostKeys, message }] = events;
  assert.deepEqual([code, lostKeys], ['PS_LOG_LOST', 2]);
  assert.match(message, /The newest values of 2 keys/);
  const expected = [...Array.from({ length: 20 }, (_, n) => [`g${n}`, value(n)]), ['last', 1]];
  assert.deepEqual(await guilds.entries(), expected);
  await storage.close();
  assert.deepEqual(await opened(t, dataDir, options).collection('guilds').entries(), expected);
});

test('memory does not grow with the values', { skip: onWindows }, async (t) => {
  const dataDir = await temporaryFolder(t);
  const total = 200 * 2 ** 20;
  const file = fileURLToPath(new URL('../children/values-on-disk.mjs', import.meta.url));
  const { stdout, stderr } = await runScript(t, { file, args: [dataDir, String(2 ** 20), String(total)] });
  assert.equal(stderr, '');
  const { grownBytes, sum } = JSON.parse(stdout);
  assert.equal(sum, 2000);
  assert.ok(grownBytes < total / 2, `${grownBytes} bytes more with a cache of 1 MiB`);
});
