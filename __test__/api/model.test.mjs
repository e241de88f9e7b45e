// Thousands of random calls on the addon and on the reference model, compared after each call. Between them: groups of calls
// that nobody awaits, close and reopen, and two Storage objects. `files/model` does it with foreign changes of the files.
//
// A failure names its seed. MODEL_SEED=n runs only that seed, with MODEL_HANDLES=2, MODEL_FSYNC=always or MODEL_UPDATES=1 as
// in the failed test. MODEL_CALLS=n sets the number of calls.

import { test } from 'node:test';
import { runSeed, wantedRun } from '../support/model-run.mjs';

const wanted = wantedRun();
if (wanted) {
  test(`seed ${wanted.seed}`, (t) => runSeed(t, wanted.seed, wanted));
} else {
  const fresh = Date.now() % 1e9;
  test('calls and groups of calls', (t) => runSeed(t, 1));
  test('the same, every write synced', (t) => runSeed(t, 2, { fsync: 'always' }));
  test('no value in memory', (t) => runSeed(t, 4, { cacheBytes: 0 }));
  test('two objects on one place', (t) => runSeed(t, 3, { handles: 2 }));
  // update() goes from thread to thread and back, and still keeps its place among the other calls.
  for (const seed of [10, 11]) {
    test(`update() in groups that nobody awaits, seed ${seed}`, (t) =>
      runSeed(t, seed, { updatesInGroups: true }));
  }
  test(`a new seed, ${fresh}`, (t) => runSeed(t, fresh));
  test(`a new seed, ${fresh + 1}, for two objects and update() in groups`, (t) =>
    runSeed(t, fresh + 1, { handles: 2, updatesInGroups: true }));
}
