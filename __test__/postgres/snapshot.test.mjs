// `snapshot` of a server: a data folder as of one moment, with every batch whole, whatever bots and compactions do meanwhile.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { Storage } from '../../index.js';
import { startServer, whyNoServer } from '../../scripts/postgres/index.mjs';
import { runCli, runCliJson } from '../support/cli.mjs';
import { newSchema, opened } from '../support/server-scene.mjs';
import { closeStorage, openStorage, temporaryFolder } from '../support/temp.mjs';

const skip = whyNoServer();

let server;
before(async () => {
  if (!skip) server = await startServer();
});
after(() => server?.remove());

test('the folder has every entry, and opens like any', { skip }, async (t) => {
  const { storage } = opened(t, { url: server.ownerUrl });
  const folder = path.join(await temporaryFolder(t), 'copy');
  await storage.updatePlayerStats('ann', 'Ann', 1);
  await storage.compactLog('players');
  await storage.updatePlayerStats('ann', 'Ann', 2);
  await storage.saveTokens(['a']);
  const coins = storage.collection('coins');
  await coins.set('7', { coins: 5 });
  await coins.delete('7');
  // Nobody awaits these.
  for (let i = 0; i < 50; i++) coins.set(`user-${i}`, i);
  const copied = await storage.snapshot(folder);
  assert.equal(copied.folder, folder);
  assert.deepEqual(
    copied.logs.map(({ name, damagedLines }) => [name, damagedLines]),
    [
      ['coins', 0],
      ['players', 0],
      ['tokens', 0],
    ],
  );
  assert.ok(copied.logs.every(({ entries, sizeBytes }) => entries > 0 && sizeBytes > 0));
  assert.ok(fs.existsSync(path.join(folder, 'players.json')));

  const { storage: copy } = await openStorage(t, Storage, { dataDir: folder });
  assert.deepEqual(await copy.loadPlayers(), await storage.loadPlayers());
  assert.deepEqual(await copy.loadTokens(), await storage.loadTokens());
  assert.deepEqual(await copy.collection('coins').entries(), await coins.entries());
  const scores = (history) => history.map(({ value }) => value?.totalScore);
  assert.deepEqual(scores(await copy.history('players', 'ann')), [1, 3]);
  await closeStorage(copy);
  await assert.rejects(storage.snapshot(folder), { code: 'EEXIST' });
});

test('batches are whole, and logs as of one moment, while others write and compact', { skip }, async (t) => {
  const schema = newSchema();
  const { storage } = opened(t, { url: server.ownerUrl, schema });
  const { storage: other } = opened(t, { url: server.ownerUrl, schema });
  const [first, second] = ['first', 'second'].map((name) => other.collection(name));
  const results = ['a', 'b', 'c', 'd', 'e'].map((userId) => ({ userId, username: userId, score: 1 }));
  let isOver = false;
  const writing = (async () => {
    for (let count = 1; !isOver; count += 1) {
      await first.set('count', count);
      await second.set('count', count);
    }
  })();
  const playing = (async () => {
    for (let rounds = 1; !isOver; rounds += 1) {
      await other.updatePlayersStats(results);
      if (rounds % 25 === 0) await other.compactLog('players');
    }
  })();
  const root = await temporaryFolder(t);
  const games = [];
  for (let round = 0; round < 6; round += 1) {
    const folder = path.join(root, `copy-${round}`);
    await storage.snapshot(folder);
    const { storage: copy } = await openStorage(t, Storage, { dataDir: folder });
    const counts = ['first', 'second'].map((name) => copy.collection(name).get('count'));
    const [one, two] = (await Promise.all(counts)).map((count) => count ?? 0);
    assert.ok(one === two || one === two + 1, `first ${one}, second ${two}`);
    const totals = new Set(Object.values(await copy.loadPlayers()).map(({ totalGames }) => totalGames));
    assert.ok(totals.size <= 1, `a game counts for all of its players: ${[...totals]}`);
    games.push(...totals);
    await closeStorage(copy);
  }
  isOver = true;
  await Promise.all([writing, playing]);
  assert.ok(new Set(games).size > 1, 'games were played meanwhile');
});

test('the program copies a server, and names no password', { skip }, async (t) => {
  const schema = newSchema();
  const { storage } = opened(t, { url: server.ownerUrl, schema });
  await storage.updatePlayerStats('ann', 'Ann', 1);
  const folder = path.join(await temporaryFolder(t), 'copy');
  const env = { PROGRESSIVE_STORAGE_URL: server.ownerUrl };
  const { code, json } = await runCliJson(t, ['snapshot', folder, 'env', '--schema', schema], { env });
  assert.equal(code, 0);
  assert.equal(json.schema, schema);
  const verified = await runCli(t, ['verify', folder]);
  assert.equal(verified.code, 0, verified.stdout);
});
