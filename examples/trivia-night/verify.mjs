/**
 * The checks compare what the files hold with what they must hold. Plain JavaScript (plain-files.mjs) reads them, not
 * the package.
 *
 * Each check is `{ ok, text, details }`: `details` has a line for each problem.
 */

import fs from 'node:fs';
import path from 'node:path';
import { backupsOf, LOGS, logPath, readLog, readMirror, sameJson, sameState } from './plain-files.mjs';

const HISTORY_MAX = 50;

function check(text, problems) {
  return { ok: problems.length === 0, text, details: problems };
}

/** How many results of each user these calls have. */
function countUsers(calls) {
  const counts = new Map();
  for (const call of calls) {
    for (const userId of call.users) counts.set(userId, (counts.get(userId) ?? 0) + 1);
  }
  return counts;
}

const sumOf = (counts) => [...counts.values()].reduce((sum, count) => sum + count, 0);
const gamesOf = (record) => record?.totalGames ?? 0;
const hidden = (text) => (text.length > 40 ? `${text.slice(0, 37)}...` : text);

/**
 * After the kill, before anything else changes the files: every acknowledged result is on disk, and beyond these only
 * results of calls that were in flight.
 */
export function checkAfterKill(folder, before, bot) {
  const log = readLog(logPath(folder, 'players'));
  const acked = countUsers(bot.ackedCalls('result'));
  const open = countUsers(bot.openCalls('result'));
  const lost = [];
  const beyond = [];
  let found = 0;
  for (const userId of new Set([...acked.keys(), ...open.keys()])) {
    const games = gamesOf(log.state[userId]);
    const sure = acked.get(userId) ?? 0;
    const starts = (before.players.get(userId) ?? [null]).map(gamesOf);
    const extras = starts.map((start) => games - start - sure);
    const fitting = extras.filter((extra) => extra >= 0 && extra <= (open.get(userId) ?? 0));
    if (fitting.length > 0) found += fitting[0];
    else if (Math.max(...extras) < 0) {
      lost.push(
        `player ${userId}: ${starts.join(' or ')} games before, ${sure} acknowledged, ${games} on disk`,
      );
    } else {
      beyond.push(
        `player ${userId}: ${starts.join(' or ')} games before, ${sure} acknowledged, ${games} on disk`,
      );
    }
  }
  const inFlight = sumOf(open);
  return {
    tornBytes: LOGS.reduce((sum, name) => sum + readLog(logPath(folder, name)).tornBytes, 0),
    inFlightFound: found,
    checks: [
      check(`each of the ${sumOf(acked)} acknowledged results is in players.log`, lost),
      check(`beyond them, of the ${inFlight} in flight, ${found} are there, each whole`, beyond),
      checkStages(folder, bot),
      checkLines(folder, before),
    ],
  };
}

/** Each channel's game is where its last acknowledged call left it, or where the call in flight put it. */
function checkStages(folder, bot) {
  const { state } = readLog(logPath(folder, 'game_state'));
  const allowed = new Map();
  const ofChannels = (calls) => calls.filter((call) => call.op === 'save' || call.op === 'clear');
  for (const call of ofChannels(bot.acked)) allowed.set(call.channelId, [call.stage]);
  for (const call of ofChannels([...bot.inFlight.values()])) {
    allowed.set(call.channelId, [...(allowed.get(call.channelId) ?? ['none']), call.stage]);
  }
  const problems = [];
  for (const [channelId, stages] of allowed) {
    const found = state[channelId];
    const stage = found === undefined ? 'none' : `${found.game}/${found.phase}/${found.round}`;
    if (!stages.includes(stage)) {
      problems.push(`channel ${channelId}: at ${stage} on disk, ${stages.join(' or ')} expected`);
    }
  }
  return check(`each of ${allowed.size} channels' games stands at its last acknowledged round`, problems);
}

/** No line is damaged that was not damaged before the night. */
function checkLines(folder, before) {
  const problems = [];
  let lines = 0;
  let withChecksum = 0;
  for (const name of [...LOGS, 'trivia_night']) {
    const log = readLog(logPath(folder, name));
    lines += log.entries;
    withChecksum += log.withChecksum;
    if (log.damaged > (before.damaged[name] ?? 0)) problems.push(`${name}.log: ${log.damaged} damaged lines`);
  }
  return check(
    `all ${lines} log lines are whole; the ${withChecksum} with a checksum agree with it`,
    problems,
  );
}

/** The restarted bot continued exactly the unfinished games in the files. */
export function checkRecovered(plan, stagesOnDisk, ready) {
  const taken = new Map(ready.unfinished.map(({ channelId, stage }) => [channelId, stage]));
  const problems = [];
  for (const { channelId, name } of plan.channels) {
    const onDisk = stagesOnDisk.get(channelId);
    if (onDisk !== taken.get(channelId)) {
      problems.push(
        `#${name}: at ${onDisk ?? 'no game'} on disk, ${taken.get(channelId) ?? 'no game'} taken up`,
      );
    }
  }
  return check(`all ${stagesOnDisk.size} unfinished games were found and taken up`, problems);
}

/** Map from channelId to the stage of its game, for the games of this night in game_state.log. */
export function stagesOnDisk(folder, plan) {
  const { state } = readLog(logPath(folder, 'game_state'));
  const open = plan.channels.filter(({ channelId }) => state[channelId] !== undefined);
  return new Map(
    open.map(({ channelId }) => {
      const { game, phase, round } = state[channelId];
      return [channelId, `${game}/${phase}/${round}`];
    }),
  );
}

/** After the night, the compaction and a clean exit. */
export function checkAtTheEnd(folder, before, expected, plan, closed) {
  const { state } = readLog(logPath(folder, 'players'));
  return [
    checkPlayers(state, before.players, expected),
    checkOthers(state, before.players, expected),
    checkGameStates(folder, before.gameStates, plan),
    checkMirrors(folder, before),
    checkBackups(folder),
    checkLines(folder, before),
    checkLeaderboard(state, closed),
  ];
}

/** Everybody who played: each game counts once, in order, and all totals agree with that. */
function checkPlayers(state, before, expected) {
  const problems = [];
  let games = 0;
  for (const [userId, results] of expected) {
    games += results.length;
    const starts = before.get(userId) ?? [{}];
    const reports = starts.map((start) => differences(state[userId], start, results));
    const best = reports.find((report) => report.length === 0) ?? reports[0];
    if (best.length > 0) problems.push(`player ${userId}: ${best.join('; ')}`);
  }
  return check(`${expected.size} players: each of their ${games} results counts exactly once`, problems);
}

function differences(record, start, results) {
  if (record === undefined) return ['not in the log'];
  const grown = (field, amounts) => amounts.reduce((sum, amount) => sum + amount, start[field] ?? 0);
  const of = (field) => results.map((result) => result[field]);
  const wanted = {
    username: results[results.length - 1].username,
    totalGames: (start.totalGames ?? 0) + results.length,
    totalWins: grown('totalWins', of('isWinner').map(Number)),
    totalScore: grown('totalScore', of('score')),
    bestScore: Math.max(start.bestScore ?? 0, ...of('score')),
    totalCorrectAnswers: grown('totalCorrectAnswers', of('correctAnswers')),
    totalIncorrectAnswers: grown('totalIncorrectAnswers', of('incorrectAnswers')),
  };
  wanted.averageScore = Math.round(wanted.totalScore / wanted.totalGames);
  wanted.totalAnswers = wanted.totalCorrectAnswers + wanted.totalIncorrectAnswers;
  wanted.accuracyRate = wanted.totalAnswers
    ? Math.round((100 * wanted.totalCorrectAnswers) / wanted.totalAnswers)
    : 0;
  const wrong = Object.keys(wanted)
    .filter((field) => record[field] !== wanted[field])
    .map((field) => `${field} is ${record[field]}, ${wanted[field]} expected`);

  const playedBefore = (start.gamesHistory ?? []).length;
  const kept = Math.min(HISTORY_MAX, playedBefore + results.length);
  const history = record.gamesHistory ?? [];
  if (history.length !== kept) wrong.push(`${history.length} games in the history, ${kept} expected`);
  const tail = history.slice(-results.length);
  results.forEach((result, index) => {
    const { score, isWinner, correctAnswers, incorrectAnswers } = result;
    const { date: _date, ...game } = tail[index] ?? {};
    if (!sameJson(game, { score, isWinner, correctAnswers, incorrectAnswers })) {
      wrong.push(`game ${index + 1} of the night is ${JSON.stringify(game)}`);
    }
  });
  return wrong;
}

function checkOthers(state, before, expected) {
  const problems = [];
  let others = 0;
  for (const [userId, values] of before) {
    if (expected.has(userId)) continue;
    others += 1;
    if (!values.some((value) => sameJson(value, state[userId])))
      problems.push(`player ${userId} has changed`);
  }
  for (const userId of Object.keys(state)) {
    if (!before.has(userId) && !expected.has(userId))
      problems.push(`player ${userId} is new and has not played`);
  }
  return check(`the ${others} players who did not play are as they were`, problems);
}

function checkGameStates(folder, before, plan) {
  const { state } = readLog(logPath(folder, 'game_state'));
  const ours = new Set(plan.channels.map(({ channelId }) => channelId));
  const problems = [];
  for (const key of Object.keys(state)) {
    if (ours.has(key)) problems.push(`channel ${key}: a game of tonight is still open`);
  }
  for (const [key, values] of before) {
    if (!values.some((value) => sameJson(value, state[key]))) problems.push(`channel ${key} has changed`);
  }
  return check(`no game of tonight is open; ${before.size} of other channels are as they were`, problems);
}

/** The JSON files hold what the logs hold, in the same order: either file alone is enough. */
function checkMirrors(folder, before) {
  const problems = [];
  for (const name of LOGS) {
    const log = readLog(logPath(folder, name));
    const mirror = readMirror(folder, name);
    if (name === 'tokens' && before.tokens.size === 0) continue;
    if (mirror === null) problems.push(`${name}.json is missing or no JSON object`);
    else if (!sameState(mirror, log.state)) problems.push(`${name}.json differs from ${name}.log`);
  }
  return check('players.json, tokens.json and game_state.json hold what the logs hold', problems);
}

function checkBackups(folder) {
  const problems = [];
  for (const name of LOGS) {
    const [newest] = backupsOf(folder, name);
    if (newest === undefined) {
      // An empty log has no backup.
      if (name === 'players') problems.push(`${name}.log has no backup`);
      continue;
    }
    const now = readLog(logPath(folder, name)).state;
    if (!sameState(readLog(newest.path).state, now)) problems.push(`${newest.file} differs from ${name}.log`);
  }
  const left = fs.readdirSync(path.join(folder, 'logs')).filter((file) => file.endsWith('.tmp'));
  for (const file of left) problems.push(`logs/${file} was not removed`);
  return check('the compacted logs hold what their backups hold', problems);
}

/** The leaderboard that the bot showed agrees with one that is made here. */
function checkLeaderboard(state, closed) {
  const records = Object.values(state);
  const score = (record) => (typeof record.totalScore === 'number' ? record.totalScore : 0);
  const sorted = [...records].sort((one, other) => score(other) - score(one));
  const problems = [];
  closed.leaderboard.forEach((record, index) => {
    if (!sameJson(record, sorted[index])) {
      problems.push(`place ${index + 1}: ${hidden(JSON.stringify(record))} shown`);
    }
  });
  if (closed.leaderboard.length !== Math.min(10, sorted.length)) {
    problems.push(`${closed.leaderboard.length} places shown`);
  }
  if (closed.newcomer !== null) {
    const place = sorted.findIndex((record) => record.userId === closed.newcomer.userId) + 1;
    if (place !== closed.newcomer.rank || records.length !== closed.newcomer.of) {
      problems.push(`the best newcomer is ${place} of ${records.length}, ${closed.newcomer.rank} was shown`);
    }
  }
  return check('the leaderboard and the newcomer’s place are what plain JavaScript finds', problems);
}
