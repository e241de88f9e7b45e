/**
 * An endless row of calls of every kind that follows from a seed: a child makes them, and its parent knows without asking
 * the child what must be on disk after any number of them.
 *
 * Each call has a number (`seq`), which is in all that it writes. `alone`: the caller is the only one on the directory.
 * Otherwise it uses only keys with its prefix, and keys that begin with `shared`, which it only counts up.
 */
import { seededRandom } from '../support/durability.mjs';

export const LOGS = ['players', 'tokens', 'game_state', 'coins', 'events', 'audit'];

/** Yields { seq, log, kind, args }, `seq` from `first` on. */
export function* seededCalls({ seed, first, prefix, alone }) {
  const random = seededRandom(seed);
  const own = (name, count) => `${prefix}-${name}-${random(count)}`;
  const text = () => 'nöte "x" '.repeat(random(12));
  const chance = (oneIn) => random(oneIn) === 0;
  const result = (userId, seq) => [userId, `name of ${userId}`, seq, chance(2), random(10), random(5)];
  const user = () => {
    // Some users and keys are from earlier rounds, or belong to both processes.
    if (chance(5)) return `shared-${random(3)}`;
    return alone && chance(4) ? `old-${random(5)}` : own('user', 12);
  };
  const kinds = [
    [8, 'players', 'updatePlayerStats', (seq) => result(user(), seq)],
    [
      3,
      'players',
      'updatePlayersStats',
      (seq) => {
        const users = [user(), own('user', 12), user()];
        return [users.map((userId) => resultObject(result(userId, seq)))];
      },
    ],
    [5, 'game_state', 'saveGameState', (seq) => [own('channel', 10), { seq, text: text() }]],
    [2, 'game_state', 'clearGameState', () => [own('channel', 10)]],
    [6, 'coins', 'set', (seq) => [own('key', 15), { seq, text: text() }]],
    [4, 'coins', 'update', (seq) => [own('key', 15), seq]],
    [2, 'coins', 'update', (seq) => ['shared', seq]],
    // Amounts and items have the number of the call. What these calls write has keys of its own, so it fits.
    [3, 'coins', 'increment', (seq) => [own('sum', 8), 'sum', seq]],
    [3, 'coins', 'push', (seq) => [own('list', 8), 'items', { seq }, text()]],
    [2, 'coins', 'ensure', (seq) => [own('once', 40), { seq }]],
    [3, 'coins', 'delete', () => [own('key', 15)]],
    [
      6,
      'events',
      'appendLogEntry',
      (seq) => [{ op: 'SET', key: own('event', 20), value: { seq, text: text() } }],
    ],
    [
      2,
      'events',
      'appendLogEntry',
      (seq) => [{ op: 'SET', data: { [own('event', 20)]: { seq }, [own('event', 20)]: { seq } } }],
    ],
    [2, 'events', 'appendLogEntry', () => [{ op: 'DELETE', key: own('event', 20) }]],
    [3, 'audit', 'appendLogEntry', (seq) => [{ op: 'NOTE', by: prefix, seq, text: text() }]],
  ];
  if (alone) {
    kinds.push(
      [3, 'tokens', 'saveTokens', (seq) => [[seq, text()], chance(2) ? { seq } : null]],
      [1, 'players', 'savePlayers', (seq) => [somePlayers(seq, 5 + random(20))]],
      [1, 'coins', 'clear', () => []],
    );
  }
  const drawn = kinds.flatMap((kind) => Array(kind[0]).fill(kind));
  for (let seq = first; ; seq++) {
    const [, log, kind, args] = drawn[random(drawn.length)];
    yield { seq, log, kind, args: args(seq) };
  }
}

const resultObject = ([userId, username, score, isWinner, correctAnswers, incorrectAnswers]) => ({
  userId,
  username,
  score,
  isWinner,
  correctAnswers,
  incorrectAnswers,
});

function somePlayers(seq, count) {
  const players = {};
  for (let n = 0; n < count; n++)
    players[`old-${n}`] = { userId: `old-${n}`, username: null, totalScore: seq };
  return players;
}

const counted = (seq) => (before) => ({ seq, count: (before?.count ?? 0) + 1 });

/** Makes a call on a storage, or on the model, which has the same methods. */
export function make(storage, { log, kind, args }) {
  switch (kind) {
    case 'appendLogEntry':
      return storage.appendLogEntry(log, args[0]);
    case 'update':
      return storage.collection(log).update(args[0], counted(args[1]));
    case 'set':
    case 'ensure':
    case 'increment':
    case 'push':
    case 'delete':
    case 'clear':
      return storage.collection(log)[kind](...args);
    default:
      return storage[kind](...args);
  }
}
