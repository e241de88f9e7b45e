/**
 * The checks of a night on a server: its tables against what the processes were answered. A plain client reads them, not
 * the package.
 *
 * A result counts exactly once if its call was acknowledged. If the call was rejected with `isOutcomeUnknown`, it counts
 * once or not at all. Any other rejected call does not count.
 */

const SUMS = {
  totalGames: () => 1,
  totalScore: ({ score }) => score,
  totalWins: ({ isWinner }) => Number(isWinner),
  totalCorrectAnswers: ({ correctAnswers }) => correctAnswers,
  totalIncorrectAnswers: ({ incorrectAnswers }) => incorrectAnswers,
};

/** The players, how many entries the log has of each, and what is left of the games. */
export async function readServer(server) {
  const client = await server.connect();
  try {
    const players = await client.query(
      "SELECT key, value FROM progressive_storage.state WHERE log = 'players' AND value IS NOT NULL",
    );
    const entries = await client.query(
      "SELECT key, count(*) FROM progressive_storage.entry WHERE log = 'players' GROUP BY key",
    );
    const games = await client.query(
      "SELECT key FROM progressive_storage.state WHERE log = 'game_state' AND value IS NOT NULL",
    );
    return {
      players: new Map(players.map(([key, value]) => [JSON.parse(key), JSON.parse(value)])),
      entriesOf: new Map(entries.map(([key, number]) => [JSON.parse(key), Number(number)])),
      entries: entries.reduce((sum, [, number]) => sum + Number(number), 0),
      games: games.map(([key]) => JSON.parse(key)),
    };
  } finally {
    await client.end();
  }
}

const resultsIn = (calls) => calls.filter(({ op }) => op === 'result').flatMap(({ results }) => results);

/** The calls with results of which nobody knows whether they were applied. */
export function unknownResults(bots) {
  return bots
    .flatMap((bot) => bot.failed)
    .filter(({ op, isOutcomeUnknown }) => op === 'result' && isOutcomeUnknown);
}

function byUser(results) {
  const users = new Map();
  for (const result of results) users.set(result.userId, [...(users.get(result.userId) ?? []), result]);
  return users;
}

const sumOf = (results, amount) => results.reduce((sum, result) => sum + amount(result), 0);

export function checkServer({ bots, found, expected }) {
  const acked = byUser(resultsIn(bots.flatMap((bot) => bot.acked)));
  const unknown = byUser(unknownResults(bots).flatMap(({ results }) => results));
  const users = [...expected.keys()];
  return [
    check(
      'every process lost its connection and had one again; none found a change lost',
      bots.flatMap((bot, index) => problemsWithEvents(bot, index)),
    ),
    check(
      `${users.length} players: games, points, wins and answers are the sums of what was acknowledged`,
      users.flatMap((userId) =>
        differences(userId, found.players.get(userId), acked.get(userId) ?? [], unknown.get(userId) ?? []),
      ),
    ),
    check(
      'the log has one entry for each acknowledged result',
      users.flatMap((userId) => {
        const sure = acked.get(userId)?.length ?? 0;
        const most = sure + (unknown.get(userId)?.length ?? 0);
        const entries = found.entriesOf.get(userId) ?? 0;
        return entries >= sure && entries <= most
          ? []
          : [`player ${userId}: ${sure} acknowledged, ${entries} entries`];
      }),
    ),
    check(
      'no game is left open',
      found.games.map((channelId) => `channel ${channelId}`),
    ),
  ];
}

function check(text, problems) {
  return { ok: problems.length === 0, text, details: problems };
}

function problemsWithEvents(bot, index) {
  const names = bot.events.map(({ name }) => name);
  const missing = ['connectionLost', 'reconnect'].filter((name) => !names.includes(name));
  const problems = missing.map((name) => `bot ${index + 1} had no event ${name}`);
  if (names.includes('lostWrites')) problems.push(`bot ${index + 1} had the event lostWrites`);
  return problems;
}

/** What of a record is not the sum of the results. Results that are unknown count together or not, field by field. */
function differences(userId, record, sure, unknown) {
  if (record === undefined) return sure.length === 0 ? [] : [`player ${userId} is not on the server`];
  return Object.entries(SUMS).flatMap(([field, amount]) => {
    const low = sumOf(sure, amount);
    const high = low + sumOf(unknown, amount);
    if (record[field] >= low && record[field] <= high) return [];
    return [
      `player ${userId}: ${field} is ${record[field]}, ${low}${high > low ? ` to ${high}` : ''} expected`,
    ];
  });
}
