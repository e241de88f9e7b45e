/**
 * The bot's change of a player's record after a game, for stores that have no such call.
 */

export function play(record) {
  const totalGames = record.totalGames + 1;
  const totalScore = record.totalScore + 500;
  const totalCorrectAnswers = record.totalCorrectAnswers + 5;
  const totalIncorrectAnswers = record.totalIncorrectAnswers + 5;
  const totalAnswers = totalCorrectAnswers + totalIncorrectAnswers;
  const game = {
    date: new Date().toISOString(),
    score: 500,
    isWinner: false,
    correctAnswers: 5,
    incorrectAnswers: 5,
  };
  return {
    ...record,
    totalGames,
    totalScore,
    averageScore: Math.round(totalScore / totalGames),
    bestScore: Math.max(record.bestScore, 500),
    totalCorrectAnswers,
    totalIncorrectAnswers,
    totalAnswers,
    accuracyRate: Math.round((100 * totalCorrectAnswers) / totalAnswers),
    gamesHistory: [...record.gamesHistory, game].slice(-50),
  };
}
