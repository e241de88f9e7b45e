// getLeaderboard and getPlayerRank: every field, and ties in stored order. That order is the one of a JavaScript object:
// keys that look like array indices come first.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Storage } from '../../index.js';
import { BY_LEVEL, LEVELS, NO_NUMBERS } from '../support/records.mjs';
import { openStorage } from '../support/temp.mjs';

function expectedBoard(players, field) {
  const value = (player) => (typeof player[field] === 'number' ? player[field] : 0);
  return Object.values(players).sort((a, b) => value(b) - value(a));
}

async function assertBoardAndRanks(storage, players, field) {
  const board = expectedBoard(players, field);
  assert.deepEqual(await storage.getLeaderboard(field, Number.POSITIVE_INFINITY), board, field);
  const ids = new Map(Object.entries(players).map(([key, player]) => [player, key]));
  for (const [index, player] of board.entries()) {
    const rank = await storage.getPlayerRank(ids.get(player), field);
    assert.deepEqual(rank, { rank: index + 1, of: board.length }, `${ids.get(player)} by ${field}`);
  }
}

test('nobody has played: an empty leaderboard, no rank', async (t) => {
  const { storage } = await openStorage(t, Storage);
  assert.deepEqual(await storage.getLeaderboard(), []);
  assert.equal(await storage.getPlayerRank('u1'), null);
});

test('by total score, the best ten, by default', async (t) => {
  const { storage } = await openStorage(t, Storage);
  for (let i = 1; i <= 15; i++) await storage.updatePlayerStats(`u${i}`, `Player ${i}`, (i * 7) % 16);
  const board = await storage.getLeaderboard();
  assert.equal(board.length, 10);
  assert.deepEqual(
    board.map((player) => player.totalScore),
    [15, 14, 13, 12, 11, 10, 9, 8, 7, 6],
  );
  assert.deepEqual(await storage.getLeaderboard('totalScore', 10), board);
  assert.deepEqual(await storage.getLeaderboard(undefined, undefined), board);
  assert.deepEqual(board[0], await storage.getPlayerStats(board[0].userId));
});

test('the limit', async (t) => {
  const { storage } = await openStorage(t, Storage);
  for (let i = 1; i <= 12; i++) await storage.updatePlayerStats(`u${i}`, 'x', i);
  for (const [limit, length] of [
    [0, 0],
    [1, 1],
    [12, 12],
    [13, 12],
    [1e9, 12],
    [Number.POSITIVE_INFINITY, 12],
  ]) {
    assert.equal((await storage.getLeaderboard('totalScore', limit)).length, length, `limit ${limit}`);
  }
});

test('by every field of the record', async (t) => {
  const { storage } = await openStorage(t, Storage);
  const games = [
    ['a', 100, true, 2, 8],
    ['b', 70, true, 9, 1],
    ['b', 20, true, 9, 1],
    ['c', 30, false, 4, 6],
    ['c', 30, false, 4, 6],
    ['c', 35, false, 4, 6],
    ['d', -5, false, 0, 1],
  ];
  for (const [id, ...game] of games) await storage.updatePlayerStats(id, id.toUpperCase(), ...game);
  const players = await storage.loadPlayers();
  for (const field of [
    'totalGames',
    'totalWins',
    'totalScore',
    'averageScore',
    'bestScore',
    'totalCorrectAnswers',
    'totalIncorrectAnswers',
    'totalAnswers',
    'accuracyRate',
  ]) {
    await assertBoardAndRanks(storage, players, field);
  }
  assert.deepEqual(
    (await storage.getLeaderboard('totalScore')).map((player) => player.userId),
    ['a', 'c', 'b', 'd'],
  );
});

test('by any other numeric field, where a missing or other value counts as zero', async (t) => {
  const { storage } = await openStorage(t, Storage);
  await storage.savePlayers(LEVELS);
  await assertBoardAndRanks(storage, LEVELS, 'level');
  assert.deepEqual(
    (await storage.getLeaderboard('level')).map((player) => player.userId),
    BY_LEVEL,
  );
  for (const field of NO_NUMBERS) {
    const board = await storage.getLeaderboard(field).catch((error) => {
      // An empty field name may be refused, like any bad argument.
      assert.equal(field, '');
      assert.ok(error instanceof TypeError);
      return Object.values(LEVELS);
    });
    assert.deepEqual(board, Object.values(LEVELS), `by ${field}: all are equal, the stored order stays`);
  }
});

test('records come back as they are stored, without default fields', async (t) => {
  const { storage } = await openStorage(t, Storage);
  await storage.savePlayers({ a: { totalScore: 1 }, b: {} });
  assert.deepEqual(await storage.getLeaderboard(), [{ totalScore: 1 }, {}]);
});

test('ties are in stored order, and keep it when a player plays again', async (t) => {
  const { storage } = await openStorage(t, Storage);
  for (const id of ['c', 'a', 'b']) await storage.updatePlayerStats(id, id, 10);
  const order = async () => (await storage.getLeaderboard()).map((player) => player.userId);
  assert.deepEqual(await order(), ['c', 'a', 'b']);
  await storage.updatePlayerStats('c', 'c', -10);
  assert.deepEqual(await order(), ['a', 'b', 'c']);
  await storage.updatePlayerStats('c', 'c', 10);
  assert.deepEqual(await order(), ['c', 'a', 'b'], 'an update does not move a player in the stored order');
  assert.deepEqual(await storage.getPlayerRank('a'), { rank: 2, of: 3 });
});

test('stored order is the order of properties: integer-like keys first, ascending', async (t) => {
  const { storage, dataDir } = await openStorage(t, Storage);
  const keys = [
    'b',
    '10',
    '9',
    'a',
    '0',
    '-1',
    '01',
    '1.5',
    '4294967295',
    '4294967294',
    '4294967296',
    '184467440737095516',
    '2',
    '1e3',
    ' 3',
    '2147483648',
  ];
  const likeJavaScript = {};
  for (const key of keys) {
    await storage.updatePlayerStats(key, 'same', 1);
    likeJavaScript[key] = true;
  }
  const expected = Object.keys(likeJavaScript);
  assert.deepEqual(Object.keys(await storage.loadPlayers()), expected);
  assert.deepEqual(
    (await storage.getLeaderboard('totalScore', 100)).map((player) => player.userId),
    expected,
  );
  for (const [index, key] of expected.entries()) {
    assert.deepEqual(await storage.getPlayerRank(key), { rank: index + 1, of: keys.length }, key);
  }
  await storage.compactLog('players');
  await storage.close();
  const again = await openStorage(t, Storage, { dataDir });
  assert.deepEqual(
    (await again.storage.getLeaderboard('totalScore', 100)).map((player) => player.userId),
    expected,
  );
});

test('the rank of an unknown player is null, whatever the name', async (t) => {
  const { storage } = await openStorage(t, Storage);
  await storage.updatePlayerStats('u1', 'Ann', 1);
  for (const id of ['nobody', 'constructor', '__proto__', 'U1', 'u1 ']) {
    assert.equal(await storage.getPlayerRank(id), null, id);
  }
  assert.deepEqual(await storage.getPlayerRank('u1'), { rank: 1, of: 1 });
});

test('many players with random changes: the result is always that of sorting the whole state', async (t) => {
  const { storage, dataDir } = await openStorage(t, Storage);
  let seed = 20240607;
  const random = (below) => {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
    return Math.floor((seed / 2 ** 32) * below);
  };
  const players = {};
  for (let i = 0; i < 2000; i++) {
    const id = random(2) === 0 ? String(random(100000)) : `user${random(100000)}`;
    players[id] = { userId: id, totalScore: random(300), totalWins: random(3) };
  }
  await storage.savePlayers(players);
  for (let round = 0; round < 40; round++) {
    const ids = Object.keys(players);
    const id = ids[random(ids.length)];
    switch (random(4)) {
      case 0:
        delete players[id];
        await storage.appendLogEntry('players', { op: 'DELETE', key: id });
        break;
      case 1:
        players[id] = { userId: id, totalScore: random(300) };
        await storage.appendLogEntry('players', { op: 'SET', key: id, value: players[id] });
        break;
      default:
        players[id] = await storage.updatePlayerStats(id, 'name', random(50), random(2) === 0);
    }
    const field = ['totalScore', 'totalWins', 'bestScore', 'averageScore'][random(4)];
    const board = expectedBoard(players, field);
    assert.deepEqual(await storage.getLeaderboard(field, 25), board.slice(0, 25));
    const at = random(board.length);
    assert.deepEqual(await storage.getPlayerRank(board[at].userId, field), {
      rank: at + 1,
      of: board.length,
    });
  }
  const before = await storage.getLeaderboard('totalScore', 3000);
  await storage.close();
  const again = await openStorage(t, Storage, { dataDir });
  assert.deepEqual(await again.storage.getLeaderboard('totalScore', 3000), before);
});
