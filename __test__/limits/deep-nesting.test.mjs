/**
 * Deep nesting: a call takes it, or rejects it with a clear error before anything is touched. Files that came from
 * elsewhere may hold deeper values than a call can write. Nothing ends the process.
 */
import assert from 'node:assert/strict';
import fs from 'node:fs';
import test from 'node:test';
import { Worker } from 'node:worker_threads';
import { plain, scene, sealed, set, snapshot } from '../support/durability.mjs';
import { assertWritten, fast, refused, writersOf } from '../support/limits.mjs';

const DEEP = 10_000;

function nested(depth, kind = 'array') {
  let value = kind === 'array' ? [] : {};
  for (let i = 1; i < depth; i++) value = kind === 'array' ? [value] : { a: value };
  return value;
}

function depthOf(value) {
  let depth = 0;
  for (let at = value; at !== undefined; at = Array.isArray(at) ? at[0] : at.a) depth += 1;
  return depth;
}

/** The error of JSON.stringify for a value; null when it writes the value. */
function whyNotWritten(value) {
  try {
    JSON.stringify(value);
    return null;
  } catch (error) {
    assert.ok(error instanceof RangeError, String(error));
    return error.message;
  }
}

test('nesting too deep for JSON.stringify or the store: a clear error, and nothing is touched', async (t) => {
  const place = scene(t);
  const storage = place.open(fast);
  for (const write of Object.values(writersOf(storage))) await write('before');
  await storage.flush();
  const before = snapshot(place.data, { times: true });
  for (const kind of ['array', 'object']) {
    for (const depth of [2 * DEEP, 10 * DEEP, 100 * DEEP]) {
      const value = nested(depth, kind);
      // Newer engines write any depth; there the limit is that of the store.
      const reason = whyNotWritten(value) ?? 'is nested more than 12000 deep';
      for (const [name, write] of Object.entries(writersOf(storage))) {
        const error = await refused(() => write(value));
        assert.ok(error.message.includes(reason), `${name}: ${error.message}`);
      }
    }
  }
  assert.deepEqual(snapshot(place.data, { times: true }), before);
  await assertWritten(storage, 'before');
});

test('nesting just below the limit works, or gets the same error', async (t) => {
  const place = scene(t);
  const storage = place.open(fast);
  let works = 100;
  let fails = DEEP;
  // The stack's limit differs from call to call, so this is near the limit and not exactly at it.
  while (fails - works > 20) {
    const depth = Math.floor((works + fails) / 2);
    const call = storage.appendLogEntry('events', { op: 'SET', key: 'k', value: nested(depth) });
    await call.then(
      () => {
        works = depth;
      },
      (error) => {
        assert.equal(error.code, 'ERR_INVALID_ARG_VALUE');
        fails = depth;
      },
    );
  }
  assert.equal(depthOf((await storage.readLogEntries('events')).at(-1).value), works);
  await storage.collection('coins').set('k', nested(works - 100));
  await storage.collection('coins').update('k', (value) => [value]);
  await storage.close();
  const again = place.open(fast);
  assert.equal(depthOf((await again.rebuildStateFromLog('events')).k), works);
  assert.equal(depthOf(await again.collection('coins').get('k')), works - 99);
});

test(`nesting ${DEEP} deep, from a thread with a stack for it`, async (t) => {
  const place = scene(t);
  const script = new URL('../children/deep-thread.mjs', import.meta.url);
  const worker = new Worker(script, {
    workerData: { dataDir: place.data, depth: DEEP },
    resourceLimits: { stackSizeMb: 16 },
  });
  const report = await new Promise((resolve, reject) => {
    worker.on('message', resolve);
    worker.on('error', reject);
    worker.on('exit', (code) => reject(new Error(`the thread ended with ${code}`)));
  });
  await worker.terminate();
  assert.deepEqual(report, { appended: DEEP, updated: DEEP + 1 });
  // A thread with less stack can read what this thread wrote.
  const storage = place.open(fast);
  assert.equal(depthOf((await storage.readLogEntries('events')).at(-1).value), DEEP);
  assert.equal(depthOf(await storage.collection('coins').get('k')), DEEP + 1);
  await storage.collection('coins').set('other', 1);
  await storage.compactLog('coins');
  await storage.compactLog('events');
  assert.equal(depthOf((await storage.rebuildStateFromLog('events')).k), DEEP);
  assert.equal(depthOf((await storage.collection('coins').entries())[0][1]), DEEP + 1);
});

test(`nesting ${DEEP} deep and more, in files that came from elsewhere`, async (t) => {
  const place = scene(t);
  const text = (depth) => `${'['.repeat(depth)}${']'.repeat(depth)}`;
  const objects = (depth) => `${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}`;
  // Deeper than V8 can write: a line of the old module, a line of ours, and a mirror.
  place.writeLog(
    `{"op":"SET","key":"k","value":${text(100 * DEEP)}}\n{"op":"SET","data":{"o":${objects(DEEP)}}}\n`,
  );
  fs.renameSync(place.log('players'), place.log('events'));
  place.writeMirror(`{"k":${text(DEEP)},"small":{"n":1}}`, 'coins');
  const storage = place.open(fast);
  assert.equal(depthOf((await storage.readLogEntries('events'))[0].value), 100 * DEEP);
  await storage.appendLogEntry('events', { op: 'SET', key: 'after', value: 1 });
  await storage.compactLog('events');
  const state = await storage.rebuildStateFromLog('events');
  assert.equal(depthOf(state.k), 100 * DEEP);
  assert.equal(state.after, 1);

  const coins = storage.collection('coins');
  assert.deepEqual(await coins.get('small'), { n: 1 });
  await coins.set('after', 1);
  assert.equal(depthOf(await coins.get('k')), DEEP);
  assert.equal(await coins.delete('k'), true);
  await storage.close();
  assert.deepEqual(place.mirrorState('coins'), { small: { n: 1 }, after: 1 });
});

test('a million opening brackets are ordinary damage', async (t) => {
  const place = scene(t);
  const bad = [`{"op":"SET","key":"k","value":${'['.repeat(1_000_000)}`, '{"a":'.repeat(200_000)];
  place.writeLog([sealed(set('a', 1)), bad[0], sealed(set('b', 2)), bad[1], plain(set('c', 3))], 'coins');
  place.writeMirror(`{"a":${'['.repeat(1_000_000)}`, 'coins');
  const storage = place.open(fast);
  const coins = storage.collection('coins');
  assert.deepEqual(await coins.entries(), [
    ['a', 1],
    ['b', 2],
    ['c', 3],
  ]);
  await coins.set('d', 4);
  await storage.close();
  const [aside] = place.aside('coins.log.corrupt');
  assert.equal(fs.readFileSync(aside, 'utf8'), `${bad[0]}\n${bad[1]}\n`);
  assert.equal(place.aside('coins.json.corrupt').length, 1);
  assert.deepEqual(place.mirrorState('coins'), { a: 1, b: 2, c: 3, d: 4 });
});
