// Everything that the package exports. The functions are bound to the default storage; their parameters are those of
// the methods of `Storage`.

const { __napiBindingTarget, OpType } = require('./addon.js');
const { Collection } = require('./collection.js');
const events = require('./events.js');
const { CompactionScheduler, startScheduler } = require('./scheduler.js');
const { close, configure, standard } = require('./standard.js');
const { Storage } = require('./storage-class.js');
const { LogEntryStream, streamLogEntries: streamOf } = require('./stream.js');

// Logs.
const appendLogEntry = (logName, entry) => standard.appendLogEntry(logName, entry);
const readLogEntries = (logName) => standard.readLogEntries(logName);
const streamLogEntries = (logName) => streamOf(standard, logName);
const rebuildStateFromLog = (logName, options) => standard.rebuildStateFromLog(logName, options);
const history = (logName, key) => standard.history(logName, key);
const getLogSize = (logName) => standard.getLogSize(logName);
const compactLog = (logName) => standard.compactLog(logName);
const compact = (logName) => standard.compact(logName);
const compactAllLogs = () => standard.compactAllLogs();
const needsCompaction = (logName, threshold) => standard.needsCompaction(logName, threshold);
const startCompactionScheduler = (intervalMs, logNames) => startScheduler(standard, intervalMs, logNames);

// Players.
const loadPlayers = () => standard.loadPlayers();
const savePlayers = (players) => standard.savePlayers(players);
const getPlayerStats = (userId) => standard.getPlayerStats(userId);
const updatePlayerStats = (userId, username, score, isWinner, correctAnswers, incorrectAnswers) =>
  standard.updatePlayerStats(userId, username, score, isWinner, correctAnswers, incorrectAnswers);
const updatePlayersStats = (results) => standard.updatePlayersStats(results);
const getLeaderboard = (sortBy, limit) => standard.getLeaderboard(sortBy, limit);
const getPlayerRank = (userId, sortBy) => standard.getPlayerRank(userId, sortBy);

// Tokens and game states.
const saveTokens = (tokens, artistInfo) => standard.saveTokens(tokens, artistInfo);
const loadTokens = () => standard.loadTokens();
const needsTokenRefresh = () => standard.needsTokenRefresh();
const saveGameState = (channelId, state) => standard.saveGameState(channelId, state);
const loadGameState = (channelId) => standard.loadGameState(channelId);
const clearGameState = (channelId) => standard.clearGameState(channelId);
const getAllGameStates = () => standard.getAllGameStates();

// The rest.
const collection = (name, options) => new Collection(standard, name, options);
const flush = () => standard.flush();
const metrics = () => standard.metrics();
const metricsText = () => standard.metricsText();
const on = (event, listener, options) => events.addListener(events.DEFAULT, event, listener, options);
const once = (event, listener, options) => events.addOnce(events.DEFAULT, event, listener, options);
const off = (event, listener) => events.removeListener(events.DEFAULT, event, listener);
// Each of these is read when it is first called.
const transaction = (places, fn) => require('./transaction.js').transaction(standard, places, fn);
const readLogLines = (file, from, options) => require('./lines.js').readLogLines(file, from, options);
const snapshot = (folder) => require('./snapshot.js').snapshot(standard, folder, Storage);
const startDashboard = (options) => require('../dashboard/start.js').startDashboard(module.exports, options);

module.exports = {
  __napiBindingTarget,
  Collection,
  CompactionScheduler,
  LogEntryStream,
  OpType,
  Storage,
  appendLogEntry,
  clearGameState,
  close,
  collection,
  compact,
  compactAllLogs,
  compactLog,
  configure,
  flush,
  getAllGameStates,
  getLeaderboard,
  getLogSize,
  getPlayerRank,
  getPlayerStats,
  history,
  loadGameState,
  loadPlayers,
  loadTokens,
  metrics,
  metricsText,
  needsCompaction,
  needsTokenRefresh,
  off,
  on,
  once,
  readLogEntries,
  readLogLines,
  rebuildStateFromLog,
  saveGameState,
  savePlayers,
  saveTokens,
  snapshot,
  startCompactionScheduler,
  startDashboard,
  streamLogEntries,
  transaction,
  updatePlayerStats,
  updatePlayersStats,
};
