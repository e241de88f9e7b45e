// What a call costs in round trips, counted by a proxy: an awaited update of a key that was seen before is one, one that
// met somebody else's change is at most two more, and many calls at once share theirs.

import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { startProxy, startServer, whyNoServer } from '../../scripts/postgres/index.mjs';
import { countUp, newSchema, opened, started } from '../support/server-scene.mjs';

const skip = whyNoServer();
const server = skip ? null : await startServer();
after(() => server?.remove());

async function scene(t) {
  const schema = newSchema();
  const proxy = await started(t, startProxy(server));
  const own = opened(t, { url: proxy.url, schema });
  return { proxy, schema, ...own, other: () => opened(t, { url: server.url, schema }) };
}

/** How often the server answered, and how many statements it was sent. */
function counted(proxy) {
  const { client, server: answers } = proxy.counts;
  return { answers: answers.ReadyForQuery ?? 0, syncs: client.Sync ?? 0, queries: client.Query ?? 0 };
}

test('an awaited update of a key that was seen before is one round trip', { skip }, async (t) => {
  const { proxy, storage, counts } = await scene(t);
  const calls = {
    update: () => countUp(counts, 'a'),
    set: () => counts.set('b', { value: 'x'.repeat(5000) }),
    player: () => storage.updatePlayerStats('ann', 'Ann', 1, true, 2, 3),
    players: () =>
      storage.updatePlayersStats(['ann', 'ben'].map((id) => ({ userId: id, username: id, score: 1 }))),
    game: () => storage.saveGameState('channel', { round: 1 }),
    append: () => storage.appendLogEntry('notes', { op: 'NOTE' }),
    delete: () => counts.delete('b'),
    get: () => counts.get('a'),
  };
  for (const call of Object.values(calls)) await call();
  await counts.set('b', 1);
  for (const [name, call] of Object.entries(calls)) {
    const times = name === 'delete' ? 1 : 5;
    proxy.resetCounts();
    for (let i = 0; i < times; i++) await call();
    assert.deepEqual(counted(proxy), { answers: times, syncs: times, queries: 0 }, name);
    assert.equal(proxy.roundTrips, times, name);
  }
});

test("an update that meets somebody else's change costs at most two round trips more", {
  skip,
}, async (t) => {
  const { proxy, counts, other } = await scene(t);
  const others = other().counts;
  await countUp(counts, 'a');
  for (let round = 0; round < 5; round++) {
    await countUp(others, 'a');
    proxy.resetCounts();
    assert.equal(await countUp(counts, 'a'), 3 + 2 * round);
    assert.ok(proxy.roundTrips <= 3, `${proxy.roundTrips} round trips`);
  }
});

test('a key that was never seen costs one round trip more', { skip }, async (t) => {
  const { proxy, counts, storage } = await scene(t);
  await counts.set('a', 1);
  for (const call of [() => countUp(counts, 'new'), () => storage.updatePlayerStats('new', 'New', 1)]) {
    proxy.resetCounts();
    await call();
    assert.ok(proxy.roundTrips <= 2, `${proxy.roundTrips} round trips`);
  }
});

test('1,000 calls at once share a few round trips', { skip }, async (t) => {
  const { proxy, storage, counts } = await scene(t);
  const ids = Array.from({ length: 100 }, (_, i) => `player ${i}`);
  await storage.updatePlayersStats(ids.map((userId) => ({ userId, username: userId, score: 1 })));
  await countUp(counts, 'a');
  const kinds = {
    'of one key': () => countUp(counts, 'a'),
    'of a hundred players': (i) => storage.updatePlayerStats(ids[i % 100], ids[i % 100], 1),
    'of new keys': (i) => counts.set(`key ${i}`, i),
    'in a log': (i) => storage.appendLogEntry('notes', { op: 'NOTE', i }),
  };
  for (const [name, call] of Object.entries(kinds)) {
    proxy.resetCounts();
    await Promise.all(Array.from({ length: 1000 }, (_, i) => call(i)));
    t.diagnostic(`1,000 calls ${name}: ${proxy.roundTrips} round trips`);
    assert.ok(proxy.roundTrips <= 50, `${name}: ${proxy.roundTrips} round trips`);
  }
  assert.equal(await counts.get('a'), 1001);
  assert.equal((await storage.getPlayerStats(ids[0])).totalGames, 11);
});
