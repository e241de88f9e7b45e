// Tests of the player statistics. Run from the bot's folder: node tests/statistics.test.js

import assert from 'node:assert';
import { existsSync, mkdirSync, readFileSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { getLeaderboard, getPlayerStats, loadPlayers, updatePlayerStats } from '../services/storage.js';

const playersFile = join(process.cwd(), 'data', 'players.json');
const playersLog = join(process.cwd(), 'data', 'logs', 'players.log');

function reset(players) {
  mkdirSync(join(process.cwd(), 'data', 'logs'), { recursive: true });
  if (existsSync(playersFile)) unlinkSync(playersFile);
  if (existsSync(playersLog)) unlinkSync(playersLog);
  if (players) writeFileSync(playersFile, JSON.stringify(players, null, 2));
}

const tests = {
  'answer counts': async () => {
    reset();
    await updatePlayerStats('u1', 'Ann', 10, false, 7, 3);
    let stats = await getPlayerStats('u1');
    assert.strictEqual(stats.totalCorrectAnswers, 7);
    assert.strictEqual(stats.totalIncorrectAnswers, 3);
    assert.strictEqual(stats.totalAnswers, 10);
    await updatePlayerStats('u1', 'Ann', 10, true, 5, 0);
    stats = await getPlayerStats('u1');
    assert.strictEqual(stats.totalCorrectAnswers, 12);
    assert.strictEqual(stats.totalIncorrectAnswers, 3);
    assert.strictEqual(stats.totalAnswers, 15);
    assert.strictEqual(stats.totalWins, 1);
    await updatePlayerStats('u1', 'Ann', 10);
    assert.strictEqual((await getPlayerStats('u1')).totalAnswers, 15);
  },

  accuracy: async () => {
    reset();
    assert.strictEqual((await getPlayerStats('u1')).accuracyRate, 0);
    assert.strictEqual((await updatePlayerStats('u1', 'Ann', 0)).accuracyRate, 0);
    assert.strictEqual((await updatePlayerStats('u1', 'Ann', 0, false, 1, 2)).accuracyRate, 33);
    assert.strictEqual((await updatePlayerStats('u1', 'Ann', 0, false, 1, 0)).accuracyRate, 50);
    assert.strictEqual((await updatePlayerStats('u2', 'Bea', 0, false, 5, 3)).accuracyRate, 63);
    assert.strictEqual((await updatePlayerStats('u3', 'Cem', 0, false, 4, 0)).accuracyRate, 100);
    assert.strictEqual((await updatePlayerStats('u4', 'Dov', 0, false, 0, 4)).accuracyRate, 0);
  },

  'leaderboard by each field': async () => {
    reset();
    await updatePlayerStats('u1', 'Ann', 100, true, 2, 8);
    await updatePlayerStats('u2', 'Bea', 70, true, 9, 1);
    await updatePlayerStats('u2', 'Bea', 20, true, 9, 1);
    await updatePlayerStats('u3', 'Cem', 30, false, 4, 6);
    await updatePlayerStats('u3', 'Cem', 30, false, 4, 6);
    await updatePlayerStats('u3', 'Cem', 35, false, 4, 6);
    const expected = {
      totalScore: ['Ann', 'Cem', 'Bea'],
      averageScore: ['Ann', 'Bea', 'Cem'],
      bestScore: ['Ann', 'Bea', 'Cem'],
      totalGames: ['Cem', 'Bea', 'Ann'],
      totalWins: ['Bea', 'Ann', 'Cem'],
      totalCorrectAnswers: ['Bea', 'Cem', 'Ann'],
      totalIncorrectAnswers: ['Cem', 'Ann', 'Bea'],
      totalAnswers: ['Cem', 'Bea', 'Ann'],
      accuracyRate: ['Bea', 'Cem', 'Ann'],
    };
    for (const [field, names] of Object.entries(expected)) {
      const board = await getLeaderboard(field);
      assert.deepStrictEqual(
        board.map((player) => player.username),
        names,
        `leaderboard by ${field}`,
      );
    }
    const top = await getLeaderboard('totalScore', 1);
    assert.strictEqual(top.length, 1);
    assert.strictEqual(top[0].totalScore, 100);
  },

  'history entries': async () => {
    reset();
    const start = Date.now();
    await updatePlayerStats('u1', 'Ann', 42, true, 6, 4);
    const [game] = (await getPlayerStats('u1')).gamesHistory;
    assert.deepStrictEqual(Object.keys(game), [
      'date',
      'score',
      'isWinner',
      'correctAnswers',
      'incorrectAnswers',
    ]);
    assert.strictEqual(game.score, 42);
    assert.strictEqual(game.isWinner, true);
    assert.strictEqual(game.correctAnswers, 6);
    assert.strictEqual(game.incorrectAnswers, 4);
    assert.ok(Date.parse(game.date) >= start - 1 && Date.parse(game.date) <= Date.now() + 1);
    for (let i = 1; i <= 54; i++) await updatePlayerStats('u1', 'Ann', i);
    const { gamesHistory, totalGames } = await getPlayerStats('u1');
    assert.strictEqual(totalGames, 55);
    assert.strictEqual(gamesHistory.length, 50);
    assert.strictEqual(gamesHistory[0].score, 5);
    assert.strictEqual(gamesHistory[49].score, 54);
  },

  'records of the old form': async () => {
    // Before answers were counted, a record ended with the history, and a game had only a score.
    reset({
      old1: {
        userId: 'old1',
        username: 'Veteran',
        totalGames: 3,
        totalWins: 1,
        totalScore: 90,
        averageScore: 30,
        bestScore: 50,
        gamesHistory: [{ date: '2023-01-01T00:00:00.000Z', score: 50, isWinner: true }],
      },
      old2: { userId: 'old2', username: 'Sparse', totalGames: 1, totalScore: 5, title: 'Founder' },
    });
    const stats = await getPlayerStats('old1');
    assert.strictEqual(stats.totalCorrectAnswers, 0);
    assert.strictEqual(stats.totalIncorrectAnswers, 0);
    assert.strictEqual(stats.totalAnswers, 0);
    assert.strictEqual(stats.accuracyRate, 0);
    assert.strictEqual(stats.totalScore, 90);
    assert.strictEqual(stats.gamesHistory.length, 1);

    const updated = await updatePlayerStats('old1', 'Veteran', 30, false, 3, 1);
    assert.strictEqual(updated.totalGames, 4);
    assert.strictEqual(updated.totalScore, 120);
    assert.strictEqual(updated.averageScore, 30);
    assert.strictEqual(updated.bestScore, 50);
    assert.strictEqual(updated.accuracyRate, 75);
    assert.strictEqual(updated.gamesHistory.length, 2);
    assert.deepStrictEqual(updated.gamesHistory[0], {
      date: '2023-01-01T00:00:00.000Z',
      score: 50,
      isWinner: true,
    });

    const sparse = await updatePlayerStats('old2', 'Sparse', 7);
    assert.strictEqual(sparse.title, 'Founder');
    assert.strictEqual(sparse.totalGames, 2);
    assert.strictEqual(sparse.bestScore, 7);
    assert.strictEqual(sparse.gamesHistory.length, 1);

    const onDisk = JSON.parse(readFileSync(playersFile, 'utf8'));
    assert.deepStrictEqual(onDisk, await loadPlayers());
    assert.deepStrictEqual(Object.keys(onDisk), ['old1', 'old2']);

    // The file is written anew under the running bot, with the log left as it is.
    writeFileSync(playersFile, JSON.stringify({ solo: { userId: 'solo', username: 'Solo', totalScore: 1 } }));
    assert.deepStrictEqual(Object.keys(await loadPlayers()), ['solo']);
    assert.strictEqual((await updatePlayerStats('solo', 'Solo', 2)).totalScore, 3);
    assert.deepStrictEqual(Object.keys(await loadPlayers()), ['solo']);
  },
};

let failed = false;
for (const [title, run] of Object.entries(tests)) {
  try {
    await run();
    console.log(`PASS ${title}`);
  } catch (error) {
    failed = true;
    console.error(`FAIL ${title}:`, error);
  }
}
reset();
console.log(failed ? 'FAILED' : 'ALL PASSED');
process.exit(failed ? 1 : 0);
