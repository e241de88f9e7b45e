// Going back is possible at any time: with the process stopped, the old module reads our files and has the same state.
// Going forth too: the old module continues, and we continue from its files.

import assert from 'node:assert/strict';
import { unlink } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { Storage } from '../../index.js';
import * as oldLog from '../old-module/append-log.mjs';
import * as oldStorage from '../old-module/storage.mjs';
import {
  atEnd,
  logPath,
  mirrorPath,
  openStorage,
  packageUrl,
  startScript,
  temporaryFolder,
  waitUntil,
} from '../support/temp.mjs';

const NAMES = ['players', 'tokens', 'game_state'];

function useOldModule(t, dataDir) {
  process.env.OLD_DATA_DIR = dataDir;
  atEnd(t, () => {
    delete process.env.OLD_DATA_DIR;
  });
}

async function stateOf(api) {
  return JSON.stringify({
    players: await api.loadPlayers(),
    tokens: await api.loadTokens(),
    games: await api.getAllGameStates(),
  });
}

// Reads with the old module twice: from the JSON files, and from the logs alone.
async function assertOldModuleHas(t, dataDir, expected) {
  useOldModule(t, dataDir);
  assert.equal(await stateOf(oldStorage), expected, 'by the JSON files');
  const { players, tokens, games } = JSON.parse(expected);
  assert.equal(
    JSON.stringify(await oldLog.rebuildStateFromLog('players')),
    JSON.stringify(players),
    'by the log',
  );
  assert.equal(
    JSON.stringify(await oldLog.rebuildStateFromLog('tokens')),
    JSON.stringify(tokens ?? {}),
    'by the log',
  );
  assert.equal(
    JSON.stringify(await oldLog.rebuildStateFromLog('game_state')),
    JSON.stringify(games),
    'by the log',
  );
}

// Some of everything: integer-like keys, removed players, whole games, cleared states, tokens with and without artistInfo.
async function someNights(storage, { from = 0, nights = 3 } = {}) {
  for (let night = from; night < from + nights; night++) {
    for (let i = 0; i < 6; i++) {
      await storage.updatePlayerStats(
        `user${(night + i) % 8}`,
        `Näme "${i}" 😀\n`,
        i * 7.5,
        i === 0,
        i,
        6 - i,
      );
    }
    await storage.updatePlayersStats([
      { userId: String(night * 10), username: 'digits', score: night, isWinner: true },
      { userId: 'constructor', username: 'awkward', score: -1.5 },
    ]);
    await storage.saveGameState(`channel${night % 2}`, { night, scores: { a: 1e21, b: 0.1 } });
    await storage.saveGameState(`closing${night}`, { night });
    await storage.clearGameState(`closing${night}`);
    if (night % 2 === 0) await storage.saveTokens([night, { id: night }], { artist: night });
    else await storage.saveTokens([night]);
  }
  const players = await storage.loadPlayers();
  delete players.user3;
  if (players.user2) players.user2.title = 'given by hand';
  await storage.savePlayers(players);
}

test('after a clean end', async (t) => {
  const { storage, dataDir } = await openStorage(t, Storage);
  await someNights(storage);
  const expected = await stateOf(storage);
  await storage.close();
  await assertOldModuleHas(t, dataDir, expected);
});

test('after a compaction and later writes', async (t) => {
  const { storage, dataDir } = await openStorage(t, Storage);
  await someNights(storage);
  await storage.compactAllLogs();
  await someNights(storage, { from: 3 });
  const expected = await stateOf(storage);
  await storage.close();
  await assertOldModuleHas(t, dataDir, expected);
});

test('the old module reads the same entries', async (t) => {
  const { storage, dataDir } = await openStorage(t, Storage);
  await someNights(storage);
  await storage.appendLogEntry('notes', { op: 'SET', key: 'k', value: { a: [1, 'é'] } });
  await storage.appendLogEntry('notes', { op: 'NOTE', text: '\u2028' });
  useOldModule(t, dataDir);
  for (const name of [...NAMES, 'notes']) {
    const ours = await storage.readLogEntries(name);
    // Only the old module reads the last line of an operation with several lines as an entry.
    const theirs = (await oldLog.readLogEntries(name)).filter((entry) => !entry._end);
    for (const entry of theirs) {
      delete entry._crc;
      delete entry._more;
    }
    assert.equal(JSON.stringify(theirs), JSON.stringify(ours), name);
    assert.equal(await oldLog.getLogSize(name), await storage.getLogSize(name));
  }
});

test('after a clean end, with a state too large for an immediate mirror', async (t) => {
  const { storage, dataDir } = await openStorage(t, Storage);
  const players = {};
  for (let i = 0; i < 3000; i++)
    players[`user${i}`] = { userId: `user${i}`, totalScore: i, bio: 'x'.repeat(500) };
  await storage.savePlayers(players);
  await storage.compactLog('players');
  for (let i = 0; i < 20; i++) await storage.updatePlayerStats(`user${i * 100}`, 'late', 1);
  const expected = await stateOf(storage);
  await storage.close();
  await assertOldModuleHas(t, dataDir, expected);
});

test('after kill -9', async (t) => {
  const folder = await temporaryFolder(t);
  const dataDir = path.join(folder, 'data');
  const { child, output, ended } = await startScript(t, {
    cwd: folder,
    env: { PROGRESSIVE_STORAGE_DIR: dataDir },
    source: `
      import { loadPlayers, saveGameState, updatePlayerStats } from ${JSON.stringify(packageUrl)};
      for (let i = 0; i < 40; i++) {
        await updatePlayerStats('user' + (i % 5), 'name', i);
        await saveGameState('c', { i });
      }
      console.log('acked');
      setInterval(() => {}, 1000);
    `,
  });
  await waitUntil(() => output.stdout.includes('acked') || child.exitCode !== null, { what: 'the child' });
  child.kill('SIGKILL');
  await ended;
  useOldModule(t, dataDir);
  const players = await oldStorage.loadPlayers();
  for (let i = 0; i < 5; i++) assert.equal(players[`user${i}`]?.totalGames, 8);
  assert.equal((await oldStorage.loadGameState('c')).i, 39);
  assert.deepEqual(await oldLog.rebuildStateFromLog('players'), players);

  const { storage } = await openStorage(t, Storage, { dataDir });
  assert.deepEqual(await storage.loadPlayers(), players);
});

test('back and forth: each module continues where the other one stopped', async (t) => {
  const folder = await temporaryFolder(t);
  const dataDir = path.join(folder, 'data');
  useOldModule(t, dataDir);
  let wins = 0;
  for (let turn = 0; turn < 6; turn++) {
    if (turn % 2 === 0) {
      // Now the old module, which also compacts.
      await oldStorage.updatePlayerStats('both', 'Both', 10, true, 1, 1);
      await oldStorage.updatePlayerStats(`old${turn}`, 'Old', turn);
      await oldStorage.saveGameState('c', { turn, by: 'old' });
      await oldStorage.saveTokens([turn], { turn });
      if (turn === 2) await oldStorage.compactAllLogs();
    } else {
      const storage = new Storage({ dataDir });
      atEnd(t, () => storage.close().catch(() => {}));
      await storage.updatePlayerStats('both', 'Both', 10, true, 1, 1);
      await storage.updatePlayerStats(`new${turn}`, 'New', turn);
      await storage.saveGameState('c', { turn, by: 'new' });
      await storage.saveTokens([turn], { turn });
      if (turn === 3) await storage.compactAllLogs();
      await storage.close();
    }
    wins++;
    const expected = await stateOf(oldStorage);
    const storage = new Storage({ dataDir });
    assert.equal(await stateOf(storage), expected, `turn ${turn}`);
    await storage.close();
    assert.equal(JSON.parse(expected).players.both.totalWins, wins);
    assert.equal(JSON.parse(expected).players.both.totalGames, wins);
    assert.equal(JSON.parse(expected).games.c.turn, turn);
    await assertOldModuleHas(t, dataDir, expected);
  }
});

test('a folder of the old module with either file missing', async (t) => {
  for (const missing of ['nothing', 'json', 'log']) {
    const folder = await temporaryFolder(t);
    const dataDir = path.join(folder, 'data');
    useOldModule(t, dataDir);
    for (let i = 0; i < 30; i++)
      await oldStorage.updatePlayerStats(String((i * 7) % 11), `Name ${i}`, i, i % 2 === 0);
    await oldStorage.saveGameState('c', { round: 1 });
    await oldStorage.clearGameState('c');
    await oldStorage.saveTokens([1, 2, 3]);
    const expected = await stateOf(oldStorage);
    for (const name of NAMES) {
      if (missing === 'json') await unlink(mirrorPath(dataDir, name));
      if (missing === 'log') await unlink(logPath(dataDir, name));
    }
    const { storage } = await openStorage(t, Storage, { dataDir });
    assert.equal(await stateOf(storage), expected, `${missing} missing`);
    await storage.updatePlayerStats('new', 'New', 1);
    await storage.saveGameState('c2', { round: 1 });
    await storage.saveTokens([4]);
    const after = await stateOf(storage);
    await storage.close();
    await assertOldModuleHas(t, dataDir, after);
  }
});

test('what only the JSON files of the old module have is in both files afterwards', async (t) => {
  const folder = await temporaryFolder(t);
  const dataDir = path.join(folder, 'data');
  useOldModule(t, dataDir);
  for (const id of ['a', 'b', 'c']) await oldStorage.updatePlayerStats(id, id, 5);
  await unlink(logPath(dataDir, 'players'));
  await oldStorage.updatePlayerStats('b', 'b', 6);
  const expected = await oldStorage.loadPlayers();
  const { storage } = await openStorage(t, Storage, { dataDir });
  assert.deepEqual(await storage.loadPlayers(), expected);
  await storage.updatePlayerStats('c', 'c', 7);
  const log = await storage.rebuildStateFromLog('players');
  assert.deepEqual(log, await storage.loadPlayers(), 'the log is complete with the first write');
  assert.deepEqual(Object.keys(log).sort(), ['a', 'b', 'c']);
  await storage.close();
  useOldModule(t, dataDir);
  assert.deepEqual(await oldStorage.loadPlayers(), await oldLog.rebuildStateFromLog('players'));
});
