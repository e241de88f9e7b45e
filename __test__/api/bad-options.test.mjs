/**
 * Calls without a promise throw at once: `collection`, `streamLogEntries`, the scheduler, `new Storage` and `configure`
 * refuse bad names and options with a TypeError, and touch no file.
 */
import assert from 'node:assert/strict';
import fs from 'node:fs';
import test from 'node:test';
import { assertRefused, badLogNames, EITHER, filledPlace, TYPE } from '../support/bad-values.mjs';
import { ps, scene, snapshot } from '../support/durability.mjs';

test('synchronous calls throw', async (t) => {
  const { place, storage } = await filledPlace(t);
  const before = snapshot(place.root, { times: true });
  const throws = (call, codes, what) => {
    assert.throws(call, (error) => {
      assertRefused(error, codes, what);
      return true;
    });
  };
  for (const [what, name, codes] of badLogNames) {
    throws(() => storage.collection(name), codes, `collection ${what}`);
    throws(() => storage.streamLogEntries(name), codes, `streamLogEntries ${what}`);
    throws(() => new ps.CompactionScheduler(1000).start([name]), codes, `start ${what}`);
  }
  for (const names of [null, 42, 'players', {}]) {
    throws(() => new ps.CompactionScheduler(1000).start(names), TYPE, `start ${names}`);
  }
  for (const interval of [null, '5', {}, NaN, -1, Infinity, 0]) {
    throws(() => new ps.CompactionScheduler(interval), EITHER, `CompactionScheduler ${interval}`);
  }
  assert.deepEqual(snapshot(place.root, { times: true }), before);
});

const badOptions = [
  ['dataDir', 42],
  ['dataDir', null],
  ['dataDir', ''],
  ['dataDir', 'a\0b'],
  ['dataDir', {}],
  ['fsync', 'sometimes'],
  ['fsync', true],
  ['fsync', null],
  ['fsyncIntervalMs', '5'],
  ['fsyncIntervalMs', NaN],
  ['fsyncIntervalMs', -1],
  ['fsyncIntervalMs', Infinity],
  ['onCorruption', 'ignore'],
  ['onCorruption', 1],
  ['dataDirectory', '/tmp'],
  ['fSync', 'always'],
];

test('a bad option is refused by name', (t) => {
  const place = scene(t);
  for (const [name, value] of badOptions) {
    for (const [what, call] of [
      ['new Storage', () => new ps.Storage({ dataDir: place.data, [name]: value })],
      ['configure', () => ps.configure({ dataDir: place.data, [name]: value })],
    ]) {
      assert.throws(call, (error) => {
        assertRefused(error, EITHER, `${what} ${name}: ${String(value)}`);
        assert.match(error.message, new RegExp(name), `${what} names ${name}`);
        return true;
      });
    }
  }
  for (const options of [null, 42, 'data', []]) {
    assert.throws(() => new ps.Storage(options), { name: 'TypeError' }, `new Storage(${options})`);
    assert.throws(() => ps.configure(options), { name: 'TypeError' }, `configure(${options})`);
  }
  assert.deepEqual(fs.readdirSync(place.root), []);
});
