// Entries of generations that no kept one needs go with a compaction, also where the server takes longer for it than a call has.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startServer, whyNoServer } from '../../scripts/postgres/index.mjs';
import { countUp, newSchema, opened, started } from '../support/server-scene.mjs';
import { waitUntil } from '../support/temp.mjs';

const skip = whyNoServer();

test('a removal that takes longer than the call is not begun anew each time', { skip }, async (t) => {
  const server = await started(t, startServer());
  const schema = newSchema();
  const { storage, counts } = opened(t, { url: server.url, schema, timeoutMs: 1000 });
  for (let generation = 0; generation < 5; generation++) {
    await countUp(counts, 'a');
    await storage.compactLog('counts');
  }
  const oldest = () => server.psql(`SELECT min(seq) FROM ${schema}.entry WHERE log = 'counts'`);
  const before = await oldest();
  await server.psql(`
    UPDATE ${schema}.generation SET at = at - interval '2 days';
    CREATE FUNCTION ${schema}.wait() RETURNS trigger LANGUAGE plpgsql AS
      'BEGIN PERFORM pg_sleep(3); RETURN NULL; END';
    CREATE TRIGGER slow BEFORE DELETE ON ${schema}.entry FOR EACH STATEMENT EXECUTE FUNCTION ${schema}.wait()`);
  await storage.compactLog('counts');
  assert.equal(await oldest(), before, 'the server is not done');
  await waitUntil(async () => (await oldest()) !== before, { what: 'the end of the removal' });
  assert.equal(await countUp(counts, 'a'), 6);
});
