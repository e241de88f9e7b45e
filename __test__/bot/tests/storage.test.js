// Tests of services/storage.js. Run from the bot's folder: node tests/storage.test.js
// They use the real files under data/, and clear them before every case.

import assert from 'node:assert';
import fs from 'node:fs/promises';
import path from 'node:path';
import { readLogEntries, rebuildStateFromLog } from '../services/append-log.js';
import {
  clearGameState,
  getAllGameStates,
  getLeaderboard,
  getPlayerStats,
  loadGameState,
  loadPlayers,
  loadTokens,
  needsTokenRefresh,
  saveGameState,
  savePlayers,
  saveTokens,
  updatePlayerStats,
} from '../services/storage.js';

const DATA_DIR = path.join(process.cwd(), 'data');
const LOGS_DIR = path.join(DATA_DIR, 'logs');
const PLAYERS_FILE = path.join(DATA_DIR, 'players.json');
const PLAYERS_LOG = path.join(LOGS_DIR, 'players.log');
const GAMES_FILE = path.join(DATA_DIR, 'game_state.json');
const GAMES_LOG = path.join(LOGS_DIR, 'game_state.log');
const TOKENS_FILE = path.join(DATA_DIR, 'tokens.json');
const TOKENS_LOG = path.join(LOGS_DIR, 'tokens.log');

async function remove(...files) {
  for (const file of files) {
    try {
      await fs.unlink(file);
    } catch (error) {
      if (error.code !== 'ENOENT') throw error;
    }
  }
}

async function cleanup() {
  await remove(PLAYERS_FILE, PLAYERS_LOG, GAMES_FILE, GAMES_LOG, TOKENS_FILE, TOKENS_LOG);
}

async function readJson(file) {
  return JSON.parse(await fs.readFile(file, 'utf8'));
}

async function testProgressiveUpdates() {
  console.log('\nTest 1: progressive updates');
  assert.deepStrictEqual(await loadPlayers(), {});

  const first = await updatePlayerStats('user1', 'Alice', 100, true, 8, 2);
  assert.strictEqual(first.totalGames, 1);
  const second = await updatePlayerStats('user1', 'Alice', 50, false, 3, 7);
  assert.strictEqual(second.totalScore, 150);
  await updatePlayerStats('user1', 'Alice B.', 75);

  const entries = await readLogEntries('players');
  assert.strictEqual(entries.length, 3);
  for (const entry of entries) {
    assert.strictEqual(entry.op, 'SET');
    assert.strictEqual(entry.key, 'user1');
  }
  assert.strictEqual(entries[2].value.username, 'Alice B.');

  const onDisk = await readJson(PLAYERS_FILE);
  assert.strictEqual(onDisk.user1.totalGames, 3);
  assert.strictEqual(onDisk.user1.totalScore, 225);
  assert.strictEqual(onDisk.user1.averageScore, 75);
  assert.deepStrictEqual(await rebuildStateFromLog('players'), onDisk);

  // The admin corrects a score by hand, without stopping the bot.
  onDisk.user1.totalScore = 1000;
  await fs.writeFile(PLAYERS_FILE, JSON.stringify(onDisk, null, 2));
  assert.strictEqual((await getPlayerStats('user1')).totalScore, 1000);
  const third = await updatePlayerStats('user1', 'Alice', 20);
  assert.strictEqual(third.totalScore, 1020);
  assert.strictEqual((await readJson(PLAYERS_FILE)).user1.totalScore, 1020);
}

async function testGameState() {
  console.log('\nTest 2: game state');
  assert.strictEqual(await loadGameState('channel1'), null);
  assert.deepStrictEqual(await getAllGameStates(), {});

  for (let round = 1; round <= 5; round++) {
    await saveGameState('channel1', { round, players: ['user1', 'user2'], scores: { user1: round * 10 } });
  }
  await saveGameState('channel2', { round: 1, players: [] });

  const state = await loadGameState('channel1');
  assert.strictEqual(state.round, 5);
  assert.deepStrictEqual(state.scores, { user1: 50 });
  assert.ok(!Number.isNaN(Date.parse(state.lastUpdated)));
  assert.deepStrictEqual(Object.keys(await getAllGameStates()), ['channel1', 'channel2']);
  assert.deepStrictEqual(await readJson(GAMES_FILE), await getAllGameStates());

  assert.strictEqual(await loadTokens(), null);
  assert.strictEqual(await needsTokenRefresh(), true);
  await saveTokens([{ id: 't1' }, { id: 't2' }], { name: 'Artist' });
  const tokens = await loadTokens();
  assert.strictEqual(tokens.count, 2);
  assert.deepStrictEqual(tokens.artistInfo, { name: 'Artist' });
  assert.strictEqual(await needsTokenRefresh(), false);
  tokens.lastUpdated = new Date(Date.now() - 25 * 3600 * 1000).toISOString();
  await fs.writeFile(TOKENS_FILE, JSON.stringify(tokens, null, 2));
  assert.strictEqual(await needsTokenRefresh(), true);
}

async function testTombstones() {
  console.log('\nTest 3: tombstones');
  await saveGameState('channel1', { round: 1 });
  await saveGameState('channel2', { round: 2 });
  await clearGameState('channel1');

  assert.strictEqual(await loadGameState('channel1'), null);
  assert.strictEqual((await loadGameState('channel2')).round, 2);
  const entries = await readLogEntries('game_state');
  assert.strictEqual(entries.length, 3);
  assert.strictEqual(entries[2].op, 'DELETE');
  assert.strictEqual(entries[2].key, 'channel1');
  assert.ok(!('channel1' in (await readJson(GAMES_FILE))));

  // The tombstone holds when only the log is left.
  await remove(GAMES_FILE);
  assert.strictEqual(await loadGameState('channel1'), null);
  assert.deepStrictEqual(Object.keys(await getAllGameStates()), ['channel2']);
  await saveGameState('channel1', { round: 9 });
  assert.deepStrictEqual(Object.keys(await readJson(GAMES_FILE)), ['channel2', 'channel1']);
}

async function testCrashRecovery() {
  console.log('\nTest 4: crash recovery');
  await updatePlayerStats('user1', 'Alice', 100, true, 5, 0);
  await updatePlayerStats('user2', 'Bob', 60, false, 3, 2);
  await updatePlayerStats('user1', 'Alice', 40, false, 2, 3);
  const before = await loadPlayers();

  await remove(PLAYERS_FILE);
  assert.deepStrictEqual(await loadPlayers(), before);
  assert.strictEqual((await getPlayerStats('user1')).totalScore, 140);

  await updatePlayerStats('user2', 'Bob', 10);
  assert.strictEqual((await readJson(PLAYERS_FILE)).user1.totalScore, 140);
  assert.strictEqual((await readJson(PLAYERS_FILE)).user2.totalScore, 70);

  // A log from elsewhere, and no players.json.
  await remove(PLAYERS_FILE, PLAYERS_LOG);
  const player = { userId: 'user9', username: 'Zoe', totalGames: 4, totalScore: 44 };
  await fs.writeFile(
    PLAYERS_LOG,
    `${JSON.stringify({ timestamp: '2024-05-01T10:00:00.000Z', op: 'SET', key: 'user8', value: { userId: 'user8' } })}\n` +
      `${JSON.stringify({ timestamp: '2024-05-01T10:00:01.000Z', op: 'SET', key: 'user9', value: player })}\n` +
      `${JSON.stringify({ timestamp: '2024-05-01T10:00:02.000Z', op: 'DELETE', key: 'user8' })}\n`,
  );
  assert.deepStrictEqual(await loadPlayers(), { user9: player });
  assert.strictEqual((await updatePlayerStats('user9', 'Zoe', 6)).totalScore, 50);

  // A players.json that is no JSON any more: the log still has everything.
  const whole = await loadPlayers();
  await fs.writeFile(PLAYERS_FILE, '{ "user9": { "userId": "us');
  assert.deepStrictEqual(await loadPlayers(), whole);
}

async function testSeveralPlayers() {
  console.log('\nTest 5: several players');
  for (let i = 1; i <= 12; i++) {
    await updatePlayerStats(`user${i}`, `Player ${i}`, i * 10, i === 12, i, 12 - i);
  }
  const players = await loadPlayers();
  assert.strictEqual(Object.keys(players).length, 12);

  const board = await getLeaderboard();
  assert.strictEqual(board.length, 10);
  assert.strictEqual(board[0].username, 'Player 12');
  assert.strictEqual(board[9].username, 'Player 3');
  assert.strictEqual((await getLeaderboard('totalScore', 3)).length, 3);

  const unknown = await getPlayerStats('nobody');
  assert.strictEqual(unknown.username, null);
  assert.strictEqual(unknown.totalGames, 0);
  assert.strictEqual(Object.keys(await loadPlayers()).length, 12);

  delete players.user1;
  players.user2.username = 'Renamed';
  await savePlayers(players);
  const saved = await loadPlayers();
  assert.deepStrictEqual(saved, players);
  await remove(PLAYERS_FILE);
  assert.deepStrictEqual(await loadPlayers(), players);
}

let failures = 0;
for (const run of [
  testProgressiveUpdates,
  testGameState,
  testTombstones,
  testCrashRecovery,
  testSeveralPlayers,
]) {
  await fs.mkdir(LOGS_DIR, { recursive: true });
  await cleanup();
  try {
    await run();
    console.log(`PASS ${run.name}`);
  } catch (error) {
    failures++;
    console.error(`FAIL ${run.name}`, error);
  }
}
await cleanup();
console.log(failures === 0 ? '\nAll storage tests passed' : `\n${failures} storage tests failed`);
if (failures > 0) process.exit(1);
