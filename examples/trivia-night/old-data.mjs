/**
 * Generates a bot's data folder as the old JavaScript module left it, the same in every run.
 *
 *     players.json        300 players with up to 50 recorded games each, pretty-printed
 *     tokens.json         a token list
 *     game_state.json     one game that somebody left unfinished
 *     logs/players.log    a CHECKPOINT, then SET lines: no line has a checksum
 *     logs/tokens.log     SET lines with `data`
 *     logs/game_state.log SET and DELETE lines
 *
 * As in real folders, some players are only in players.json, because an admin wrote them there. They have an older
 * form without the answer counts.
 */

import fs from 'node:fs';
import path from 'node:path';
import { personId, personName } from './names.mjs';
import { between, randomFrom } from './random.mjs';

const HISTORY_MAX = 50;
const MINUTE_MS = 60_000;
const CHECKPOINT_AT = Date.UTC(2025, 8, 14, 3, 0, 0);

export function writeOldData(folder, { players: playerCount = 300, seed = 20 } = {}) {
  const random = randomFrom(seed);
  const logFolder = path.join(folder, 'logs');
  fs.mkdirSync(logFolder, { recursive: true });

  const players = writePlayers(folder, logFolder, random, playerCount);
  writeTokens(folder, logFolder, random);
  writeGameState(folder, logFolder, random);
  return { players: Object.keys(players).length };
}

function writePlayers(folder, logFolder, random, playerCount) {
  const lines = [];
  const checkpoint = {};
  const latest = {};
  const inLogBelow = playerCount - Math.min(10, playerCount);
  const inCheckpointBelow = Math.floor(playerCount * 0.8);

  for (let index = 0; index < playerCount; index++) {
    // In a JavaScript object, ids that are small whole numbers come first, whenever they were added.
    const userId = index % 120 === 60 ? String(between(random, 100, 99_999)) : personId(random);
    const username = personName(random);
    const games = generateGames(random, between(random, 1, 70));
    const record = recordOf(userId, username, games);
    const playedSince = index < inCheckpointBelow && random() < 0.2;

    if (index < inCheckpointBelow) {
      checkpoint[userId] = playedSince ? recordOf(userId, username, games.slice(0, -1)) : record;
    }
    if (playedSince || (index >= inCheckpointBelow && index < inLogBelow)) {
      lines.push({ op: 'SET', key: userId, value: record });
    }
    latest[userId] = index < inLogBelow ? record : withoutAnswerCounts(record);
  }

  const log = [JSON.stringify({ op: 'CHECKPOINT', state: checkpoint, compactedAt: iso(CHECKPOINT_AT) })];
  lines.forEach((line, index) => {
    log.push(JSON.stringify({ timestamp: iso(CHECKPOINT_AT + (index + 1) * 7 * MINUTE_MS), ...line }));
  });
  writeLog(logFolder, 'players', log);
  writeJson(folder, 'players', latest);
  return latest;
}

function generateGames(random, count) {
  let at = Date.UTC(2025, 1, 1, 19, 0, 0);
  return Array.from({ length: count }, () => {
    at += between(random, 60, 4000) * MINUTE_MS;
    const correctAnswers = between(random, 0, 10);
    return {
      date: iso(at),
      score: correctAnswers * between(random, 90, 150),
      isWinner: random() < 0.12,
      correctAnswers,
      incorrectAnswers: 10 - correctAnswers,
    };
  });
}

/** The record that the old module's updatePlayerStats leaves after these games. */
function recordOf(userId, username, games) {
  const sum = (field) => games.reduce((total, game) => total + game[field], 0);
  const correct = sum('correctAnswers');
  const incorrect = sum('incorrectAnswers');
  return {
    userId,
    username,
    totalGames: games.length,
    totalWins: games.filter((game) => game.isWinner).length,
    totalScore: sum('score'),
    averageScore: games.length ? Math.round(sum('score') / games.length) : 0,
    bestScore: Math.max(0, ...games.map((game) => game.score)),
    totalCorrectAnswers: correct,
    totalIncorrectAnswers: incorrect,
    totalAnswers: correct + incorrect,
    accuracyRate: correct + incorrect ? Math.round((100 * correct) / (correct + incorrect)) : 0,
    gamesHistory: games.slice(-HISTORY_MAX),
  };
}

function withoutAnswerCounts(record) {
  const {
    totalCorrectAnswers: _correct,
    totalIncorrectAnswers: _incorrect,
    totalAnswers: _answers,
    accuracyRate: _rate,
    ...older
  } = record;
  return older;
}

function writeTokens(folder, logFolder, random) {
  const saves = Array.from({ length: 3 }, (_, save) => {
    const tokens = Array.from({ length: 40 + save }, (_unused, index) => ({
      tokenId: String(1000 + index),
      name: `Night Sky #${index + 1}`,
      price: between(random, 1, 5000) / 100,
    }));
    const lastUpdated = iso(CHECKPOINT_AT + save * 24 * 60 * MINUTE_MS);
    return {
      lastUpdated,
      count: tokens.length,
      tokens,
      artistInfo: { name: 'A. Painter', works: 40 + save },
    };
  });
  const log = saves.map((data) => JSON.stringify({ timestamp: data.lastUpdated, op: 'SET', data }));
  writeLog(logFolder, 'tokens', log);
  writeJson(folder, 'tokens', saves[saves.length - 1]);
}

function writeGameState(folder, logFolder, random) {
  const log = [];
  let at = CHECKPOINT_AT;
  const set = (key, value) => {
    at += 3 * MINUTE_MS;
    log.push(JSON.stringify({ timestamp: iso(at), op: 'SET', key, value }));
  };
  const finished = personId(random);
  const leftOpen = personId(random);
  set(finished, { round: 1, totalRounds: 5, scores: {}, lastUpdated: iso(at) });
  const unfinished = { round: 2, totalRounds: 5, scores: { [personId(random)]: 120 }, lastUpdated: iso(at) };
  set(leftOpen, unfinished);
  at += MINUTE_MS;
  log.push(JSON.stringify({ timestamp: iso(at), op: 'DELETE', key: finished }));
  writeLog(logFolder, 'game_state', log);
  writeJson(folder, 'game_state', { [leftOpen]: unfinished });
}

function iso(milliseconds) {
  return new Date(milliseconds).toISOString();
}

function writeLog(logFolder, name, lines) {
  fs.writeFileSync(path.join(logFolder, `${name}.log`), `${lines.join('\n')}\n`);
}

function writeJson(folder, name, value) {
  fs.writeFileSync(path.join(folder, `${name}.json`), JSON.stringify(value, null, 2));
}
