/**
 * Odd but legal keys and log names in files: none reaches a file outside the data directory, and none in a file of others
 * changes a prototype. `api/odd-keys` tests what the calls answer.
 */
import assert from 'node:assert/strict';
import fs from 'node:fs';
import test from 'node:test';
import { scene } from '../support/durability.mjs';
import {
  assertPrototypesAreKeys,
  legalLogNames,
  playOddKeys,
  storePrototypes,
} from '../support/odd-keys.mjs';

test('a log of any legal name is a file in the data directory', async (t) => {
  const place = scene(t);
  const storage = place.open();
  for (const name of legalLogNames) {
    await storage.appendLogEntry(name, { op: 'SET', key: 'k', value: name });
    await storage.compactLog(name);
    assert.ok(fs.existsSync(place.log(name)));
  }
  assert.deepEqual(fs.readdirSync(place.root), ['data']);
});

test('odd keys reach nothing outside the data directory', async (t) => {
  const place = scene(t);
  await playOddKeys(place);
  assert.deepEqual(fs.readdirSync(place.root), ['data']);
});

test('__proto__ in an edit by hand changes no prototype', async (t) => {
  const place = scene(t);
  const storage = place.open();
  await storePrototypes(storage);
  await assertPrototypesAreKeys(storage);
  await storage.close();
  fs.writeFileSync(place.mirror(), '{"__proto__": {"polluted": true}, "a": {"totalScore": 1}}');
  const again = place.open();
  const edited = await again.loadPlayers();
  assert.deepEqual(Object.keys(edited), ['__proto__', 'a']);
  assert.equal(Object.getPrototypeOf(edited), Object.prototype);
  await again.clearGameState('__proto__');
  await again.updatePlayerStats('__proto__', 'name', 1);
  assert.equal({}.totalGames, undefined);
});

test('__proto__ in a log written by hand', async (t) => {
  const place = scene(t);
  place.writeLog(
    [
      '{"op":"SET","key":"__proto__","value":{"polluted":true}}',
      '{"op":"SET","data":{"__proto__":{"polluted":true},"a":{}}}',
      '{"op":"CHECKPOINT","state":{"__proto__":{"polluted":true},"b":{}}}',
      '{"op":"SET","key":"x","value":1,"__proto__":{"op":"DELETE"}}',
    ],
    'events',
  );
  const storage = place.open();
  const state = await storage.rebuildStateFromLog('events');
  assert.deepEqual(Object.keys(state), ['__proto__', 'a', 'b', 'x']);
  assert.equal(Object.getPrototypeOf(state), Object.prototype);
  assert.equal({}.polluted, undefined);
});
