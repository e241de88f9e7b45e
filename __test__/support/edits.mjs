/**
 * Helpers of the tests of edits: folders like after a clean end, a crash or a copy, and the check that everything agrees
 * after an edit.
 */
import assert from 'node:assert/strict';
import { del, player, scene, sealed, set } from './durability.mjs';

export const changesOf = (entries, key) =>
  entries.filter((entry) => entry.key === key || (entry.data && key in entry.data));
export const named = (ids) => Object.fromEntries(ids.map((id) => [id, player(id)]));

/** After an edit and a write, log, mirror, memory and the old module agree. */
export async function assertSettled(place, storage, expected, name = 'players') {
  const load = { players: 'loadPlayers', tokens: 'loadTokens', game_state: 'getAllGameStates' }[name];
  const state = load ? await storage[load]() : Object.fromEntries(await storage.collection(name).entries());
  assert.deepEqual(state, expected);
  assert.deepEqual(place.replayed(name), expected, 'the log alone says it');
  await storage.flush();
  assert.deepEqual(place.mirrorState(name), expected, 'the mirror alone says it');
  if (load) assert.deepEqual(await place.old(load), expected, 'the old module says it');
}

/** A directory after the clean end of a process. */
export async function leftCleanly(t, players = named(['a', 'b', 'c'])) {
  const place = scene(t);
  const storage = place.open();
  for (const [id, value] of Object.entries(players)) await storage.collection('players').set(id, value);
  await storage.close();
  return place;
}

/** A directory like after a crash or a copy, written by hand. */
export function leftBehind(t, { log, mirror, write = sealed }) {
  const place = scene(t);
  if (log) place.writeLog(log.map((entry) => (typeof entry === 'string' ? entry : write(entry))));
  if (mirror) place.writeMirror(mirror);
  return place;
}

export const score = (id, totalScore) => set(id, player(id, { totalScore }));
export const scores = (object) =>
  Object.fromEntries(Object.entries(object).map(([id, totalScore]) => [id, player(id, { totalScore })]));
/** A log of seven entries, and the scores that it ends with. */
export const exampleLog = () => [
  score('a', 1),
  score('b', 1),
  score('a', 2),
  score('c', 1),
  score('b', 2),
  del('c'),
  score('d', 1),
];
export const exampleScores = { a: 2, b: 2, d: 1 };
