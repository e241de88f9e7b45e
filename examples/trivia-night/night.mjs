/**
 * The bot on trivia night: both the process that is killed and the one that recovers. A bot does not know whether its
 * last run was stopped or killed.
 *
 *     start     loadPlayers, getAllGameStates: open games go on where they were
 *     a round   a question is asked and answered; saveGameState stores the scores
 *     a result  updatePlayerStats for each player of the game, or one updatePlayersStats for all of them
 *     an end    appendLogEntry notes the finished game in another log; clearGameState removes its state
 *     closing   the leaderboard, compactAllLogs, exit
 *
 * A game counts exactly once, whenever the kill comes. Before the results are recorded, the game's state stores how
 * many games each player had. A call that the kill cuts off is on disk whole or not at all. So after a restart, a
 * player with one more game was counted already; any other player is counted then.
 *
 * Every call is reported to the parent (journal.mjs).
 */

import fs from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { report, reported } from './journal.mjs';
import { winnerOf } from './plan.mjs';
import { QUESTIONS } from './questions.mjs';

process.on('warning', ({ code, name, message }) => report({ say: 'warning', code, name, message }));

const beforeImport = performance.now();
const storage = await import('progressive-storage');
const importMs = performance.now() - beforeImport;
const plan = JSON.parse(fs.readFileSync(process.argv[2], 'utf8'));

const startup = await start();
await Promise.all(plan.channels.map((channel) => playChannel(channel)));
await close();
process.exit(0);

async function start() {
  const begun = performance.now();
  const players = await storage.loadPlayers();
  const playersMs = performance.now() - begun;
  const states = await storage.getAllGameStates();
  const finished = await storage.rebuildStateFromLog('trivia_night');
  const unfinished = plan.channels
    .filter(({ channelId }) => states[channelId])
    .map(({ channelId }) => ({ channelId, stage: stageOf(states[channelId]) }));
  report({
    say: 'ready',
    importMs,
    playersMs,
    totalMs: performance.now() - begun,
    players: Object.keys(players).length,
    otherGames: Object.keys(states).length - unfinished.length,
    unfinished,
  });
  return { states, finished };
}

/** The stage of a game, as one word. The parent reads the same from the files. */
function stageOf(state) {
  return `${state.game}/${state.phase}/${state.round}`;
}

async function playChannel(channel) {
  const gamesFinished = startup.finished[noteKey(channel)]?.games ?? 0;
  const found = startup.states[channel.channelId] ?? null;
  if (found !== null && found.game < gamesFinished) {
    // The last run was killed between the note of the finished game and the removal of its state.
    await clear(channel, found.game);
  }
  for (let number = gamesFinished; number < channel.games.length; number++) {
    await playGame(channel, number, found?.game === number ? found : null);
  }
}

function noteKey(channel) {
  return `${plan.nightId}/${channel.channelId}`;
}

async function playGame(channel, number, found) {
  const game = channel.games[number];
  const state = found ?? {
    kind: 'trivia-night',
    game: number,
    phase: 'questions',
    round: 0,
    totalRounds: game.questions.length,
    scores: Object.fromEntries(
      game.players.map(({ userId, username }) => [userId, { username, score: 0, correct: 0, incorrect: 0 }]),
    ),
  };
  while (state.phase === 'questions' && state.round < game.questions.length) {
    await playRound(channel, game, state);
    await save(channel, state);
  }
  if (state.phase === 'questions') {
    state.phase = 'results';
    state.gamesBefore = await gamesPlayedBy(Object.keys(state.scores));
    await save(channel, state);
  }

  const winner = winnerOf(state.scores);
  await recordResults(channel, state, winner);
  const games = number + 1;
  await reported({ op: 'note', channelId: channel.channelId, games }, () =>
    storage.appendLogEntry('trivia_night', {
      op: storage.OpType.SET,
      key: noteKey(channel),
      value: { games, winner },
    }),
  );
  await clear(channel, number);
}

async function playRound(channel, game, state) {
  const { index, order, openMs } = game.questions[state.round];
  await sleep(openMs);
  const answers = game.answers[state.round];
  game.players.forEach(({ userId }, position) => {
    const score = state.scores[userId];
    score.score += answers[position].points;
    if (answers[position].correct) score.correct += 1;
    else score.incorrect += 1;
  });
  state.round += 1;
  const { question, options } = QUESTIONS[index];
  report({
    say: 'question',
    channel: channel.name,
    question,
    options: order.map((option) => options[option]),
    answer: options[0],
    right: answers.filter((answer) => answer.correct).length,
    of: answers.length,
  });
}

function save(channel, state) {
  const about = { op: 'save', channelId: channel.channelId, stage: stageOf(state) };
  return reported(about, () => storage.saveGameState(channel.channelId, state));
}

function clear(channel, game) {
  const about = { op: 'clear', channelId: channel.channelId, stage: 'none', game };
  return reported(about, () => storage.clearGameState(channel.channelId));
}

async function gamesPlayedBy(userIds) {
  const records = await Promise.all(userIds.map((userId) => storage.getPlayerStats(userId)));
  return Object.fromEntries(records.map((record, position) => [userIds[position], record.totalGames]));
}

/** Records the results that are not recorded yet: all at a game's end, the rest after a restart. */
async function recordResults(channel, state, winner) {
  const gamesNow = await gamesPlayedBy(Object.keys(state.scores));
  const missing = Object.entries(state.scores)
    .filter(([userId]) => gamesNow[userId] === state.gamesBefore[userId])
    .map(([userId, { username, score, correct, incorrect }]) => ({
      userId,
      username,
      score,
      isWinner: userId === winner,
      correctAnswers: correct,
      incorrectAnswers: incorrect,
    }));
  if (missing.length === 0) return;

  if (channel.settle === 'one line') {
    const users = missing.map((result) => result.userId);
    const about = { op: 'result', way: channel.settle, users, channelId: channel.channelId };
    await reported(about, () => storage.updatePlayersStats(missing));
  } else if (channel.settle === 'all at once') {
    await Promise.all(missing.map((result) => recordOne(channel, result)));
  } else {
    for (const result of missing) await recordOne(channel, result);
  }
}

function recordOne(channel, result) {
  const about = { op: 'result', way: channel.settle, users: [result.userId], channelId: channel.channelId };
  return reported(about, () =>
    storage.updatePlayerStats(
      result.userId,
      result.username,
      result.score,
      result.isWinner,
      result.correctAnswers,
      result.incorrectAnswers,
    ),
  );
}

async function close() {
  const leaderboard = await storage.getLeaderboard('totalScore', 10);
  const newcomer = await bestNewcomer();
  const before = await logSizes();
  const begun = performance.now();
  await storage.compactAllLogs();
  const compactionMs = performance.now() - begun;
  report({ say: 'closed', leaderboard, newcomer, compactionMs, before, after: await logSizes() });
}

async function bestNewcomer() {
  let best = null;
  for (const { userId, username } of plan.newcomers) {
    const found = await storage.getPlayerRank(userId);
    if (found !== null && (best === null || found.rank < best.rank)) best = { userId, username, ...found };
  }
  return best;
}

async function logSizes() {
  const names = ['players', 'tokens', 'game_state'];
  const sizes = await Promise.all(names.map((name) => storage.getLogSize(name)));
  return Object.fromEntries(names.map((name, index) => [name, sizes[index]]));
}
