// The bot's own storage module from before this package: every update reads a whole JSON file, changes it, logs one line,
// and writes the whole file again. append-log.mjs says what it is for.

import fs from 'node:fs/promises';
import path from 'node:path';
import { appendLogEntry, compactLog, dataFolder, OpType, rebuildStateFromLog } from './append-log.mjs';

const TOKEN_LIFE_MS = 24 * 60 * 60 * 1000;
const HISTORY_KEPT = 50;

async function load(name) {
  let text;
  try {
    text = await fs.readFile(path.join(dataFolder(), `${name}.json`), 'utf8');
  } catch (error) {
    if (error.code !== 'ENOENT') throw error;
    return rebuildStateFromLog(name);
  }
  try {
    return JSON.parse(text);
  } catch {
    return rebuildStateFromLog(name);
  }
}

async function save(name, state) {
  const folder = dataFolder();
  await fs.mkdir(folder, { recursive: true });
  await fs.writeFile(path.join(folder, `${name}.json`), JSON.stringify(state, null, 2), 'utf8');
}

export async function saveTokens(tokens, artistInfo = null) {
  const data = { lastUpdated: new Date().toISOString(), count: tokens.length, tokens };
  if (artistInfo) data.artistInfo = artistInfo;
  await appendLogEntry('tokens', { op: OpType.SET, data });
  await save('tokens', data);
}

export async function loadTokens() {
  const data = await load('tokens');
  return Object.keys(data).length > 0 ? data : null;
}

export async function needsTokenRefresh() {
  const data = await loadTokens();
  if (!data?.lastUpdated) return true;
  return Date.now() - new Date(data.lastUpdated).getTime() > TOKEN_LIFE_MS;
}

export async function loadPlayers() {
  return load('players');
}

export async function savePlayers(players) {
  const before = await load('players');
  for (const userId of Object.keys(before)) {
    if (!Object.hasOwn(players, userId)) await appendLogEntry('players', { op: OpType.DELETE, key: userId });
  }
  await appendLogEntry('players', { op: OpType.SET, data: players });
  await save('players', players);
}

function defaultPlayer(userId, username) {
  return {
    userId,
    username,
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
  };
}

function storedPlayer(players, userId) {
  return Object.hasOwn(players, userId) ? players[userId] : {};
}

export async function getPlayerStats(userId) {
  const players = await loadPlayers();
  return { ...defaultPlayer(userId, null), ...storedPlayer(players, userId) };
}

export async function updatePlayerStats(
  userId,
  username,
  score,
  isWinner = false,
  correctAnswers = 0,
  incorrectAnswers = 0,
) {
  const players = await loadPlayers();
  const player = { ...defaultPlayer(userId, username), ...storedPlayer(players, userId) };

  player.username = username;
  player.totalGames += 1;
  player.totalScore += score;
  player.averageScore = Math.round(player.totalScore / player.totalGames);
  player.bestScore = Math.max(player.bestScore, score);
  player.totalCorrectAnswers += correctAnswers;
  player.totalIncorrectAnswers += incorrectAnswers;
  player.totalAnswers = player.totalCorrectAnswers + player.totalIncorrectAnswers;
  player.accuracyRate =
    player.totalAnswers > 0 ? Math.round((100 * player.totalCorrectAnswers) / player.totalAnswers) : 0;
  if (isWinner) player.totalWins += 1;
  player.gamesHistory = [
    ...player.gamesHistory,
    { date: new Date().toISOString(), score, isWinner, correctAnswers, incorrectAnswers },
  ].slice(-HISTORY_KEPT);

  players[userId] = player;
  await appendLogEntry('players', { op: OpType.SET, key: userId, value: player });
  await save('players', players);
  return player;
}

export async function getLeaderboard(sortBy = 'totalScore', limit = 10) {
  const players = Object.values(await loadPlayers());
  return players.sort((a, b) => (b[sortBy] || 0) - (a[sortBy] || 0)).slice(0, limit);
}

export async function saveGameState(channelId, state) {
  const states = await getAllGameStates();
  states[channelId] = { ...state, lastUpdated: new Date().toISOString() };
  await appendLogEntry('game_state', { op: OpType.SET, key: channelId, value: states[channelId] });
  await save('game_state', states);
}

export async function loadGameState(channelId) {
  const states = await getAllGameStates();
  return Object.hasOwn(states, channelId) ? states[channelId] : null;
}

export async function clearGameState(channelId) {
  const states = await getAllGameStates();
  delete states[channelId];
  await appendLogEntry('game_state', { op: OpType.DELETE, key: channelId });
  await save('game_state', states);
}

export async function getAllGameStates() {
  return load('game_state');
}

export async function compactAllLogs() {
  for (const name of ['players', 'tokens', 'game_state']) {
    try {
      await compactLog(name);
    } catch (error) {
      console.error(`Compaction of ${name} failed:`, error.message);
    }
  }
}
