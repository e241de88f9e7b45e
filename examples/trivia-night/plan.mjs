/**
 * The plan of the night: who plays where, which questions are asked, and who answers what.
 *
 * The plan has all answers, so the parent knows what every player's record must hold at the end. They are drawn
 * before the night begins, so a game that is interrupted goes on with the same answers.
 *
 *     { nightId, newcomers, channels: [ { channelId, name, settle, games: [ game ] } ] }
 *     game = { players: [ { userId, username } ], questions: [ { index, order, openMs } ],
 *              answers: [ one list a question: [ { correct, points } of each player ] ] }
 *
 * `settle` says how a channel's results are recorded: one call after another, all calls of a game at once, or the
 * whole game in one call. Nobody plays in two channels, so the order of a player's games is known; but in a shared night
 * (`planSharedNight`) everybody plays everywhere.
 */

import { personId, personName } from './names.mjs';
import { QUESTIONS } from './questions.mjs';
import { between, randomFrom, shuffled } from './random.mjs';

const CHANNEL_NAMES = [
  'general',
  'music',
  'movies',
  'science',
  'history',
  'sports',
  'food',
  'geography',
  'animals',
  'art',
  'gaming',
  'late-night',
];
const SETTLE_WAYS = ['one by one', 'all at once', 'one line'];
const GAMES_EACH = 6;
const QUESTIONS_EACH = 6;
const PLAYERS_EACH_MAX = 14;
const REGULARS_EACH_MAX = 24;

/** `known` are the players of the data folder, as `{ userId, username }`; newcomers join them. */
export function planNight(known, seed = 7) {
  const random = randomFrom(seed);
  const regulars = shuffled(random, known).slice(0, CHANNEL_NAMES.length * REGULARS_EACH_MAX);
  const taken = new Set(known.map((player) => player.userId));

  const newcomers = [];
  const newcomer = () => {
    let userId = personId(random);
    while (taken.has(userId)) userId = personId(random);
    taken.add(userId);
    newcomers.push({ userId, username: personName(random) });
    return newcomers[newcomers.length - 1];
  };

  const channels = CHANNEL_NAMES.map((name, index) => {
    const people = regulars.filter((_, position) => position % CHANNEL_NAMES.length === index);
    do people.push(newcomer());
    while (people.length < 8);
    return {
      channelId: personId(random),
      name,
      settle: SETTLE_WAYS[index % SETTLE_WAYS.length],
      games: Array.from({ length: GAMES_EACH }, () => planGame(random, people)),
    };
  });
  return { nightId: personId(random), newcomers, channels };
}

/**
 * A night for several processes: the same people play in all channels, so that the processes write the same records. In
 * what order their games count is open; their sums are not.
 */
export function planSharedNight(people, seed = 7) {
  const random = randomFrom(seed);
  const players = Array.from({ length: people }, () => ({
    userId: personId(random),
    username: personName(random),
  }));
  const channels = CHANNEL_NAMES.map((name, index) => ({
    channelId: personId(random),
    name,
    settle: SETTLE_WAYS[index % SETTLE_WAYS.length],
    games: Array.from({ length: GAMES_EACH }, () => planGame(random, players)),
  }));
  return { nightId: personId(random), newcomers: [], channels };
}

function planGame(random, people) {
  const count = Math.min(people.length, between(random, 8, PLAYERS_EACH_MAX));
  const players = shuffled(random, people).slice(0, count);
  const skills = players.map(() => 0.25 + random() * 0.6);
  const indexes = shuffled(
    random,
    QUESTIONS.map((_, index) => index),
  ).slice(0, QUESTIONS_EACH);
  return {
    players,
    questions: indexes.map((index) => ({
      index,
      order: shuffled(random, [0, 1, 2, 3]),
      openMs: between(random, 100, 220),
    })),
    answers: indexes.map(() =>
      skills.map((skill) => {
        const correct = random() < skill;
        return { correct, points: correct ? 100 + between(random, 0, 50) : 0 };
      }),
    ),
  };
}

/** The player with the most points, the first of them when several have as many; null when nobody has any. */
export function winnerOf(scores) {
  let winner = null;
  for (const [userId, { score }] of Object.entries(scores)) {
    if (score > (winner === null ? 0 : scores[winner].score)) winner = userId;
  }
  return winner;
}

/** What every player must have been given by the end of the night: Map of userId → results, in order. */
export function expectedResults(plan) {
  const expected = new Map();
  for (const channel of plan.channels) {
    for (const game of channel.games) {
      for (const result of resultsOf(game)) {
        expected.set(result.userId, [...(expected.get(result.userId) ?? []), result]);
      }
    }
  }
  return expected;
}

export function resultsOf(game) {
  const scores = Object.fromEntries(
    game.players.map(({ userId, username }, position) => {
      const answers = game.answers.map((round) => round[position]);
      const correct = answers.filter((answer) => answer.correct).length;
      const score = answers.reduce((sum, answer) => sum + answer.points, 0);
      return [userId, { username, score, correct, incorrect: answers.length - correct }];
    }),
  );
  const winner = winnerOf(scores);
  return Object.entries(scores).map(([userId, result]) => ({
    userId,
    username: result.username,
    score: result.score,
    isWinner: userId === winner,
    correctAnswers: result.correct,
    incorrectAnswers: result.incorrect,
  }));
}
