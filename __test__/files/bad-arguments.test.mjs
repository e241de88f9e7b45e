/**
 * A refused call touches no file: after bad arguments and bad options, each name, byte, inode and time in the folder is as
 * before, and a folder that does not exist is not made. `api/bad-arguments` and `api/bad-options` test the errors.
 */
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import {
  assertOptionRefused,
  badCalls,
  badFolderOptions,
  badLogNames,
  badOptions,
  callsWithoutArguments,
  circular,
  filledPlace,
} from '../support/bad-values.mjs';
import { ps, scene, snapshot } from '../support/durability.mjs';

for (const [what, call, cases] of badCalls) {
  test(`${what}: ${cases.length} kinds of bad input touch no file`, async (t) => {
    const { place, storage } = await filledPlace(t);
    const untouched = place.open({ dataDir: path.join(place.root, 'new') });
    const before = snapshot(place.root, { times: true });
    for (const [name, value] of cases) {
      for (const each of [storage, untouched]) await assert.rejects(call(each, value), `${what} ${name}`);
      assert.deepEqual(snapshot(place.root, { times: true }), before, `${what} ${name} changed a file`);
    }
  });
}

test('calls without any arguments touch no file', async (t) => {
  const { place, storage } = await filledPlace(t);
  const before = snapshot(place.root, { times: true });
  for (const [name, call] of callsWithoutArguments) await assert.rejects(call(storage), TypeError, name);
  assert.deepEqual(snapshot(place.root, { times: true }), before);
});

test('update: an error in fn or an invalid result changes no file of data', async (t) => {
  const { place, storage } = await filledPlace(t);
  const coins = storage.collection('coins');
  // `fn` runs under the lock, so the lock's folder may change.
  const look = () => {
    const files = snapshot(place.data, { times: true });
    return Object.fromEntries(
      Object.entries(files).filter(([name]) => !name.includes('/.progressive-storage/')),
    );
  };
  const before = look();
  const thrown = new RangeError('on purpose');
  const fails = [
    (value) => {
      if (value) value.score = 99;
      throw thrown;
    },
    () => undefined,
    async (value) => value,
    () => Promise.reject(thrown),
    ...[() => {}, Symbol('s'), 1n, circular].map((value) => () => value),
  ];
  for (const key of ['user', 'new']) {
    for (const fn of fails) {
      await assert.rejects(coins.update(key, fn));
      assert.deepEqual(look(), before, `${key}: ${fn}`);
    }
  }
});

test('calls that throw at once touch no file', async (t) => {
  const { place, storage } = await filledPlace(t);
  const before = snapshot(place.root, { times: true });
  for (const [what, name] of badLogNames) {
    assert.throws(() => storage.collection(name), TypeError, what);
    assert.throws(() => storage.streamLogEntries(name), TypeError, what);
    assert.throws(() => new ps.CompactionScheduler(1000).start([name]), TypeError, what);
  }
  assert.deepEqual(snapshot(place.root, { times: true }), before);
});

test('a bad option is refused by name, and makes no file', (t) => {
  const place = scene(t);
  for (const [name, value] of [...badOptions, ...badFolderOptions]) {
    assertOptionRefused({ dataDir: place.data, [name]: value }, name);
  }
  assert.deepEqual(fs.readdirSync(place.root), []);
});
