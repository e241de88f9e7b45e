/**
 * Helpers of the tests of limits. PS_LONG=1 takes a million keys instead of 200,000, and values as long as V8 can make them.
 */
import assert from 'node:assert/strict';
import { player } from './durability.mjs';

export const isLong = process.env.PS_LONG === '1';
export const fast = { fsync: 'never' };

/** For large values: a comparison that fails must not print 50 MB. */
export function assertSame(actual, expected, what = 'the value that was written') {
  assert.ok(JSON.stringify(actual) === JSON.stringify(expected), what);
}

export async function refused(call) {
  const error = await call().then(
    () => assert.fail('it was not refused'),
    (reason) => reason,
  );
  assert.ok(error instanceof TypeError, String(error));
  assert.equal(error.code, 'ERR_INVALID_ARG_VALUE');
  assert.ok(error.message.length < 1000, 'the message is for people');
  return error;
}

/** The calls that take a value of any kind. */
export const writersOf = (storage) => ({
  appendLogEntry: (value) => storage.appendLogEntry('events', { op: 'SET', key: 'k', value }),
  set: (value) => storage.collection('coins').set('k', value),
  update: (value) => storage.collection('coins').update('k', () => value),
  saveGameState: (value) => storage.saveGameState('k', { value }),
  saveTokens: (value) => storage.saveTokens(['token', value]),
  artistInfo: (value) => storage.saveTokens(['token'], { value }),
  savePlayers: (value) => storage.savePlayers({ k: player('k', { value }) }),
});

/** All of these calls have written the value. */
export async function assertWritten(storage, value) {
  assertSame((await storage.readLogEntries('events')).at(-1).value, value, 'appendLogEntry');
  assertSame(await storage.collection('coins').get('k'), value, 'set and update');
  assertSame((await storage.loadGameState('k')).value, value, 'saveGameState');
  const tokens = await storage.loadTokens();
  assertSame(tokens.artistInfo?.value ?? tokens.tokens[1], value, 'saveTokens');
  assertSame((await storage.loadPlayers()).k.value, value, 'savePlayers');
}
