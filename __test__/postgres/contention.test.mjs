// Hosts that change the same values without a pause: each has its turn, the far one too.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { startProxy, startServer, whyNoServer } from '../../scripts/postgres/index.mjs';
import { countUp, newSchema, opened, started } from '../support/server-scene.mjs';
import { atEnd, waitUntil } from '../support/temp.mjs';

const ENTRY = fileURLToPath(new URL('../../index.js', import.meta.url));
const skip = whyNoServer();
/** One way. A near host makes many changes in such a time. */
const FAR_MS = 15;
const TIMES = 3;

async function scene(t) {
  const server = await started(t, startServer());
  const proxy = await started(t, startProxy(server));
  const schema = newSchema();
  const near = opened(t, { url: server.url, schema });
  const options = { url: proxy.url, schema };
  const far = { ...opened(t, options), options };
  await near.counts.setMany({ a: 0, b: 0 });
  await near.storage.collection('others').set('a', 0);
  proxy.delayMs = FAR_MS;
  return { near, far };
}

/** Calls of the near host, one after the other, until the far one has done its own. */
async function beside(work, call) {
  let isDone = false;
  const own = work().finally(() => {
    isDone = true;
  });
  let calls = 0;
  for (; !isDone; calls++) await call();
  await own;
  return calls;
}

const KINDS = {
  'update(fn)': ({ counts }) => countUp(counts, 'a'),
  'updateMany(fn)': ({ counts }) => counts.updateMany(['a', 'b'], ({ a, b }) => ({ a: a + 1, b })),
  'transaction(fn)': ({ storage, counts }) =>
    storage.transaction(
      [
        [counts, 'a'],
        [storage.collection('others'), 'a'],
      ],
      ([a, other]) => [a + 1, other + 1],
    ),
};

for (const [name, call] of Object.entries(KINDS)) {
  test(`a far host has its turn with ${name} while a near one changes the same value without a pause`, {
    skip,
  }, async (t) => {
    const { near, far } = await scene(t);
    const work = async () => {
      for (let time = 0; time < TIMES; time++) await call(far);
    };
    const calls = await beside(work, () => countUp(near.counts, 'a'));
    assert.ok(calls > TIMES, `${calls} calls of the near host`);
    assert.equal(await near.counts.get('a'), calls + TIMES);
    t.diagnostic(`${calls} calls of the near host meanwhile`);
  });
}

/** Counts up; its function sleeps once the value is locked for it, at its fourth try or before. */
const SLEEPER = `
const { parentPort, workerData } = require('node:worker_threads');
const { Storage } = require(workerData.entry);
const storage = new Storage(workerData.options);
let tries = 0;
storage.collection('counts').update('a', (value) => {
  tries += 1;
  if (tries === 4) {
    parentPort.postMessage('sleeps');
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 3000);
    parentPort.postMessage('is awake');
  }
  return value + 1;
}).then(() => storage.close()).then(() => parentPort.postMessage('done'));`;

test('a function that takes too long keeps its value from nobody', { skip }, async (t) => {
  const { near, far } = await scene(t);
  const workerData = {
    entry: fileURLToPath(new URL('../../index.js', import.meta.url)),
    options: far.options,
  };
  const worker = new Worker(SLEEPER, { eval: true, workerData });
  const heard = [];
  worker.on('message', (message) => heard.push(message));
  const ended = once(worker, 'exit');
  let calls = 0;
  for (; !heard.includes('sleeps'); calls++) await countUp(near.counts, 'a');
  for (let more = 0; more < 3; more++, calls++) await countUp(near.counts, 'a');
  assert.deepEqual(heard, ['sleeps'], 'the near host went on before the function did');
  await ended;
  assert.deepEqual(heard, ['sleeps', 'is awake', 'done']);
  assert.equal(await near.counts.get('a'), calls + 1);
});

const LISTER = `
const { parentPort, workerData } = require('node:worker_threads');
const { Storage } = require(workerData.entry);
const storage = new Storage(workerData.options);
const list = storage.readLogEntries('counts');
parentPort.postMessage('asked');
list.then(({ length }) => storage.close().then(() => parentPort.postMessage(length)));`;

test('a read of a key does not wait for a long list that another thread reads', { skip }, async (t) => {
  const server = await started(t, startServer());
  const options = { url: server.url, schema: newSchema() };
  const { counts } = opened(t, options);
  await counts.set('a', 1);
  const holder = await server.connect();
  atEnd(t, () => holder.end());
  await holder.query(`BEGIN; LOCK TABLE ${options.schema}.generation IN ACCESS EXCLUSIVE MODE`);
  const worker = new Worker(LISTER, { eval: true, workerData: { entry: ENTRY, options } });
  const heard = [];
  worker.on('message', (message) => heard.push(message));
  const ended = once(worker, 'exit');
  const waiting = `SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = '${options.schema}.generation'::regclass`;
  await waitUntil(async () => (await server.psql(waiting)) === '1', { what: 'the list, which waits' });
  assert.equal(await counts.get('a'), 1);
  assert.deepEqual([...(await counts.getMany(['a', 'b']))], [['a', 1]]);
  assert.deepEqual(heard, ['asked'], 'the list is not there yet');
  await holder.query('COMMIT');
  await ended;
  assert.deepEqual(heard, ['asked', 1]);
});
