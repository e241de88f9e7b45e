// The slash commands: their definitions for Discord, and what each does. `bot` is a Bot of bot.js.

import { getLeaderboard, getPlayerStats } from './services/storage.js';

const SORTS = { score: 'totalScore', wins: 'totalWins', accuracy: 'accuracyRate' };
const STRING = 3;
const INTEGER = 4;
const USER = 6;

export const COMMANDS = {
  trivia: {
    description: 'Start a game in this channel',
    options: [
      { name: 'rounds', description: 'How many questions', type: INTEGER, min_value: 1, max_value: 20 },
    ],
    async run(bot, { channelId, options, reply }) {
      if (!bot.startGame(channelId, options.rounds ?? 5)) return reply('A game is running here already.');
      return reply('Here we go!');
    },
  },
  stop: {
    description: 'End the game in this channel',
    async run(bot, { channelId, reply }) {
      const game = bot.games.get(channelId);
      if (!game) return reply('No game is running here.');
      game.stop();
      return reply('The game ends.');
    },
  },
  stats: {
    description: "A player's record",
    options: [{ name: 'player', description: 'Whose; yours by default', type: USER }],
    async run(_bot, { userId, options, reply }) {
      const player = await getPlayerStats(options.player ?? userId);
      if (player.totalGames === 0) return reply('No games yet.');
      return reply(
        `${player.username}: ${player.totalScore} points in ${player.totalGames} games, ` +
          `${player.totalWins} won, ${player.accuracyRate} % right`,
      );
    },
  },
  leaderboard: {
    description: 'The best players',
    options: [
      {
        name: 'by',
        description: 'What counts',
        type: STRING,
        choices: Object.keys(SORTS).map((name) => ({ name, value: name })),
      },
    ],
    async run(_bot, { options, reply }) {
      const field = SORTS[options.by ?? 'score'];
      const best = await getLeaderboard(field, 10);
      if (best.length === 0) return reply('Nobody has played yet.');
      return reply(
        best.map((player, index) => `${index + 1}. ${player.username}: ${player[field]}`).join('\n'),
      );
    },
  },
};

// In the form of Discord's API.
export function definitions() {
  return Object.entries(COMMANDS).map(([name, { description, options = [] }]) => ({
    name,
    description,
    options,
  }));
}
