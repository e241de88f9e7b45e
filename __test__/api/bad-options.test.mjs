/**
 * Calls without a promise throw at once: `collection`, `streamLogEntries`, the scheduler, `new Storage` and `configure`
 * refuse bad names and options with a TypeError, and write no entry. What an object only inherits is no option, and the
 * methods work on a storage alone. `files/bad-arguments` tests that bad calls touch no file.
 */
import assert from 'node:assert/strict';
import test from 'node:test';
import {
  assertOptionRefused,
  assertRefused,
  badLogNames,
  badOptions,
  EITHER,
  entriesOf,
  filledPlace,
  TYPE,
} from '../support/bad-values.mjs';
import { ps, scene } from '../support/durability.mjs';
import { optionsAt } from '../support/place.mjs';

test('synchronous calls throw', async (t) => {
  const { storage } = await filledPlace(t);
  const before = await entriesOf(storage);
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
  assert.deepEqual(await entriesOf(storage), before);
});

test('a bad option is refused by name', (t) => {
  const place = scene(t);
  for (const [name, value] of badOptions) {
    assertOptionRefused({ ...optionsAt(place.data), [name]: value }, name);
  }
  for (const options of [null, 42, 'data', []]) {
    assert.throws(() => new ps.Storage(options), { name: 'TypeError' }, `new Storage(${options})`);
    assert.throws(() => ps.configure(options), { name: 'TypeError' }, `configure(${options})`);
  }
});

test('what an object inherits is no option', (t) => {
  const place = scene(t);
  const open = [];
  t.after(() => Promise.all(open.map((storage) => storage.close())));
  const inherited = { logger: 5, backups: -1, rotation: 7, oldLogsLimitBytes: 'x', timeZone: 'Nowhere' };
  for (const [name, value] of Object.entries(inherited)) {
    Object.defineProperty(Object.prototype, name, { value, configurable: true, enumerable: true });
    try {
      const dataDir = `${place.data}-${name}`;
      open.push(new ps.Storage({ dataDir, rotation: { every: 'day' } }), new ps.Storage({ dataDir }));
    } finally {
      delete Object.prototype[name];
    }
  }
});

test('a method of Storage is refused on anything else', (t) => {
  const place = scene(t);
  const storage = new ps.Storage({ dataDir: place.data });
  t.after(() => storage.close());
  const illegal = { name: 'TypeError', message: 'Illegal invocation' };
  // A native method is refused by the runtime, before it is called. Bun and Deno leave the words to the bindings.
  const isNode = !process.versions.bun && !process.versions.deno;
  const refused = isNode ? illegal : { message: /instance of class|of `Storage` type/ };
  const others = [undefined, null, 5, {}, Object.create(storage), Object.create(ps.Storage.prototype)];
  for (const other of [...others, storage.collection('players')]) {
    for (const name of ['on', 'once', 'off', 'streamLogEntries', 'startCompactionScheduler', 'flush']) {
      const call = () => ps.Storage.prototype[name].call(other, 'players', () => {});
      assert.throws(call, name === 'flush' ? refused : illegal, `${name} of ${other}`);
    }
  }
});
