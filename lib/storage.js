// The part of the package that replaces a bot's `services/storage.js`.
const {
  saveTokens,
  loadTokens,
  needsTokenRefresh,
  loadPlayers,
  savePlayers,
  getPlayerStats,
  updatePlayerStats,
  updatePlayersStats,
  getLeaderboard,
  getPlayerRank,
  saveGameState,
  loadGameState,
  clearGameState,
  getAllGameStates,
  compactAllLogs,
} = require('../index.js');

module.exports.saveTokens = saveTokens;
module.exports.loadTokens = loadTokens;
module.exports.needsTokenRefresh = needsTokenRefresh;
module.exports.loadPlayers = loadPlayers;
module.exports.savePlayers = savePlayers;
module.exports.getPlayerStats = getPlayerStats;
module.exports.updatePlayerStats = updatePlayerStats;
module.exports.updatePlayersStats = updatePlayersStats;
module.exports.getLeaderboard = getLeaderboard;
module.exports.getPlayerRank = getPlayerRank;
module.exports.saveGameState = saveGameState;
module.exports.loadGameState = loadGameState;
module.exports.clearGameState = clearGameState;
module.exports.getAllGameStates = getAllGameStates;
module.exports.compactAllLogs = compactAllLogs;
