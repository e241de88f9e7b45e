// Tokens, players and game states in files: the JSON file for the bot's admin, edits in it, files that vanish, and the names
// of all files. `api/storage` tests what the same calls answer.

import assert from 'node:assert/strict';
import { mkdir, readdir, readFile, stat, unlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { Storage } from '../../index.js';
import { logPath, mirrorPath, openStorage, readLogLines } from '../support/temp.mjs';

async function mirrorText(dataDir, name) {
  return readFile(mirrorPath(dataDir, name), 'utf8');
}

async function readMirror(dataDir, name) {
  return JSON.parse(await mirrorText(dataDir, name));
}

test('tokens: asking for them writes nothing', async (t) => {
  const { storage, dataDir } = await openStorage(t, Storage);
  assert.equal(await storage.loadTokens(), null);
  assert.equal(await storage.needsTokenRefresh(), true);
  await assert.rejects(stat(dataDir), { code: 'ENOENT' });
});

test('tokens: the JSON file shows them', async (t) => {
  const { storage, dataDir } = await openStorage(t, Storage, { fsync: 'always' });
  await storage.saveTokens([{ id: 'a', name: 'First' }, { id: 'b' }, 'plain text', 5, null]);
  assert.equal(await mirrorText(dataDir, 'tokens'), JSON.stringify(await storage.loadTokens(), null, 2));
});

test('tokens: without the JSON file, the log alone has no old artistInfo', async (t) => {
  const { storage, dataDir } = await openStorage(t, Storage);
  await storage.saveTokens([1, 2], { name: 'Artist', links: ['x'] });
  await storage.saveTokens([], null);
  const data = await storage.loadTokens();
  assert.deepEqual(Object.keys(data), ['lastUpdated', 'count', 'tokens']);
  await storage.close();
  await unlink(mirrorPath(dataDir, 'tokens'));
  const again = await openStorage(t, Storage, { dataDir });
  assert.deepEqual(await again.storage.loadTokens(), data);
});

test('tokens: in a fixed order, also after an admin changed it', async (t) => {
  const { storage, dataDir } = await openStorage(t, Storage);
  await mkdir(dataDir, { recursive: true });
  await writeFile(mirrorPath(dataDir, 'tokens'), '{"tokens":[1],"extra":true,"count":1}');
  assert.deepEqual(Object.keys(await storage.loadTokens()), ['tokens', 'extra', 'count']);
  await storage.saveTokens([2]);
  assert.deepEqual(Object.keys(await storage.loadTokens()), ['lastUpdated', 'count', 'tokens']);
  assert.deepEqual(Object.keys(await readMirror(dataDir, 'tokens')), ['lastUpdated', 'count', 'tokens']);
});

test('tokens: due for a refresh after 24 hours, or without a date', async (t) => {
  const { storage, dataDir } = await openStorage(t, Storage);
  await storage.saveTokens([1]);
  assert.equal(await storage.needsTokenRefresh(), false);
  const data = await storage.loadTokens();
  const hour = 3_600_000;
  for (const [lastUpdated, expected] of [
    [new Date(Date.now() - 25 * hour).toISOString(), true],
    [new Date(Date.now() - 23 * hour).toISOString(), false],
    [undefined, true],
  ]) {
    await writeFile(mirrorPath(dataDir, 'tokens'), JSON.stringify({ ...data, lastUpdated }, null, 2));
    assert.equal(await storage.needsTokenRefresh(), expected, `lastUpdated ${lastUpdated}`);
  }
});

test('players: the JSON file shows the whole set, in its order', async (t) => {
  const { storage, dataDir } = await openStorage(t, Storage);
  for (const id of ['a', 'b', 'c']) await storage.updatePlayerStats(id, id, 1);
  const set = {
    c: { userId: 'c', totalScore: 3 },
    10: { userId: '10' },
    d: { x: [1, { y: null }] },
    9: {},
    a: {},
  };
  await storage.savePlayers(set);
  assert.equal(await mirrorText(dataDir, 'players'), JSON.stringify(set, null, 2));
  await storage.savePlayers({});
  assert.deepEqual(await readMirror(dataDir, 'players'), {});
});

test('players: the JSON file is deleted; the log brings everything back', async (t) => {
  const { storage, dataDir } = await openStorage(t, Storage);
  await storage.updatePlayerStats('a', 'Ann', 5);
  await storage.updatePlayerStats('b', 'Bea', 6);
  const before = await storage.loadPlayers();
  await unlink(mirrorPath(dataDir, 'players'));
  assert.deepEqual(await storage.loadPlayers(), before);
  await assert.rejects(stat(mirrorPath(dataDir, 'players')), { code: 'ENOENT' }, 'reading writes nothing');
  await storage.updatePlayerStats('b', 'Bea', 1);
  assert.deepEqual(await readMirror(dataDir, 'players'), await storage.loadPlayers());
});

test('players: the log is deleted; the JSON file brings everything back', async (t) => {
  const { storage, dataDir } = await openStorage(t, Storage);
  await storage.updatePlayerStats('a', 'Ann', 5);
  await storage.updatePlayerStats('b', 'Bea', 6);
  const before = await storage.loadPlayers();
  await unlink(logPath(dataDir, 'players'));
  assert.deepEqual(await storage.loadPlayers(), before);
  await storage.updatePlayerStats('b', 'Bea', 1);
  assert.deepEqual(await storage.rebuildStateFromLog('players'), await storage.loadPlayers());
  assert.equal(Object.keys(await storage.loadPlayers()).length, 2);
});

test('players: both files are deleted; nobody is left', async (t) => {
  const { storage, dataDir } = await openStorage(t, Storage);
  await storage.updatePlayerStats('a', 'Ann', 5);
  await unlink(mirrorPath(dataDir, 'players'));
  await unlink(logPath(dataDir, 'players'));
  assert.deepEqual(await storage.loadPlayers(), {});
  assert.deepEqual(await storage.getLeaderboard(), []);
  assert.equal((await storage.getPlayerStats('a')).totalGames, 0);
  await storage.updatePlayerStats('b', 'Bea', 6);
  assert.deepEqual(Object.keys(await readMirror(dataDir, 'players')), ['b']);
  assert.equal((await readLogLines(dataDir, 'players')).length, 1);
});

test('players: both files are deleted; without a later write, closing creates no file', async (t) => {
  const { storage, dataDir } = await openStorage(t, Storage);
  await storage.updatePlayerStats('a', 'Ann', 5);
  await unlink(mirrorPath(dataDir, 'players'));
  await unlink(logPath(dataDir, 'players'));
  await storage.close();
  await assert.rejects(stat(mirrorPath(dataDir, 'players')), { code: 'ENOENT' });
  await assert.rejects(stat(logPath(dataDir, 'players')), { code: 'ENOENT' });
});

test('players: a first start on the old JSON file alone keeps everybody', async (t) => {
  const { storage, dataDir } = await openStorage(t, Storage);
  await mkdir(dataDir, { recursive: true });
  const old = { b: { userId: 'b', totalScore: 2 }, a: { userId: 'a', totalScore: 1, title: 'Founder' } };
  await writeFile(mirrorPath(dataDir, 'players'), JSON.stringify(old));
  assert.deepEqual(await storage.loadPlayers(), old);
  await storage.updatePlayerStats('c', 'Cem', 3);
  const log = await storage.rebuildStateFromLog('players');
  assert.deepEqual(Object.keys(log), ['b', 'a', 'c'], 'the log is complete with the first write');
  assert.deepEqual(log.a, old.a);
  assert.equal((await storage.readLogEntries('players'))[0].op, 'CHECKPOINT');
});

test('game state: the JSON file shows all of them', async (t) => {
  const { storage, dataDir } = await openStorage(t, Storage, { fsync: 'always' });
  await storage.saveGameState('c1', { round: 1, players: ['u1'], lastUpdated: 'the caller’s' });
  await storage.saveGameState('c2', { lastUpdated: 1, round: 7 });
  assert.equal(
    await mirrorText(dataDir, 'game_state'),
    JSON.stringify(await storage.getAllGameStates(), null, 2),
  );
});

test('game state: a cleared one is not in the JSON file, and the log alone knows that', async (t) => {
  const { storage, dataDir } = await openStorage(t, Storage);
  await storage.saveGameState('c1', { round: 1 });
  await storage.saveGameState('c2', { round: 2 });
  await storage.clearGameState('c1');
  assert.deepEqual(Object.keys(await readMirror(dataDir, 'game_state')), ['c2']);
  await storage.clearGameState('never there');
  await unlink(mirrorPath(dataDir, 'game_state'));
  assert.deepEqual(Object.keys(await storage.getAllGameStates()), ['c2']);
  await storage.saveGameState('c1', { round: 3 });
  assert.deepEqual(Object.keys(await storage.getAllGameStates()), ['c2', 'c1']);
});

test('a small JSON file is current when the promise resolves', async (t) => {
  const { storage, dataDir } = await openStorage(t, Storage);
  for (let i = 0; i < 30; i++) {
    const player = await storage.updatePlayerStats(`u${i % 7}`, 'name', i);
    assert.deepEqual((await readMirror(dataDir, 'players'))[player.userId], player);
  }
});

test('the folder has the files of the bot, and one folder of the package', async (t) => {
  const { storage, dataDir } = await openStorage(t, Storage);
  await storage.updatePlayerStats('u', 'Ann', 1);
  await storage.saveTokens([1]);
  await storage.saveGameState('c', {});
  await storage.close();
  assert.deepEqual((await readdir(dataDir)).sort(), [
    '.progressive-storage',
    'game_state.json',
    'logs',
    'players.json',
    'tokens.json',
  ]);
  assert.deepEqual((await readdir(path.join(dataDir, 'logs'))).sort(), [
    'game_state.log',
    'players.log',
    'tokens.log',
  ]);
});

test('compactAllLogs leaves the JSON files in step with the logs', async (t) => {
  const { storage, dataDir } = await openStorage(t, Storage);
  for (let i = 0; i < 10; i++) {
    await storage.updatePlayerStats(`u${i % 3}`, 'name', i);
    await storage.saveGameState('c', { i });
    await storage.saveTokens([i]);
  }
  const names = ['players', 'tokens', 'game_state'];
  const before = await Promise.all(names.map((name) => storage.rebuildStateFromLog(name)));
  await storage.compactAllLogs();
  for (const [index, name] of names.entries()) {
    assert.deepEqual(await readMirror(dataDir, name), before[index]);
    assert.deepEqual(await storage.rebuildStateFromLog(name), before[index]);
  }
});

test('compact makes the file of a log that was not there', async (t) => {
  const { storage, dataDir } = await openStorage(t, Storage);
  await storage.compact();
  assert.equal((await readLogLines(dataDir, 'tokens')).length, 1);
});

test('a failure on one log does not stop compactAllLogs', async (t) => {
  const { storage, dataDir } = await openStorage(t, Storage);
  // Nobody can read or replace a folder at the log's path.
  await mkdir(path.join(logPath(dataDir, 'players'), 'in the way'), { recursive: true });
  await storage.saveTokens([1]);
  await storage.saveGameState('c', { i: 1 });
  await storage.compactAllLogs().catch(() => {});
  assert.equal((await storage.readLogEntries('tokens'))[0].op, 'CHECKPOINT');
  assert.equal((await storage.readLogEntries('game_state'))[0].op, 'CHECKPOINT');
  assert.ok((await stat(logPath(dataDir, 'players'))).isDirectory());
});
