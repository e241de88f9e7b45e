export type { GameHistoryEntry, PlayerRecord, PlayerResult, Rank, TokenList } from '../index.js';
export {
  clearGameState,
  compactAllLogs,
  getAllGameStates,
  getLeaderboard,
  getPlayerRank,
  getPlayerStats,
  loadGameState,
  loadPlayers,
  loadTokens,
  needsTokenRefresh,
  saveGameState,
  savePlayers,
  saveTokens,
  updatePlayerStats,
  updatePlayersStats,
} from '../index.js';
