// A leaderboard with seasons: points count for the season that runs, its end keeps the places for good, and the history
// has every day in between.
//
// Places of past seasons are keys of the same collection, so one operation ends a season: the places are kept and the points
// go, or neither. A shard that wants to end the same season too finds it ended.

import { tryOut } from './try-out.mjs';

const LOG = 'leaderboard';
const KEPT_PLACES = 100;
const PLAYER = 'player:';
const SEASON = 'season:';

/** Options of a Storage in a folder: the log is replaced each week, and the old ones are kept for a year of history. */
export const WEEKLY = { rotation: { every: 'week' }, archives: 53 };

const leaderboard = (storage) => storage.collection(LOG);
const asPlace = ([key, player], index) => ({ place: index + 1, userId: key.slice(PLAYER.length), ...player });
const isPlayer = ([key, value]) => key.startsWith(PLAYER) && value !== undefined;
// Equal points keep their order: who was there first is first.
const ranked = (entries) => entries.filter(isPlayer).sort(([, a], [, b]) => b.points - a.points);

export const addPoints = (storage, userId, name, points) =>
  leaderboard(storage).update(PLAYER + userId, (player) => ({
    name,
    points: (player?.points ?? 0) + points,
  }));

/** The best of the season that runs. */
export const standings = async (storage, n = 10) =>
  (await leaderboard(storage).top('points', n)).map(asPlace);

/** A player's place and how many there are, `{ rank, of }`, or null. */
export const placeOf = (storage, userId) => leaderboard(storage).rank(PLAYER + userId, 'points');

/** Ends the season that runs under a name, such as '2026-11'. Resolves to its record; one that ended before stays as it is. */
export async function endSeason(storage, name) {
  const season = SEASON + name;
  const players = (await leaderboard(storage).keys()).filter((key) => key.startsWith(PLAYER));
  // Somebody whose first points come in now is none of `players`, and begins the next season.
  const ended = await leaderboard(storage).updateMany([season, ...players], (found) => {
    if (found[season] !== undefined) return {};
    const entries = ranked(players.map((key) => [key, found[key]]));
    const places = entries.slice(0, KEPT_PLACES).map(asPlace);
    const record = { endedAt: new Date().toISOString(), players: entries.length, places };
    return Object.fromEntries([[season, record], ...entries.map(([key]) => [key, undefined])]);
  });
  return ended[season];
}

/** The record of a season that has ended, `{ endedAt, players, places }`, or undefined. */
export const pastSeason = (storage, name) => leaderboard(storage).get(SEASON + name);

/** The places as they were at a time, as far back as the old logs are kept. */
export async function standingsAt(storage, at, n = 10) {
  const then = await storage.rebuildStateFromLog(LOG, { at });
  return ranked(Object.entries(then)).slice(0, n).map(asPlace);
}

tryOut(
  import.meta.url,
  async (storage) => {
    for (const [user, points] of Object.entries({ ann: 30, ben: 50, cid: 10 }))
      await addPoints(storage, user, user, points);
    const then = new Date();
    // History has milliseconds: what comes in the same one is part of it.
    await new Promise((resolve) => setTimeout(resolve, 5));
    await addPoints(storage, 'ann', 'ann', 40);
    const { players, places } = await endSeason(storage, '2026-11');
    console.log(`${players} players, and the winner is ${places[0].name} with ${places[0].points} points`);
    console.log('the next season has', (await standings(storage)).length, 'players');
    console.log('before that, it was', (await standingsAt(storage, then, 1))[0].name);
  },
  WEEKLY,
);
