// The example bot plays whole nights without Discord, under Node and, if it is installed, under Bun: games in several
// channels, commands, and a restart in the middle of a game.

import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { exampleBot } from '../support/cli.mjs';
import { logPath, repositoryRoot, runScript } from '../support/temp.mjs';

const NIGHT = fileURLToPath(new URL('../children/bot-night.mjs', import.meta.url));
const QUESTION = /^Question \d+ of \d+: /;

// From `npm run test:runtimes`, or an installed one.
const BUN = [
  path.join(repositoryRoot, 'target', 'runtimes', 'node_modules', 'bun', 'bin', 'bun'),
  ...(process.env.PATH ?? '').split(path.delimiter).map((folder) => path.join(folder, 'bun')),
].find((file) => existsSync(file));

async function night(t, folder, { seed = 1, leave = false, program } = {}) {
  const args = [folder, String(seed), ...(leave ? ['leave'] : [])];
  const result = await runScript(t, { file: NIGHT, args, cwd: folder, program });
  assert.equal(result.code, 0, result.stderr);
  const played = JSON.parse(result.stdout);
  assert.deepEqual(played.errors, []);
  return played;
}

function questionsIn(played, channelId) {
  return played.said.filter((message) => message.channelId === channelId && QUESTION.test(message.text))
    .length;
}

async function wholeNight(t, program) {
  const folder = await exampleBot(t);
  const played = await night(t, folder, { program });
  assert.deepEqual(played.commands, ['trivia', 'stop', 'stats', 'leaderboard']);
  assert.deepEqual(played.replies, ['Here we go!', 'Here we go!', 'Here we go!']);
  assert.deepEqual(
    ['north', 'south', 'quiet'].map((channel) => questionsIn(played, channel)),
    [3, 3, 2],
  );
  assert.deepEqual(played.games, {}, 'no game is left');
  assert.equal(played.tokens, 12, 'the questions are stored');

  const { 101: ann, 102: ben, 103: cat } = played.players;
  assert.equal(Object.keys(played.players).length, 3);
  assert.deepEqual([ann.totalGames, ann.totalScore, ann.totalWins, ann.accuracyRate], [1, 30, 1, 100]);
  assert.deepEqual([ben.totalGames, ben.totalScore, ben.totalWins, ben.totalIncorrectAnswers], [2, 0, 0, 6]);
  assert.deepEqual([cat.totalGames, cat.totalScore, cat.totalWins, cat.totalCorrectAnswers], [1, 30, 1, 3]);
  assert.equal(played.logged, 4, 'one line for each result');

  assert.match(played.answers.leaderboard, /^1\. (Ann|Cat): 30\n2\. (Ann|Cat): 30\n3\. Ben: 0$/);
  assert.match(played.answers.accuracy, /^1\. (Ann|Cat): 100\n/);
  assert.equal(played.answers.own, 'Ann: 30 points in 1 games, 1 won, 100 % right');
  assert.equal(played.answers.stranger, 'No games yet.');
  assert.equal(played.answers.noGame, 'No game is running here.');
  assert.equal(played.answers.unknown, 'I do not know that command.');
  assert.ok(played.said.some(({ channelId, text }) => channelId === 'quiet' && text === 'Nobody knew.'));
  return { folder, played };
}

test('a whole night under this runtime', async (t) => {
  const { played } = await wholeNight(t);
  assert.equal(played.runtime, process.versions.bun ? 'bun' : 'node');
});

test('a whole night under Bun', {
  skip: !BUN && 'there is no Bun here (npm run test:runtimes fetches it to target/runtimes)',
}, async (t) => {
  const { played } = await wholeNight(t, BUN);
  assert.equal(played.runtime, 'bun');
});

test('after a restart in the middle, games continue with their points, and each result counts once', async (t) => {
  const folder = await exampleBot(t);
  const before = await night(t, folder, { leave: true });
  const left = Object.keys(before.games);
  assert.ok(left.length > 0, 'games were left');
  const after = await night(t, folder, { seed: 2 });
  assert.deepEqual([...after.resumed].sort(), left.sort());
  assert.deepEqual(after.games, {});
  const { 101: ann, 102: ben, 103: cat } = after.players;
  // North and south both end, once or twice, depending on how far they were.
  for (const [player, channel] of [
    [ann, 'north'],
    [cat, 'south'],
  ]) {
    const games = left.includes(channel) ? 1 : 2;
    assert.deepEqual(
      [player.totalGames, player.totalScore, player.totalAnswers],
      [games, 30 * games, 3 * games],
    );
  }
  assert.equal(ben.totalGames, ann.totalGames + cat.totalGames);
  const log = await readFile(logPath(path.join(folder, 'data'), 'game_state'), 'utf8');
  assert.match(log, /"op":"DELETE"/);
});

test('the example needs discord.js for Discord only', async () => {
  const files = ['bot.js', 'game.js', 'commands.js', 'questions.js', 'chat/stand-in.js', 'main.js'];
  for (const file of files) {
    const text = await readFile(path.join(repositoryRoot, 'examples', 'bot', file), 'utf8');
    assert.ok(!/from 'discord\.js'|import\('discord\.js'\)/.test(text), file);
  }
});
