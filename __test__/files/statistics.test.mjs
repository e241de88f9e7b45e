// The calls for one player and for the order of players in files: the line and the JSON file of an update, and records that
// players.json holds from an older bot or an admin. `api/statistics` and `api/leaderboard` test what the calls answer.

import assert from 'node:assert/strict';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { test } from 'node:test';
import { Storage } from '../../index.js';
import { maskedJson, mirrorPath, openStorage, readLogLines } from '../support/temp.mjs';

test('asking for a player never seen writes nothing', async (t) => {
  const { storage, dataDir } = await openStorage(t, Storage);
  await storage.getPlayerStats('u1');
  assert.deepEqual(await storage.loadPlayers(), {});
  assert.deepEqual(await readLogLines(dataDir, 'players'), []);
});

test('an update is one SET of the whole record under the user id', async (t) => {
  const { storage, dataDir } = await openStorage(t, Storage);
  const record = await storage.updatePlayerStats('u1', 'Ann', 10, true, 7, 3);
  const [line, ...rest] = await readLogLines(dataDir, 'players');
  assert.equal(rest.length, 0);
  const entry = JSON.parse(line);
  assert.deepEqual(Object.keys(entry), ['timestamp', 'op', 'key', 'value', '_crc']);
  assert.equal(entry.op, 'SET');
  assert.equal(entry.key, 'u1');
  assert.equal(JSON.stringify(entry.value), JSON.stringify(record));
  const mirror = await readFile(mirrorPath(dataDir, 'players'), 'utf8');
  assert.equal(mirror, JSON.stringify({ u1: record }, null, 2));
});

test('updatePlayersStats: a whole game is one line', async (t) => {
  const { storage, dataDir } = await openStorage(t, Storage);
  await storage.updatePlayerStats('u2', 'Bea', 5);
  const records = await storage.updatePlayersStats([
    { userId: 'u1', username: 'Ann', score: 10, isWinner: true, correctAnswers: 4, incorrectAnswers: 1 },
    { userId: 'u2', username: 'Bea', score: 7 },
  ]);
  const lines = await readLogLines(dataDir, 'players');
  assert.equal(lines.length, 2);
  const entry = JSON.parse(lines[1]);
  assert.deepEqual(Object.keys(entry), ['timestamp', 'op', 'data', '_crc']);
  assert.equal(entry.op, 'SET');
  assert.deepEqual(entry.data, { u1: records[0], u2: records[1] });
});

test('updatePlayersStats: with one bad result the log keeps its bytes', async (t) => {
  const { storage, dataDir } = await openStorage(t, Storage);
  await storage.updatePlayerStats('u1', 'Ann', 1);
  const before = await readLogLines(dataDir, 'players');
  await assert.rejects(
    storage.updatePlayersStats([
      { userId: 'u1', username: 'Ann', score: 5 },
      { userId: 'u2', username: 'Bea', score: Number.NaN },
    ]),
    TypeError,
  );
  assert.deepEqual(await readLogLines(dataDir, 'players'), before);
});

// The tests of the API assert what these records come to when `savePlayers` stored them.
const FROM_ELSEWHERE = {
  long: {
    userId: 'long',
    gamesHistory: Array.from({ length: 80 }, (_, score) => ({ score, note: { kept: true } })),
  },
  old: {
    userId: 'old',
    username: 'Veteran',
    totalGames: 3,
    totalWins: 1,
    totalScore: 90,
    averageScore: 30,
    bestScore: 50,
    gamesHistory: [{ date: '2023-01-01T00:00:00.000Z', score: 50, isWinner: true }],
  },
  odd: { zeta: [1, { a: null }], totalScore: 5, alpha: 'x', userId: 'another id', username: 'Before' },
  none: { userId: 'none' },
  low: { userId: 'low', level: -1.5 },
  text: { userId: 'text', level: '99' },
  high: { userId: 'high', level: 12.25 },
  empty: { userId: 'empty', level: null },
  zero: { userId: 'zero', level: 0 },
  list: { userId: 'list', level: [5] },
  truth: { userId: 'truth', level: true },
  big: { userId: 'big', level: 1e21 },
  tiny: { userId: 'tiny', level: 5e-324 },
};
const FIELDS = ['level', 'no such field', 'userId', 'constructor', '__proto__', 'toString', 'a"b'];

test('records in players.json count as those that savePlayers stored', async (t) => {
  const saved = await openStorage(t, Storage);
  await saved.storage.savePlayers(FROM_ELSEWHERE);
  const edited = await openStorage(t, Storage);
  await mkdir(edited.dataDir, { recursive: true });
  await writeFile(mirrorPath(edited.dataDir, 'players'), JSON.stringify(FROM_ELSEWHERE, null, 2));

  const answers = async (storage) => {
    const all = [await storage.loadPlayers()];
    for (const field of FIELDS) {
      all.push(await storage.getLeaderboard(field, Number.POSITIVE_INFINITY));
      for (const id of Object.keys(FROM_ELSEWHERE)) all.push(await storage.getPlayerRank(id, field));
    }
    for (const id of Object.keys(FROM_ELSEWHERE)) {
      all.push(await storage.getPlayerStats(id));
      all.push(await storage.updatePlayerStats(id, 'After', 30, true, 3, 1));
    }
    return all;
  };
  const found = await answers(edited.storage);
  assert.equal(JSON.stringify(found[0]), JSON.stringify(FROM_ELSEWHERE), 'what is stored is given as it is');
  assert.equal(maskedJson(found), maskedJson(await answers(saved.storage)));
});
