// The recipe of a leaderboard with seasons: a season ends once and whole, no point is lost on the way, and the past stays.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  addPoints,
  endSeason,
  pastSeason,
  placeOf,
  standings,
  standingsAt,
  WEEKLY,
} from '../../examples/recipes/seasons.mjs';
import { Storage } from '../../index.js';
import { isOnServer, optionsAt } from '../support/place.mjs';
import { startShard } from '../support/recipes.mjs';
import { openStorage, reopened, waitUntil } from '../support/temp.mjs';

const named = (places) => places.map(({ place, userId, points }) => [place, userId, points]);

async function withPoints(t, points, options) {
  const opened = await openStorage(t, Storage, options);
  for (const [user, each] of Object.entries(points)) await addPoints(opened.storage, user, `<${user}>`, each);
  return opened;
}

/** Resolves when another millisecond has begun: what is written now is behind `new Date()` from before. */
async function nextMs() {
  const then = Date.now();
  await waitUntil(() => Date.now() > then, { everyMs: 1 });
}

test('the places of the season that runs', async (t) => {
  const { storage } = await withPoints(t, { ann: 5, ben: 9, cid: 9, 7: 1 });
  await addPoints(storage, 'ann', 'Ann', 2);
  assert.deepEqual(named(await standings(storage, 3)), [
    [1, 'ben', 9],
    [2, 'cid', 9],
    [3, 'ann', 7],
  ]);
  assert.equal((await standings(storage))[2].name, 'Ann', 'the newest name');
  assert.deepEqual(await placeOf(storage, 'ann'), { rank: 3, of: 4 });
  assert.equal(await placeOf(storage, 'nobody'), null);
});

test('a season ends with its places kept, and the next one begins at nothing', async (t) => {
  const { storage, dataDir } = await withPoints(t, { ann: 5, ben: 9, dan: 1 });
  await addPoints(storage, '__proto__', 'Proto', 7);
  const record = await endSeason(storage, '2026-11');
  assert.equal(record.players, 4);
  assert.deepEqual(named(record.places).slice(0, 2), [
    [1, 'ben', 9],
    [2, '__proto__', 7],
  ]);
  assert.deepEqual(await standings(storage), []);
  assert.equal(await placeOf(storage, 'ben'), null);
  await addPoints(storage, 'ben', 'Ben', 1);
  assert.deepEqual(await endSeason(storage, '2026-11'), record, 'it ended before');
  assert.deepEqual(named(await standings(storage)), [[1, 'ben', 1]], 'so the points of the next one stay');
  await endSeason(storage, '2026-12');
  const again = await reopened(t, Storage, storage, dataDir);
  assert.deepEqual(await pastSeason(again, '2026-11'), record);
  assert.deepEqual(named((await pastSeason(again, '2026-12')).places), [[1, 'ben', 1]]);
  assert.equal(await pastSeason(again, '2027-01'), undefined);
  assert.equal(await pastSeason(again, '__proto__'), undefined);
});

test('a season without players, and one with more than are kept', async (t) => {
  const { storage } = await openStorage(t, Storage);
  assert.deepEqual((await endSeason(storage, 'empty')).places, []);
  await storage
    .collection('leaderboard')
    .setMany(Array.from({ length: 120 }, (_, i) => [`player:${i}`, { name: 'x', points: i }]));
  const { players, places } = await endSeason(storage, 'full');
  assert.deepEqual([players, places.length, places[0].userId, places[99].userId], [120, 100, '119', '20']);
});

test('the history has each day of a season, over its end and a new log', async (t) => {
  const { storage } = await withPoints(t, { ann: 5, ben: 4 }, isOnServer ? {} : WEEKLY);
  const then = new Date();
  await nextMs();
  await addPoints(storage, 'ben', 'Ben', 10);
  const later = new Date();
  await nextMs();
  await endSeason(storage, '2026-11');
  await storage.compactLog('leaderboard');
  await addPoints(storage, 'cid', 'Cid', 1);
  assert.deepEqual(named(await standingsAt(storage, then)), [
    [1, 'ann', 5],
    [2, 'ben', 4],
  ]);
  assert.deepEqual(named(await standingsAt(storage, later, 1)), [[1, 'ben', 14]]);
  assert.deepEqual(named(await standingsAt(storage, new Date(), 1)), [[1, 'cid', 1]]);
});

test('shards end a season once, while points come in, and every point counts in one season', async (t) => {
  const { storage, dataDir } = await openStorage(t, Storage);
  const options = optionsAt(dataDir);
  const shards = await Promise.all([1, 2].map(() => startShard(t, 'seasons', options)));
  let given = 0;
  const give = async (user) => {
    await addPoints(storage, user, user, 1);
    given += 1;
  };
  const seasons = Array.from({ length: 8 }, (_, i) => `s${i}`);
  for (const season of seasons) {
    const giving = Array.from({ length: 30 }, (_, i) => give(`u${i % 7}`));
    const ended = await Promise.all(shards.map(({ call }) => call('endSeason', season)));
    assert.deepEqual(ended[0], ended[1], 'both have the same record');
    assert.equal(ended[0].error, undefined, ended[0].message);
    await Promise.all(giving);
  }
  const records = await Promise.all(seasons.map((season) => pastSeason(storage, season)));
  const all = [...records.flatMap(({ places }) => places), ...(await standings(storage, 100))];
  assert.equal(
    all.reduce((sum, { points }) => sum + points, 0),
    given,
  );
});

test('a process that is killed while it ends a season ends all of it, or nothing', async (t) => {
  const { storage, dataDir } = await openStorage(t, Storage);
  const options = optionsAt(dataDir);
  const users = Array.from({ length: 300 }, (_, i) => [`player:${i}`, { name: 'x', points: i }]);
  for (let round = 0; round < 6; round++) {
    const season = `s${round}`;
    await storage.collection('leaderboard').setMany(users);
    const shard = await startShard(t, 'seasons', options);
    const ending = shard.call('endSeason', season);
    // In some rounds it is done by then, in others it has not begun.
    for (let turn = 0; turn < round * 2; turn++) await storage.collection('leaderboard').get('player:0');
    await shard.kill();
    const left = (await standings(storage, 1000)).length;
    const record = await pastSeason(storage, season);
    assert.deepEqual([left, record?.players], record ? [0, 300] : [300, undefined], season);
    await ending;
  }
});
