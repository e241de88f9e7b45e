// Calls that come all the time, whatever happens: after an outage that outlasts them a bot has its server again, a flush
// ends, and a compaction stops nobody.

import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { startProxy, startServer, whyNoServer } from '../../scripts/postgres/index.mjs';
import { newSchema, opened, rejection, started, watched } from '../support/server-scene.mjs';
import { atEnd, waitUntil } from '../support/temp.mjs';

const skip = whyNoServer();
const server = skip ? null : await startServer();
after(() => server?.remove());

async function scene(t, options = {}) {
  const proxy = await started(t, startProxy(server));
  return { proxy, ...opened(t, { url: proxy.url, ...options }) };
}

/** The first call makes the tables, which may take longer than a short deadline. */
const firstCall = (counts) =>
  waitUntil(
    () =>
      counts.set('a', 1).then(
        () => true,
        () => false,
      ),
    { what: 'the server' },
  );

/** Calls that come one after the other without an end, and nobody awaits: how many are done and rejected. */
function callsAllTheTime(t, counts) {
  const settled = { fulfilled: 0, rejected: 0 };
  const timer = setInterval(() => {
    counts.set('steady', 1).then(
      () => settled.fulfilled++,
      () => settled.rejected++,
    );
  }, 5);
  atEnd(t, () => clearInterval(timer));
  return settled;
}

test('after an outage that outlasts its calls a busy bot reaches its server again', { skip }, async (t) => {
  const { proxy, counts } = await scene(t, { timeoutMs: 1500 });
  await firstCall(counts);
  const settled = callsAllTheTime(t, counts);
  await proxy.down();
  await waitUntil(() => settled.rejected > 100, { what: 'calls whose time is over' });
  // Each message takes a while, so that a call whose time is nearly over has none for a new connection.
  proxy.delay(20);
  await proxy.up();
  const before = settled.fulfilled;
  await waitUntil(() => settled.fulfilled > before + 100, { what: 'calls that are done again' });
});

test('flush() ends while calls come all the time and the server is away', { skip }, async (t) => {
  const { proxy, storage, counts } = await scene(t, { timeoutMs: 2000 });
  await firstCall(counts);
  callsAllTheTime(t, counts);
  await proxy.down();
  const earlier = watched([counts.set('earlier', 1)]);
  await storage.flush();
  assert.deepEqual(earlier, { fulfilled: 0, rejected: 1 }, 'its time is over');
  await proxy.up();
});

test('flush() waits for what was called before, not for later calls', { skip }, async (t) => {
  const { proxy, storage, counts } = await scene(t, { timeoutMs: 20_000 });
  await counts.set('a', 1);
  await proxy.down();
  const earlier = watched([counts.set('earlier', 1), counts.update('a', (value) => value + 1)]);
  const flush = storage.flush();
  const settled = watched([flush]);
  counts.set('later', 1);
  await new Promise(setImmediate);
  assert.equal(settled.fulfilled, 0);
  await proxy.up();
  await flush;
  assert.deepEqual(earlier, { fulfilled: 2, rejected: 0 });
});

// --- Compaction ---

const generations = async (schema, log = 'counts') =>
  Number(await server.psql(`SELECT count(*) FROM ${schema}.generation WHERE log = '${log}'`));

test('a compaction that waits for somebody else lets others write', { skip }, async (t) => {
  const schema = newSchema();
  const { storage, counts } = opened(t, { url: server.url, schema, timeoutMs: 4000 });
  const other = opened(t, { url: server.url, schema });
  await counts.set('a', 1);
  await other.counts.get('a');
  // Somebody has written to the table of entries, and does not come to an end.
  const session = await server.connect({ role: 'bot' });
  atEnd(t, () => session.end());
  await session.query(`BEGIN; LOCK TABLE ${schema}.entry IN ROW EXCLUSIVE MODE`);
  const compaction = rejection(storage.compact('counts'));
  const settled = watched([compaction]);
  for (let i = 0; i < 100; i++) await other.counts.set('b', i);
  assert.equal(settled.fulfilled, 0, 'it still waits');
  assert.equal((await compaction).code, 'ERR_TIMEOUT');
  await session.query('ROLLBACK');
  await storage.compact('counts');
  assert.equal(await generations(schema), 1);
});

test('a compaction whose end is lost counts once', { skip }, async (t) => {
  const schema = newSchema();
  const { proxy, storage, counts } = await scene(t, { schema });
  for (const [cut, text] of [
    ['cutBefore', 'COMMIT'],
    ['cutAfter', 'COMMIT'],
    ['cutBefore', 'INSERT 0 1'],
    ['cutBefore', 'DELETE'],
  ]) {
    await counts.set('a', 1);
    const before = await generations(schema);
    const isCut = proxy[cut]({ from: 'server', type: 'CommandComplete', text });
    await storage.compact('counts');
    await isCut;
    assert.equal(await generations(schema), before + 1, `${cut} ${text}`);
  }
  assert.equal(await counts.get('a'), 1);
});

test('a compaction is done, although old generations cannot be removed', { skip }, async (t) => {
  const schema = newSchema();
  const { storage, counts } = opened(t, { url: server.url, schema });
  await counts.set('a', 1);
  await server.psql(`REVOKE DELETE ON ALL TABLES IN SCHEMA ${schema} FROM bot`);
  for (const number of [1, 2]) {
    await storage.compact('counts');
    assert.equal(await generations(schema), number);
  }
});

test('close() waits for a compaction', { skip }, async (t) => {
  const { storage, counts } = opened(t, { url: server.url });
  for (let i = 0; i < 20; i++) counts.set(`key ${i}`, 'x'.repeat(100_000));
  const settled = watched([storage.compact('counts')]);
  await storage.close();
  assert.deepEqual(settled, { fulfilled: 1, rejected: 0 });
});
