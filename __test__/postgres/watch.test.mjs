// watch on a server: what other hosts write, batches that are committed behind later ones, compactions, lost connections, and
// that nothing is asked while nobody watches.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { Storage } from '../../index.js';
import { startProxy, startServer, whyNoServer } from '../../scripts/postgres/index.mjs';
import { newSchema, opened, started } from '../support/server-scene.mjs';
import { atEnd, waitUntil } from '../support/temp.mjs';

const skip = whyNoServer();

let server;
before(async () => {
  if (!skip) server = await startServer();
});
after(() => server?.remove());

/** A collection, and the same of another host. */
function scene(t, url = server.ownerUrl) {
  const schema = newSchema();
  const { storage } = opened(t, { url, schema });
  const other = new Storage({ url: server.ownerUrl, schema, logger: null, timeoutMs: 29_000 });
  atEnd(t, () => other.close());
  return { schema, storage, things: storage.collection('things'), other, theirs: other.collection('things') };
}

/** All changes from now on, as they come. */
async function gathered(collection, watched) {
  const changes = [];
  const end = collection.watch(watched, (change) => changes.push(change));
  // Answered behind the first look, so what others write from now on is seen.
  await collection.size();
  return { changes, end };
}

const valuesOf = (changes) => changes.map(({ value }) => value);

/** Each change goes on from the value of the one before. */
function assertChain(changes, first) {
  const known = new Map(first);
  for (const { key, previous, value } of changes) {
    assert.deepEqual(previous, known.get(key), `${key}: ${JSON.stringify(value)}`);
    known.set(key, value);
  }
}

test('changes of another host are seen, each once, in order, across compactions', { skip }, async (t) => {
  const { things, other, theirs } = scene(t);
  await things.set('a', 0);
  const { changes, end } = await gathered(things);
  for (let i = 1; i <= 40; i++) {
    await theirs.set('a', i);
    if (i % 15 === 0) await other.compactLog('things');
  }
  await theirs.delete('a');
  await theirs.set('end', 1);
  await waitUntil(() => changes.at(-1)?.key === 'end', { what: 'the last change' });
  assert.deepEqual(valuesOf(changes), [...Array.from({ length: 40 }, (_, i) => i + 1), undefined, 1]);
  assertChain(changes, [['a', 0]]);
  end();
});

test('more changes than a page has, of a prefix', { skip }, async (t) => {
  const { things, theirs } = scene(t);
  await things.set('a0', 'before');
  const { changes, end } = await gathered(things, { prefix: 'a' });
  const count = 1300;
  await Promise.all(Array.from({ length: count }, (_, i) => theirs.set(`a${i}`, i)));
  await Promise.all(Array.from({ length: count }, (_, i) => theirs.set(`b${i}`, i)));
  await theirs.set('a_end', 1);
  await waitUntil(() => changes.at(-1)?.key === 'a_end', { what: 'the last change' });
  assert.equal(changes.length, count + 1);
  assert.equal(changes.find(({ key }) => key === 'a0').previous, 'before');
  end();
});

test('a batch that is committed behind later ones is seen, once', { skip }, async (t) => {
  const { schema, things, theirs } = scene(t);
  await things.set('late', 'before');
  await things.set('a', 0);
  const { changes, end } = await gathered(things);
  const client = await server.connect({ role: 'owner' });
  await client.query('BEGIN');
  await client.query(`
    WITH written AS (UPDATE ${schema}.state SET value = '"behind"', before = version, version = nextval('${schema}.seq'),
        change = gen_random_uuid() WHERE log = 'things' AND key = '"late"' RETURNING version, change)
    INSERT INTO ${schema}.entry (log, seq, part, key, op, value, change)
      SELECT 'things', version, 1, '"late"', 'SET', '"behind"', change FROM written`);
  for (let i = 1; i <= 3; i++) await theirs.set('a', i);
  await waitUntil(() => changes.length === 3, { what: 'the changes before it' });
  await client.query('COMMIT');
  await client.end();
  await waitUntil(() => changes.length === 4, { what: 'the late change' });
  await theirs.set('late', 'and on');
  await waitUntil(() => changes.length === 5, { what: 'the change behind it' });
  assert.deepEqual(valuesOf(changes), [1, 2, 3, 'behind', 'and on']);
  assertChain(changes, [
    ['a', 0],
    ['late', 'before'],
  ]);
  // Another search finds nothing new.
  await wait(6000);
  assert.equal(changes.length, 5);
  end();
});

test('it goes on behind a lost connection, without missing the newest value', { skip }, async (t) => {
  const proxy = await started(t, startProxy(server));
  const { things, theirs } = scene(t, proxy.urlOf('owner'));
  await things.set('a', 0);
  const { changes, end } = await gathered(things);
  await theirs.set('a', 1);
  await waitUntil(() => changes.length === 1, { what: 'the first change' });
  await proxy.down();
  await theirs.set('a', 2);
  await theirs.set('b', 1);
  await proxy.up();
  await waitUntil(() => changes.some(({ key }) => key === 'b'), { what: 'what came meanwhile' });
  await theirs.set('a', 3);
  await waitUntil(() => changes.at(-1)?.value === 3, { what: 'the last change' });
  assertChain(changes, [['a', 0]]);
  end();
});

test('nothing is asked while nobody watches, and about once a second while somebody does', {
  skip,
}, async (t) => {
  const proxy = await started(t, startProxy(server));
  const { things } = scene(t, proxy.urlOf('owner'));
  await things.set('a', 0);
  const questions = () => proxy.counts.client.Execute ?? 0;
  proxy.resetCounts();
  await wait(2500);
  assert.equal(questions(), 0);
  const stream = things.watch('a');
  await things.size();
  proxy.resetCounts();
  await waitUntil(() => questions() >= 2, { what: 'two looks' });
  await things.set('a', 1);
  assert.equal((await stream.next()).value.value, 1);
  await stream.return();
  await things.get('a');
  await wait(200);
  proxy.resetCounts();
  await wait(2500);
  assert.equal(questions(), 0);
});

test('a watch that begins while the server is away begins when it is there again', { skip }, async (t) => {
  const proxy = await started(t, startProxy(server));
  const { things, theirs } = scene(t, proxy.urlOf('owner'));
  await theirs.set('a', 0);
  await proxy.down();
  const beginning = gathered(things, 'a');
  await wait(300);
  await proxy.up();
  const { changes, end } = await beginning;
  await theirs.set('a', 1);
  await waitUntil(() => changes.length > 0, { what: 'the change' });
  assert.deepEqual([changes[0].previous, changes[0].value], [0, 1]);
  end();
});
