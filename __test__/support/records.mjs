// Records of players as an older bot or an admin leaves them. The calls answer the same whoever stored them.

// Without the fields that came later.
export const OLD_FORM = {
  userId: 'old',
  username: 'Veteran',
  totalGames: 3,
  totalWins: 1,
  totalScore: 90,
  averageScore: 30,
  bestScore: 50,
  gamesHistory: [{ date: '2023-01-01T00:00:00.000Z', score: 50, isWinner: true }],
};

export const LONG_HISTORY = {
  userId: 'long',
  gamesHistory: Array.from({ length: 80 }, (_, score) => ({ score, note: { kept: true } })),
};

export const UNKNOWN_FIELDS = {
  zeta: [1, { a: null }],
  totalScore: 5,
  alpha: 'x',
  userId: 'another id',
  username: 'Before',
};

// Players by the field `level`: a missing or other value counts as zero.
export const LEVELS = {
  none: { userId: 'none' },
  low: { userId: 'low', level: -1.5 },
  text: { userId: 'text', level: '99' },
  high: { userId: 'high', level: 12.25 },
  empty: { userId: 'empty', level: null },
  zero: { userId: 'zero', level: 0 },
  list: { userId: 'list', level: [5] },
  truth: { userId: 'truth', level: true },
  big: { userId: 'big', level: 1e21 },
  tiny: { userId: 'tiny', level: 5e-324 },
};
export const BY_LEVEL = ['big', 'high', 'tiny', 'none', 'text', 'empty', 'zero', 'list', 'truth', 'low'];

// Fields in which no player has a number.
export const NO_NUMBERS = ['no such field', 'userId', 'constructor', '__proto__', 'toString', 'a"b', ''];
