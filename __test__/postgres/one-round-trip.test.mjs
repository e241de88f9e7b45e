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

test('functions of keys that were never seen are told at once what their keys have', { skip }, async (t) => {
  const { proxy, counts, other } = await scene(t);
  const keys = Array.from({ length: 1000 }, (_, i) => `key ${i}`);
  const others = other().counts;
  await others.setMany(Object.fromEntries(keys.map((key, i) => [key, i])));
  await counts.set('a', 1);
  for (const change of ['never seen', 'changed by another host meanwhile']) {
    proxy.resetCounts();
    await Promise.all(keys.map((key) => countUp(counts, key)));
    t.diagnostic(`1,000 updates of keys, ${change}: ${proxy.roundTrips} round trips`);
    assert.ok(proxy.roundTrips <= 50, `${change}: ${proxy.roundTrips} round trips`);
    await Promise.all(keys.map((key) => countUp(others, key)));
  }
  assert.equal(await counts.get('key 7'), 7 + 4);
});

/** A server without statistics believes that any condition fits many rows; then it likes to read them all. */
test('no call of a key reads the whole table', { skip }, async (t) => {
  const schema = newSchema();
  const own = opened(t, { url: server.url, schema });
  const { storage, counts } = own;
  await counts.setMany(Object.fromEntries(Array.from({ length: 20_000 }, (_, i) => [`key ${i}`, { n: i }])));
  await storage.updatePlayerStats('ann', 'Ann', 1);
  await counts.set('over', 1, { ttlMs: 1 });
  const scans = () =>
    server.psql(
      `SELECT relname, seq_scan FROM pg_stat_user_tables WHERE schemaname = '${schema}' AND relname IN ('state', 'entry') ORDER BY 1`,
    );
  // A session that ends leaves what it counted.
  await storage.close();
  const before = await scans();
  const again = opened(t, { url: server.url, schema });
  for (let round = 0; round < 3; round++) {
    await countUp(again.counts, 'key 7');
    await again.counts.set(`new ${round}`, round);
    await again.counts.get('key 8');
    await again.counts.getMany(['key 1', 'key 2']);
    await again.counts.delete('key 9');
    await again.storage.updatePlayerStats('ann', 'Ann', 1);
    await again.storage.saveGameState('channel', { round });
    await again.storage.appendLogEntry('notes', { op: 'NOTE' });
    await again.storage.transaction(
      [
        [again.counts, 'key 1'],
        [again.counts, 'key 2'],
      ],
      ([one, two]) => [two, one],
    );
    await Promise.all(Array.from({ length: 20 }, (_, i) => again.counts.set(`key ${i}`, round)));
    await new Promise((resolve) => setTimeout(resolve, 1100));
  }
  await again.storage.close();
  assert.equal(await scans(), before);
});
