// updatePlayerStats, updatePlayersStats and getPlayerStats: every field of a player's record, its order, its history, and
// records in the form of an older bot or of an admin. `files/statistics` tests their bytes on disk.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Storage } from '../../index.js';
import { LONG_HISTORY, OLD_FORM, UNKNOWN_FIELDS } from '../support/records.mjs';
import { openStorage } from '../support/temp.mjs';

const FIELDS = [
  'userId',
  'username',
  'totalGames',
  'totalWins',
  'totalScore',
  'averageScore',
  'bestScore',
  'totalCorrectAnswers',
  'totalIncorrectAnswers',
  'totalAnswers',
  'accuracyRate',
  'gamesHistory',
];

async function openOn(t, players) {
  const opened = await openStorage(t, Storage);
  await opened.storage.savePlayers(players);
  return opened;
}

test('a player never seen has the default record, and asking writes nothing', async (t) => {
  const { storage } = await openStorage(t, Storage);
  const stats = await storage.getPlayerStats('u1');
  assert.deepEqual(Object.keys(stats), FIELDS);
  assert.deepEqual(stats, {
    userId: 'u1',
    username: null,
    totalGames: 0,
    totalWins: 0,
    totalScore: 0,
    averageScore: 0,
    bestScore: 0,
    totalCorrectAnswers: 0,
    totalIncorrectAnswers: 0,
    totalAnswers: 0,
    accuracyRate: 0,
    gamesHistory: [],
  });
  assert.deepEqual(await storage.loadPlayers(), {});
  assert.deepEqual(await storage.readLogEntries('players'), []);
});

test('a first game, with the defaults of its parameters', async (t) => {
  const { storage } = await openStorage(t, Storage);
  const record = await storage.updatePlayerStats('u1', 'Ann', 30);
  assert.deepEqual(Object.keys(record), FIELDS);
  const { gamesHistory, ...rest } = record;
  assert.deepEqual(rest, {
    userId: 'u1',
    username: 'Ann',
    totalGames: 1,
    totalWins: 0,
    totalScore: 30,
    averageScore: 30,
    bestScore: 30,
    totalCorrectAnswers: 0,
    totalIncorrectAnswers: 0,
    totalAnswers: 0,
    accuracyRate: 0,
  });
  assert.equal(gamesHistory.length, 1);
  const { date, ...game } = gamesHistory[0];
  assert.deepEqual(Object.keys(gamesHistory[0]), [
    'date',
    'score',
    'isWinner',
    'correctAnswers',
    'incorrectAnswers',
  ]);
  assert.deepEqual(game, { score: 30, isWinner: false, correctAnswers: 0, incorrectAnswers: 0 });
  assert.match(date, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  assert.deepEqual(await storage.getPlayerStats('u1'), record);
});

test('games add up', async (t) => {
  const { storage } = await openStorage(t, Storage);
  await storage.updatePlayerStats('u1', 'Ann', 10, true, 7, 3);
  await storage.updatePlayerStats('u1', 'Ann', 25, false, 1, 4);
  const record = await storage.updatePlayerStats('u1', 'Annabel', 8, true, 0, 0);
  assert.equal(record.username, 'Annabel');
  assert.equal(record.totalGames, 3);
  assert.equal(record.totalWins, 2);
  assert.equal(record.totalScore, 43);
  assert.equal(record.averageScore, 14);
  assert.equal(record.bestScore, 25);
  assert.equal(record.totalCorrectAnswers, 8);
  assert.equal(record.totalIncorrectAnswers, 7);
  assert.equal(record.totalAnswers, 15);
  assert.equal(record.accuracyRate, 53);
  assert.deepEqual(
    record.gamesHistory.map((game) => [
      game.score,
      game.isWinner,
      game.correctAnswers,
      game.incorrectAnswers,
    ]),
    [
      [10, true, 7, 3],
      [25, false, 1, 4],
      [8, true, 0, 0],
    ],
  );
});

test('an update is one SET of the whole record under the user id', async (t) => {
  const { storage } = await openStorage(t, Storage);
  const record = await storage.updatePlayerStats('u1', 'Ann', 10, true, 7, 3);
  const [entry, ...rest] = await storage.readLogEntries('players');
  assert.equal(rest.length, 0);
  assert.deepEqual(Object.keys(entry), ['timestamp', 'op', 'key', 'value']);
  assert.equal(entry.op, 'SET');
  assert.equal(entry.key, 'u1');
  assert.equal(JSON.stringify(entry.value), JSON.stringify(record));
});

test('the best score never falls below zero, and negative scores count', async (t) => {
  const { storage } = await openStorage(t, Storage);
  await storage.updatePlayerStats('u1', 'Ann', -10);
  const record = await storage.updatePlayerStats('u1', 'Ann', -4);
  assert.equal(record.totalScore, -14);
  assert.equal(record.averageScore, -7);
  assert.equal(record.bestScore, 0);
});

test('accuracy is rounded to whole percents', async (t) => {
  const { storage } = await openStorage(t, Storage);
  const cases = [
    [0, 0, 0],
    [1, 2, 33],
    [2, 1, 67],
    [1, 1, 50],
    [1, 199, 1],
    [1, 200, 0],
    [29, 171, 15],
    [57, 143, 29],
    [0, 5, 0],
    [5, 0, 100],
  ];
  for (const [index, [correct, incorrect, expected]] of cases.entries()) {
    const record = await storage.updatePlayerStats(`u${index}`, 'Ann', 0, false, correct, incorrect);
    assert.equal(record.accuracyRate, expected, `${correct} right, ${incorrect} wrong`);
  }
});

test('the history keeps the newest 50 games', async (t) => {
  const { storage } = await openStorage(t, Storage);
  let record;
  for (let i = 1; i <= 120; i++) record = await storage.updatePlayerStats('u1', 'Ann', i);
  assert.equal(record.totalGames, 120);
  assert.deepEqual(
    record.gamesHistory.map((game) => game.score),
    Array.from({ length: 50 }, (_, i) => 71 + i),
  );
});

test('a longer history from elsewhere is cut with the next game', async (t) => {
  const { storage } = await openOn(t, { u1: LONG_HISTORY });
  assert.equal((await storage.getPlayerStats('u1')).gamesHistory.length, 80);
  const { gamesHistory } = await storage.updatePlayerStats('u1', 'Ann', 1);
  assert.equal(gamesHistory.length, 50);
  assert.deepEqual(gamesHistory.slice(0, 49), LONG_HISTORY.gamesHistory.slice(31));
});

test('records of the old form get their missing fields', async (t) => {
  const old = { u1: OLD_FORM };
  const { storage } = await openOn(t, old);
  const stats = await storage.getPlayerStats('u1');
  assert.deepEqual(Object.keys(stats), FIELDS);
  assert.deepEqual(stats, {
    ...old.u1,
    totalCorrectAnswers: 0,
    totalIncorrectAnswers: 0,
    totalAnswers: 0,
    accuracyRate: 0,
  });
  assert.deepEqual(await storage.loadPlayers(), old, 'what is stored is given as it is');

  const record = await storage.updatePlayerStats('u1', 'Veteran', 30, true, 3, 1);
  assert.deepEqual(Object.keys(record), FIELDS);
  assert.equal(record.totalGames, 4);
  assert.equal(record.totalWins, 2);
  assert.equal(record.totalScore, 120);
  assert.equal(record.accuracyRate, 75);
  assert.deepEqual(record.gamesHistory[0], old.u1.gamesHistory[0]);
  assert.equal(record.gamesHistory.length, 2);
});

test('unknown fields stay, after the known ones and in their order', async (t) => {
  const { storage } = await openOn(t, { u1: UNKNOWN_FIELDS });
  const stats = await storage.getPlayerStats('u1');
  assert.deepEqual(Object.keys(stats), [...FIELDS, 'zeta', 'alpha']);
  assert.equal(stats.userId, 'another id', 'what is stored goes over the default');
  const record = await storage.updatePlayerStats('u1', 'After', 2);
  assert.deepEqual(Object.keys(record), [...FIELDS, 'zeta', 'alpha']);
  assert.deepEqual(record.zeta, [1, { a: null }]);
  assert.equal(record.alpha, 'x');
  assert.equal(record.totalScore, 7);
  assert.equal(record.username, 'After');
  assert.equal(record.userId, 'another id');
});

test('games of one player that nobody awaits all count, in the order of the calls', async (t) => {
  const { storage } = await openStorage(t, Storage, { fsync: 'always' });
  const calls = [];
  for (let i = 1; i <= 40; i++) calls.push(storage.updatePlayerStats('u1', `name ${i}`, i));
  const records = await Promise.all(calls);
  for (const [index, record] of records.entries()) {
    assert.equal(record.totalGames, index + 1);
    assert.equal(record.username, `name ${index + 1}`);
  }
  const stats = await storage.getPlayerStats('u1');
  assert.equal(stats.totalScore, 820);
  assert.deepEqual(
    stats.gamesHistory.map((game) => game.score),
    Array.from({ length: 40 }, (_, i) => i + 1),
  );
});

test('updatePlayersStats: a whole game is one entry', async (t) => {
  const { storage } = await openStorage(t, Storage);
  await storage.updatePlayerStats('u2', 'Bea', 5);
  const records = await storage.updatePlayersStats([
    { userId: 'u1', username: 'Ann', score: 10, isWinner: true, correctAnswers: 4, incorrectAnswers: 1 },
    { userId: 'u2', username: 'Bea', score: 7 },
  ]);
  assert.deepEqual(
    records.map((record) => [record.userId, record.totalGames, record.totalScore, record.totalWins]),
    [
      ['u1', 1, 10, 1],
      ['u2', 2, 12, 0],
    ],
  );
  assert.deepEqual(Object.keys(records[0]), FIELDS);
  assert.equal(records[0].accuracyRate, 80);
  assert.deepEqual(await storage.getPlayerStats('u1'), records[0]);
  assert.deepEqual(await storage.getPlayerStats('u2'), records[1]);

  const entries = await storage.readLogEntries('players');
  assert.equal(entries.length, 2);
  const entry = entries[1];
  assert.deepEqual(Object.keys(entry), ['timestamp', 'op', 'data']);
  assert.equal(entry.op, 'SET');
  assert.deepEqual(entry.data, { u1: records[0], u2: records[1] });
});

test('updatePlayersStats: a user who is twice in the list has played twice', async (t) => {
  const { storage } = await openStorage(t, Storage);
  const records = await storage.updatePlayersStats([
    { userId: 'u1', username: 'Ann', score: 1 },
    { userId: 'u2', username: 'Bea', score: 2 },
    { userId: 'u1', username: 'Ann', score: 4, isWinner: true },
  ]);
  assert.equal(records.length, 3);
  assert.equal(records[2].totalGames, 2);
  assert.equal(records[2].totalScore, 5);
  const stats = await storage.getPlayerStats('u1');
  assert.deepEqual(stats, records[2]);
  assert.equal(stats.gamesHistory.length, 2);
});

test('updatePlayersStats: an empty list changes nothing', async (t) => {
  const { storage } = await openStorage(t, Storage);
  assert.deepEqual(await storage.updatePlayersStats([]), []);
  assert.deepEqual(await storage.loadPlayers(), {});
});

test('updatePlayersStats: with one bad result none of them counts', async (t) => {
  const { storage } = await openStorage(t, Storage);
  await storage.updatePlayerStats('u1', 'Ann', 1);
  const before = await storage.readLogEntries('players');
  await assert.rejects(
    storage.updatePlayersStats([
      { userId: 'u1', username: 'Ann', score: 5 },
      { userId: 'u2', username: 'Bea', score: Number.NaN },
    ]),
    TypeError,
  );
  assert.deepEqual(await storage.readLogEntries('players'), before);
  assert.equal((await storage.getPlayerStats('u1')).totalGames, 1);
});
