// Keys that end by themselves: `set` and `update` with `ttlMs` or `expiresAt`, and `expiresAt(key)`. What is over is there for
// nobody, whoever asks. `files/expiry` tests what the files say.
//
// Most of it is set with a time that is over already, so that nothing is waited for.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Storage } from '../../index.js';
import { collect, openCollection, openStorage, reopened, waitUntil } from '../support/temp.mjs';

const DAY_MS = 24 * 60 * 60 * 1000;
const over = () => ({ expiresAt: Date.now() - 1000 });
const living = () => ({ expiresAt: Date.now() + DAY_MS });

test('a key with ttlMs is there, and then it is not', async (t) => {
  const { collection } = await openCollection(t, Storage);
  await collection.set('a', 1, { ttlMs: 200 });
  const end = await collection.expiresAt('a');
  // It may be over by now, on a machine that is busy.
  if (end !== null) assert.ok(Math.abs(end - Date.now()) < 60_000, `${end}`);
  await collection.set('b', 1, { ttlMs: DAY_MS });
  assert.equal(await collection.get('b'), 1);
  await waitUntil(async () => !(await collection.has('a')), { what: 'the end of a' });
  assert.equal(await collection.get('a'), undefined);
  assert.equal(await collection.expiresAt('a'), null);
  assert.deepEqual(await collection.keys(), ['b']);
});

test('what is over is there for nobody', async (t) => {
  const { collection } = await openCollection(t, Storage);
  await collection.set('a', { n: 1 });
  await collection.set('b', { n: 5 }, over());
  await collection.set('c', { n: 3 }, living());
  await collection.set('d', { n: 4 });
  await collection.set('d', { n: 4 }, over());
  assert.equal(await collection.get('b'), undefined);
  assert.equal(await collection.has('b'), false);
  assert.equal(await collection.expiresAt('b'), null);
  assert.deepEqual(await collection.keys(), ['a', 'c']);
  assert.deepEqual(await collection.entries(), [
    ['a', { n: 1 }],
    ['c', { n: 3 }],
  ]);
  assert.equal(await collection.size(), 2);
  assert.deepEqual(
    (await collection.top('n')).map(([key]) => key),
    ['c', 'a'],
  );
  assert.deepEqual(await collection.rank('a', 'n'), { rank: 2, of: 2 });
  assert.equal(await collection.rank('b', 'n'), null);
  assert.equal(await collection.delete('b'), false);
  assert.deepEqual(await collection.update('b', (value = 'nothing') => [value]), ['nothing']);
  assert.equal(
    await collection.expiresAt('b'),
    null,
    'the time of what was over is not that of the next value',
  );
});

test('players and games of a bot end, too', async (t) => {
  const { storage } = await openStorage(t, Storage);
  await storage.updatePlayerStats('1', 'Ann', 10);
  await storage.updatePlayerStats('2', 'Bob', 20);
  const players = storage.collection('players');
  await players.set('2', await players.get('2'), over());
  assert.deepEqual(Object.keys(await storage.loadPlayers()), ['1']);
  assert.equal((await storage.getPlayerStats('2')).totalGames, 0);
  assert.deepEqual(
    (await storage.getLeaderboard()).map(({ userId }) => userId),
    ['1'],
  );
  assert.deepEqual(await storage.getPlayerRank('1'), { rank: 1, of: 1 });
  assert.equal(await storage.getPlayerRank('2'), null);
  await storage.collection('game_state').set('c1', { round: 1 }, over());
  await storage.collection('game_state').set('c2', { round: 2 }, living());
  assert.deepEqual(await storage.getAllGameStates(), { c2: { round: 2 } });
  assert.equal(await storage.loadGameState('c1'), null);
  // A change in place keeps the time.
  const end = living();
  await players.set('1', await players.get('1'), end);
  await storage.updatePlayerStats('1', 'Ann', 5);
  await storage.updatePlayersStats([{ userId: '1', username: 'Ann', score: 5 }]);
  await storage.savePlayers(await storage.loadPlayers());
  assert.equal(await players.expiresAt('1'), end.expiresAt);
  assert.equal((await players.get('1')).totalGames, 3);
});

test('update keeps the time, a plain set clears it, and both take a new one', async (t) => {
  const { collection, storage, dataDir } = await openCollection(t, Storage);
  const { expiresAt } = living();
  await collection.set('a', 1, { expiresAt });
  assert.equal(await collection.expiresAt('a'), expiresAt);
  assert.equal(await collection.update('a', (value) => value + 1), 2);
  assert.equal(await collection.expiresAt('a'), expiresAt);
  await collection.update('a', (value) => value + 1, { expiresAt: expiresAt + 5 });
  assert.equal(await collection.expiresAt('a'), expiresAt + 5);
  await collection.set('b', 1, { expiresAt });
  await collection.set('b', 2);
  assert.equal(await collection.expiresAt('b'), null);
  await collection.update('b', () => 3, { ttlMs: DAY_MS });
  assert.ok((await collection.expiresAt('b')) > Date.now());
  await collection.set('b', 4, {});
  assert.equal(await collection.expiresAt('b'), null);
  await collection.update('b', () => 5, over());
  assert.equal(await collection.get('b'), undefined);
  assert.equal(await collection.expiresAt('never seen'), null);
  // Fractions count up: nothing ends too early.
  await collection.set('c', 1, { expiresAt: expiresAt - 0.5 });
  assert.equal(await collection.expiresAt('c'), expiresAt);
  await storage.compactLog('coins');
  const again = (await reopened(t, Storage, storage, dataDir)).collection('coins');
  assert.equal(await again.expiresAt('a'), expiresAt + 5);
  assert.deepEqual(await again.entries(), [
    ['a', 3],
    ['c', 1],
  ]);
});

test('calls of several keys know of the time, too', async (t) => {
  const { collection } = await openCollection(t, Storage);
  const { expiresAt } = living();
  await collection.set('a', 1, { expiresAt });
  await collection.set('b', 1, over());
  await collection.set('c', 1, { expiresAt });
  assert.deepEqual([...(await collection.getMany(['b', 'a']))], [['a', 1]]);
  const seen = [];
  const changed = await collection.updateMany(['a', 'b', 'c'], (values) => {
    seen.push({ ...values });
    return { a: 2, b: 2, c: undefined };
  });
  assert.deepEqual(seen.at(-1), { a: 1, c: 1 });
  assert.deepEqual({ ...changed }, { a: 2, b: 2 });
  assert.equal(await collection.expiresAt('a'), expiresAt, 'kept');
  assert.equal(await collection.expiresAt('b'), null, 'what was over gives it to nobody');
  await collection.set('d', 1, over());
  assert.equal(await collection.deleteMany(['b', 'd']), 1);
  await collection.setMany({ a: 3, e: 3 });
  assert.equal(await collection.expiresAt('a'), null, 'cleared');
  const iterated = [];
  await collection.set('f', 1, over());
  for await (const [key] of collection) iterated.push(key);
  assert.deepEqual(iterated, ['a', 'e']);
});

test('who watches hears of a key that has ended', async (t) => {
  const { collection } = await openCollection(t, Storage);
  const changes = [];
  const end = collection.watch(undefined, (change) => changes.push(change));
  await collection.set('a', 1, over());
  await collection.set('b', 1);
  const ends = ({ key, value, previous }) => key === 'a' && value === undefined && previous === 1;
  await waitUntil(() => changes.some(ends), { what: 'the end of a' });
  end();
});

test('of many who want a cooldown at once, one gets it', async (t) => {
  const { collection } = await openCollection(t, Storage, 'cooldowns');
  const taken = new Error('taken');
  const claim = () =>
    collection.update(
      'daily:1',
      (last) => {
        if (last !== undefined) throw taken;
        return Date.now();
      },
      { ttlMs: DAY_MS },
    );
  const results = await Promise.allSettled(Array.from({ length: 50 }, claim));
  const refused = results.filter(({ status }) => status === 'rejected');
  assert.equal(refused.length, 49);
  assert.ok(refused.every(({ reason }) => reason === taken));
  assert.ok((await collection.expiresAt('daily:1')) > Date.now());
  await collection.set('daily:1', 1, over());
  assert.equal(typeof (await claim()), 'number');
});

test('a later call of a thread sees what an earlier one made of the time', async (t) => {
  const { collection } = await openCollection(t, Storage);
  const answers = await Promise.all([
    collection.set('a', 1, over()),
    collection.get('a'),
    collection.update('a', (value = 10) => value + 1),
    collection.expiresAt('a'),
    collection.update('a', (value) => value + 1, living()),
    collection.expiresAt('a'),
    collection.set('a', 5),
    collection.expiresAt('a'),
  ]);
  assert.deepEqual([answers[1], answers[2], answers[3], answers[4]], [undefined, 11, null, 12]);
  assert.ok(answers[5] > Date.now());
  assert.equal(answers[7], null);
});

test('however many keys end at once, one entry says so', async (t) => {
  const { collection, storage } = await openCollection(t, Storage);
  const data = Object.fromEntries(Array.from({ length: 3000 }, (_, number) => [`k${number}`, number]));
  const _expires = Object.fromEntries(Object.keys(data).map((key) => [key, Date.now() - 1000]));
  await storage.appendLogEntry('coins', { op: 'SET', data, _expires });
  assert.equal(await collection.size(), 0);
  const removals = async () => (await storage.readLogEntries('coins')).filter(({ op }) => op === 'EXPIRE');
  await collection.set('a', 1);
  // A server removes them once the write is answered.
  const [removal] = await waitUntil(async () => (await removals()).length > 0 && removals(), {
    what: 'a removal',
  });
  assert.ok(removal._until <= Date.now() + 60_000 && removal._until >= _expires.k0);
  await collection.set('b', 1);
  await collection.update('k1', () => 1);
  assert.equal((await removals()).length, 1);
  assert.deepEqual(await collection.keys(), ['a', 'b', 'k1']);
  assert.deepEqual(await storage.rebuildStateFromLog('coins'), { a: 1, b: 1, k1: 1 });
  const streamed = await collect(storage.streamLogEntries('coins'));
  assert.deepEqual(streamed, await storage.readLogEntries('coins'));
});

test('entries, history and past states say when something ends', async (t) => {
  const { collection, storage } = await openCollection(t, Storage);
  const { expiresAt } = living();
  await collection.set('a', 1, { expiresAt });
  const [entry] = await storage.readLogEntries('coins');
  assert.deepEqual([entry.op, entry.key, entry.value, entry._expires], ['SET', 'a', 1, expiresAt]);
  await collection.set('a', 2, { ttlMs: 30 });
  await waitUntil(async () => !(await collection.has('a')), { what: 'the end of a' });
  await collection.set('b', 1);
  await waitUntil(async () => (await storage.readLogEntries('coins')).some(({ op }) => op === 'EXPIRE'), {
    what: 'the removal',
  });
  const history = await storage.history('coins', 'a');
  assert.deepEqual(
    history.map(({ op, value }) => [op, value]),
    [
      ['SET', 1],
      ['SET', 2],
      ['EXPIRE', undefined],
    ],
  );
  assert.equal(history[0].expiresAt, expiresAt);
  assert.equal(typeof history[1].expiresAt, 'number');
  assert.equal('expiresAt' in history[2], false);
  const at = new Date(history[0].timestamp);
  assert.deepEqual(Object.keys(await storage.rebuildStateFromLog('coins', { at })), ['a']);
});

test('an entry that is appended may say when something ends', async (t) => {
  const { collection, storage } = await openCollection(t, Storage);
  const { expiresAt } = living();
  await storage.appendLogEntry('coins', { op: 'SET', key: 'a', value: 1, _expires: expiresAt });
  await storage.appendLogEntry('coins', { op: 'SET', data: { b: 1, c: 1 }, _expires: { c: expiresAt } });
  await storage.appendLogEntry('coins', { op: 'SET', key: 'd', value: 1, _expires: 'soon' });
  await storage.appendLogEntry('coins', { op: 'EXPIRE' });
  assert.equal(await collection.expiresAt('a'), expiresAt);
  assert.equal(await collection.expiresAt('b'), null);
  assert.equal(await collection.expiresAt('c'), expiresAt);
  assert.equal(await collection.expiresAt('d'), null);
  assert.deepEqual(await collection.keys(), ['a', 'b', 'c', 'd']);
});
