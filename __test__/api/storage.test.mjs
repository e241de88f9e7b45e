// Tokens, the set of players as a whole, and game states: what each call returns and logs. `statistics` and `leaderboard`
// test the calls for one player and for the order of players, `files/storage` the JSON file for the bot's admin.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Storage } from '../../index.js';
import { openStorage } from '../support/temp.mjs';

const ISO_FORM = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

function assertIsNow(iso) {
  assert.match(iso, ISO_FORM);
  assert.ok(Math.abs(Date.now() - Date.parse(iso)) < 60_000, `${iso} is about now`);
}

// --- tokens ---

test('tokens: none at first', async (t) => {
  const { storage } = await openStorage(t, Storage);
  assert.equal(await storage.loadTokens(), null);
  assert.equal(await storage.needsTokenRefresh(), true);
});

test('tokens: saved with time and count', async (t) => {
  const { storage } = await openStorage(t, Storage, { fsync: 'always' });
  const tokens = [{ id: 'a', name: 'First' }, { id: 'b' }, 'plain text', 5, null];
  await storage.saveTokens(tokens);
  const data = await storage.loadTokens();
  assert.deepEqual(Object.keys(data), ['lastUpdated', 'count', 'tokens']);
  assertIsNow(data.lastUpdated);
  assert.equal(data.count, 5);
  assert.deepEqual(data.tokens, tokens);

  const [entry] = await storage.readLogEntries('tokens');
  assert.deepEqual(Object.keys(entry), ['timestamp', 'op', 'data']);
  assert.equal(entry.op, 'SET');
  assert.deepEqual(entry.data, data);
});

test('tokens: artistInfo is there only when the last call had it', async (t) => {
  const { storage, dataDir } = await openStorage(t, Storage);
  await storage.saveTokens([1, 2], { name: 'Artist', links: ['x'] });
  assert.deepEqual(Object.keys(await storage.loadTokens()), ['lastUpdated', 'count', 'tokens', 'artistInfo']);
  await storage.saveTokens([], null);
  const data = await storage.loadTokens();
  assert.deepEqual(Object.keys(data), ['lastUpdated', 'count', 'tokens']);
  assert.equal(data.count, 0);
  assert.deepEqual(await storage.rebuildStateFromLog('tokens'), data, 'the log alone says the same');
  await storage.close();
  const again = await openStorage(t, Storage, { dataDir });
  assert.deepEqual(await again.storage.loadTokens(), data);
});

test('tokens: in a fixed order, also after others wrote them', async (t) => {
  const { storage } = await openStorage(t, Storage);
  await storage.appendLogEntry('tokens', { op: 'SET', data: { tokens: [1], extra: true, count: 1 } });
  assert.deepEqual(Object.keys(await storage.loadTokens()), ['tokens', 'extra', 'count']);
  await storage.saveTokens([2]);
  assert.deepEqual(Object.keys(await storage.loadTokens()), ['lastUpdated', 'count', 'tokens']);
});

test('tokens: due for a refresh after 24 hours, or without a date', async (t) => {
  const { storage } = await openStorage(t, Storage);
  await storage.saveTokens([1]);
  assert.equal(await storage.needsTokenRefresh(), false);
  const hour = 3_600_000;
  for (const [lastUpdated, expected] of [
    [new Date(Date.now() - 25 * hour).toISOString(), true],
    [new Date(Date.now() - 23 * hour).toISOString(), false],
    [undefined, true],
  ]) {
    await storage.appendLogEntry('tokens', { op: 'SET', key: 'lastUpdated', value: lastUpdated });
    assert.equal(await storage.needsTokenRefresh(), expected, `lastUpdated ${lastUpdated}`);
  }
});

// --- players ---

test('players: none at first, and a fresh object each time', async (t) => {
  const { storage } = await openStorage(t, Storage);
  assert.deepEqual(await storage.loadPlayers(), {});
  await storage.updatePlayerStats('u1', 'Ann', 10);
  const players = await storage.loadPlayers();
  players.u1.username = 'changed by the caller';
  players.u1.gamesHistory.length = 0;
  delete players.u1.totalGames;
  players.u2 = {};
  const again = await storage.loadPlayers();
  assert.deepEqual(Object.keys(again), ['u1']);
  assert.equal(again.u1.username, 'Ann');
  assert.equal(again.u1.totalGames, 1);
  assert.equal(again.u1.gamesHistory.length, 1);
});

test('players: savePlayers replaces the whole set, in its order', async (t) => {
  const { storage } = await openStorage(t, Storage);
  for (const id of ['a', 'b', 'c']) await storage.updatePlayerStats(id, id, 1);
  const set = {
    c: { userId: 'c', totalScore: 3 },
    10: { userId: '10' },
    d: { x: [1, { y: null }] },
    9: {},
    a: {},
  };
  await storage.savePlayers(set);
  assert.equal(JSON.stringify(await storage.loadPlayers()), JSON.stringify(set));
  assert.equal(JSON.stringify(await storage.rebuildStateFromLog('players')), JSON.stringify(set));
  await storage.savePlayers({});
  assert.deepEqual(await storage.loadPlayers(), {});
  assert.deepEqual(await storage.rebuildStateFromLog('players'), {});
});

test('players: the caller may change its object right after the call', async (t) => {
  const { storage } = await openStorage(t, Storage);
  const players = { a: { userId: 'a', totalScore: 1 } };
  const saving = storage.savePlayers(players);
  players.a.totalScore = 99;
  players.b = {};
  await saving;
  assert.deepEqual(await storage.loadPlayers(), { a: { userId: 'a', totalScore: 1 } });
});

test('players: a change made with loadPlayers and savePlayers, as admin commands do', async (t) => {
  const { storage } = await openStorage(t, Storage);
  await storage.updatePlayerStats('a', 'Ann', 5);
  await storage.updatePlayerStats('b', 'Bea', 6);
  const players = await storage.loadPlayers();
  players.a.totalScore = 1000;
  players.a.title = 'Champion';
  delete players.b;
  await storage.savePlayers(players);
  const stats = await storage.updatePlayerStats('a', 'Ann', 1);
  assert.equal(stats.totalScore, 1001);
  assert.equal(stats.title, 'Champion');
  assert.deepEqual(Object.keys(await storage.loadPlayers()), ['a']);
});

// --- game states ---

test('game state: saved with its time, loaded, listed', async (t) => {
  const { storage } = await openStorage(t, Storage, { fsync: 'always' });
  assert.equal(await storage.loadGameState('c1'), null);
  assert.deepEqual(await storage.getAllGameStates(), {});
  const result = await storage.saveGameState('c1', {
    round: 1,
    players: ['u1'],
    lastUpdated: 'the caller’s',
  });
  assert.equal(result, undefined);
  const state = await storage.loadGameState('c1');
  assert.deepEqual(Object.keys(state), ['round', 'players', 'lastUpdated']);
  assertIsNow(state.lastUpdated);

  await storage.saveGameState('c2', { lastUpdated: 1, round: 7 });
  assert.deepEqual(
    Object.keys(await storage.loadGameState('c2')),
    ['lastUpdated', 'round'],
    'its place is kept',
  );
  assert.deepEqual(Object.keys(await storage.getAllGameStates()), ['c1', 'c2']);

  const entries = await storage.readLogEntries('game_state');
  assert.deepEqual(
    entries.map((entry) => [Object.keys(entry).join(), entry.op, entry.key]),
    [
      ['timestamp,op,key,value', 'SET', 'c1'],
      ['timestamp,op,key,value', 'SET', 'c2'],
    ],
  );
  assert.deepEqual(entries[0].value, state);
});

test('game state: the newest counts', async (t) => {
  const { storage } = await openStorage(t, Storage);
  for (let round = 1; round <= 20; round++) await storage.saveGameState('c1', { round, [`only${round}`]: 1 });
  const { lastUpdated, ...state } = await storage.loadGameState('c1');
  assertIsNow(lastUpdated);
  assert.deepEqual(state, { round: 20, only20: 1 }, 'states are replaced, not merged');
});

test('game state: cleared with a tombstone', async (t) => {
  const { storage } = await openStorage(t, Storage);
  await storage.saveGameState('c1', { round: 1 });
  await storage.saveGameState('c2', { round: 2 });
  const result = await storage.clearGameState('c1');
  assert.equal(result, undefined);
  assert.equal(await storage.loadGameState('c1'), null);
  const entry = (await storage.readLogEntries('game_state')).at(-1);
  assert.deepEqual(Object.keys(entry), ['timestamp', 'op', 'key']);
  assert.equal(entry.op, 'DELETE');
  assert.equal(entry.key, 'c1');

  await storage.clearGameState('never there');
  assert.deepEqual(Object.keys(await storage.getAllGameStates()), ['c2']);
  await storage.saveGameState('c1', { round: 3 });
  assert.deepEqual(Object.keys(await storage.getAllGameStates()), ['c2', 'c1']);
});

test('game state: the caller may change the states it gets', async (t) => {
  const { storage } = await openStorage(t, Storage);
  const state = { scores: { u1: 1 } };
  const saving = storage.saveGameState('c1', state);
  state.scores.u1 = 2;
  await saving;
  assert.equal((await storage.loadGameState('c1')).scores.u1, 1);
  (await storage.loadGameState('c1')).scores.u1 = 3;
  (await storage.getAllGameStates()).c1.scores.u1 = 4;
  assert.equal((await storage.loadGameState('c1')).scores.u1, 1);
  assert.ok(!('lastUpdated' in state), 'the argument is left as it was');
});

// --- compaction, reopening ---

test('compactAllLogs compacts the three logs, and the state stays', async (t) => {
  const { storage } = await openStorage(t, Storage);
  for (let i = 0; i < 10; i++) {
    await storage.updatePlayerStats(`u${i % 3}`, 'name', i);
    await storage.saveGameState('c', { i });
    await storage.saveTokens([i]);
  }
  const before = [await storage.loadPlayers(), await storage.loadTokens(), await storage.getAllGameStates()];
  await storage.compactAllLogs();
  for (const name of ['players', 'tokens', 'game_state']) {
    const entries = await storage.readLogEntries(name);
    assert.deepEqual(
      entries.map((entry) => entry.op),
      ['CHECKPOINT'],
      name,
    );
  }
  assert.deepEqual(
    [await storage.loadPlayers(), await storage.loadTokens(), await storage.getAllGameStates()],
    before,
  );
});

test('compact takes one log by name, or all three', async (t) => {
  const { storage } = await openStorage(t, Storage);
  await storage.updatePlayerStats('u', 'Ann', 1);
  await storage.saveGameState('c', { i: 1 });
  await storage.compact('players');
  assert.equal((await storage.readLogEntries('players'))[0].op, 'CHECKPOINT');
  assert.equal((await storage.readLogEntries('game_state'))[0].op, 'SET');
  await storage.compact();
  assert.equal((await storage.readLogEntries('game_state'))[0].op, 'CHECKPOINT');
  assert.equal(
    (await storage.readLogEntries('tokens')).length,
    1,
    'a log that was not there has its checkpoint',
  );
});

test('everything is there after close and a new start', async (t) => {
  const { storage, dataDir } = await openStorage(t, Storage, { fsync: 'always' });
  await storage.updatePlayerStats('u2', 'Bea', 1, true, 3, 4);
  await storage.updatePlayerStats('1', 'Ann', 1.5);
  await storage.saveTokens(['t'], { a: 1 });
  await storage.saveGameState('c1', { round: 1 });
  await storage.saveGameState('c0', { round: 2 });
  await storage.clearGameState('c1');
  const all = async (s) => [
    JSON.stringify(await s.loadPlayers()),
    JSON.stringify(await s.loadTokens()),
    JSON.stringify(await s.getAllGameStates()),
  ];
  const before = await all(storage);
  await storage.close();
  const again = await openStorage(t, Storage, { dataDir });
  assert.deepEqual(await all(again.storage), before);
});

test('a read that is called after a write sees it, awaited or not', async (t) => {
  const { storage } = await openStorage(t, Storage, { fsync: 'always' });
  for (let i = 1; i <= 20; i++) {
    const writing = storage.updatePlayerStats('u', 'Ann', 1);
    const saving = storage.saveGameState('c', { i });
    const [stats, players, board, state] = await Promise.all([
      storage.getPlayerStats('u'),
      storage.loadPlayers(),
      storage.getLeaderboard(),
      storage.loadGameState('c'),
    ]);
    assert.equal(stats.totalGames, i);
    assert.equal(players.u.totalGames, i);
    assert.equal(board[0].totalGames, i);
    assert.equal(state.i, i);
    await Promise.all([writing, saving]);
  }
});
