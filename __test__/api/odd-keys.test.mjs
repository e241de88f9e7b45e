/**
 * Odd but legal keys and log names: `__proto__`, paths, control characters, lone surrogates. Each is an ordinary name. It
 * changes no prototype, and becomes no other name. `files/odd-keys` tests that it reaches no other file.
 */
import assert from 'node:assert/strict';
import test from 'node:test';
import { assertRefused, EITHER } from '../support/bad-values.mjs';
import { scene } from '../support/durability.mjs';
import {
  assertPrototypesAreKeys,
  legalLogNames,
  playOddKeys,
  storePrototypes,
} from '../support/odd-keys.mjs';

test('a log name of exactly 200 bytes, and other legal ones', async (t) => {
  const place = scene(t);
  const storage = place.open();
  for (const name of legalLogNames) {
    await storage.appendLogEntry(name, { op: 'SET', key: 'k', value: name });
    assert.deepEqual(await storage.rebuildStateFromLog(name), { k: name });
    await storage.compactLog(name);
  }
});

test('odd keys are ordinary keys', async (t) => {
  await playOddKeys(scene(t));
});

test('__proto__ as a key changes no prototype, in any call', async (t) => {
  const place = scene(t);
  const storage = place.open();
  await storePrototypes(storage);
  await assertPrototypesAreKeys(storage);
  await storage.close();

  const again = place.open();
  await assertPrototypesAreKeys(again);
  await again.clearGameState('__proto__');
  assert.equal((await again.updatePlayerStats('__proto__', 'name', 1)).totalGames, 2);
  assert.equal({}.totalGames, undefined);
});

test('a lone surrogate is kept or refused, but never becomes another key', async (t) => {
  const coins = scene(t).open().collection('coins');
  const keys = ['\ud800', '\udfff', '\ufffd', 'a\ud800b'];
  const accepted = [];
  for (const key of keys) {
    const refusal = await coins.set(key, { key }).then(
      () => null,
      (error) => error,
    );
    if (refusal) assertRefused(refusal, EITHER, JSON.stringify(key));
    else accepted.push(key);
  }
  assert.deepEqual(await coins.keys(), accepted);
  for (const key of accepted) assert.deepEqual(await coins.get(key), { key });
});
