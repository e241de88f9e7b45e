// Iteration over a collection on a server: values that were changed since are found in the entries, or in a checkpoint where
// those were removed; no transaction stays open; a page is a question or two, however many keys there are.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import {
  startPgbouncer,
  startProxy,
  startServer,
  whyNoPgbouncer,
  whyNoServer,
} from '../../scripts/postgres/index.mjs';
import { newSchema, opened, started } from '../support/server-scene.mjs';
import { collect } from '../support/temp.mjs';

const skip = whyNoServer();
const COUNT = 400;
// So many generations are kept, however old they are.
const KEPT = 4;
// A few pages.
const TEXT = 'x'.repeat(2000);

let server;
before(async () => {
  if (!skip) server = await startServer();
});
after(() => server?.remove());

const fill = (collection) =>
  Promise.all(Array.from({ length: COUNT }, (_, i) => collection.set(`k${i}`, { i, text: TEXT })));

async function scene(t, url = server.ownerUrl) {
  const schema = newSchema();
  const { storage } = opened(t, { url, schema });
  const collection = storage.collection('things');
  await fill(collection);
  return { storage, collection, schema };
}

// Compacts, and lets the server believe that it was two days ago; then entries before it are removed by the next one.
async function compactLongAgo(storage, schema) {
  await storage.compactLog('things');
  await server.psql(`UPDATE ${schema}.generation SET at = at - interval '2 days'`);
}

for (const reverse of [false, true]) {
  test(`values whose entries were removed come from the checkpoint${reverse ? ', in reverse' : ''}`, {
    skip,
  }, async (t) => {
    const { storage, collection, schema } = await scene(t);
    await collection.delete('k3');
    await collection.set('k3', 'at the end');
    await compactLongAgo(storage, schema);
    await collection.set('k7', 'between');
    for (let i = 0; i < KEPT; i++) await compactLongAgo(storage, schema);
    await storage.compactLog('things');
    const first = await server.psql(
      `SELECT op FROM ${schema}.entry WHERE log = 'things' ORDER BY seq, part LIMIT 1`,
    );
    assert.equal(first, 'CHECKPOINT', 'the entries of the first writes are gone');
    const now = await collection.entries();
    const wanted = reverse ? now.reverse() : now;
    const iterator = collection.iterate({ reverse });
    const found = [(await iterator.next()).value];
    // Each key, so that each page needs the checkpoint.
    await Promise.all(Array.from({ length: COUNT }, (_, i) => collection.set(`k${i}`, 'changed')));
    // The generation that is read from may be removed in the middle.
    found.push((await iterator.next()).value);
    await storage.compactLog('things');
    found.push(...(await collect(iterator)));
    assert.deepEqual(found, wanted);
  });
}

test('a value that no entry has any more is an error that says so', { skip }, async (t) => {
  const { storage, collection, schema } = await scene(t);
  const iterator = collection.iterate();
  await iterator.next();
  await Promise.all(Array.from({ length: COUNT }, (_, i) => collection.set(`k${i}`, 'changed')));
  for (let i = 0; i < KEPT; i++) await compactLongAgo(storage, schema);
  await storage.compactLog('things');
  await assert.rejects(collect(iterator), (error) => {
    assert.equal(error.code, 'ERR_NO_HISTORY');
    assert.match(error.message, /"k\d+" in 'things'.*anew/);
    return true;
  });
  assert.deepEqual(await iterator.next(), { value: undefined, done: true });
});

test('no transaction stays open between two pages', { skip }, async (t) => {
  const { collection } = await scene(t);
  const iterator = collection.iterate();
  await iterator.next();
  const open = await server.psql(
    "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid() AND (state LIKE 'idle in transaction%' OR backend_xmin IS NOT NULL)",
  );
  assert.equal(open, '0');
  assert.equal((await collect(iterator)).length, COUNT - 1);
});

test('a page is one question, and nothing is asked when it is left', { skip }, async (t) => {
  const proxy = await started(t, startProxy(server));
  const { collection } = await scene(t, proxy.urlOf('owner'));
  const iterator = collection.iterate();
  await iterator.next();
  proxy.resetCounts();
  await collect(iterator);
  const pages = proxy.counts.client.Execute ?? 0;
  assert.ok(pages >= 2 && pages <= 4, `${pages} pages of 256 KiB`);
  const other = collection.iterate();
  await other.next();
  proxy.resetCounts();
  await other.return();
  await collection.get('k1');
  assert.ok((proxy.counts.client.Execute ?? 0) <= 1);
});

test('it goes on behind a lost connection, with the same view', { skip }, async (t) => {
  const proxy = await started(t, startProxy(server));
  const { collection } = await scene(t, proxy.urlOf('owner'));
  const wanted = await collection.entries();
  const iterator = collection.iterate();
  const found = [(await iterator.next()).value];
  await collection.set('k399', 'changed');
  await proxy.down();
  await proxy.up();
  found.push(...(await collect(iterator)));
  assert.deepEqual(found, wanted);
});

test('through a pooler in transaction mode', { skip: skip || whyNoPgbouncer() }, async (t) => {
  const pooler = await started(t, startPgbouncer(server));
  const { collection } = await scene(t, pooler.urlOf('owner'));
  const wanted = await collection.entries();
  const found = [];
  for await (const pair of collection) {
    found.push(pair);
    if (found.length === 1) await collection.clear();
  }
  assert.deepEqual(found, wanted);
});
