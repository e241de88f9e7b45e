// A host that stops in the middle of a transaction, or whose connection breaks in the middle of a read: others wait for its
// locks for a bounded time, its own calls end as they should, and a read sees nothing that its thread called after it.

import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { startProxy, startServer, whyNoServer } from '../../scripts/postgres/index.mjs';
import { newSchema, opened, started } from '../support/server-scene.mjs';
import { waitUntil } from '../support/temp.mjs';

const skip = whyNoServer();
const server = skip ? null : await startServer();
after(() => server?.remove());

const count = async (storage) => (await storage.updatePlayerStats('ann', 'Ann', 1)).totalGames;

/** A host behind a proxy, and others beside it, in one schema. */
async function scene(t, target = server) {
  const schema = newSchema();
  const proxy = await started(t, startProxy(target));
  const far = opened(t, { url: proxy.url, schema });
  const others = [1, 2].map(() => opened(t, { url: target.url, schema }));
  for (const { storage } of [far, ...others]) await count(storage);
  return { proxy, far, others };
}

/** Lets the far host meet conflicts until it locks its row, and stops it then, before what `pattern` says. */
async function stopWithRow({ proxy, far, others: [{ storage }] }, pattern) {
  let isEnding = false;
  const counting = (async () => {
    while (!isEnding) await count(storage);
  })();
  proxy.delay(20);
  const stopped = proxy.stallBefore({ from: 'client', ...pattern });
  const call = count(far.storage);
  call.catch(() => {});
  await stopped;
  isEnding = true;
  return { call, counting };
}

test('a host stops with rows that it has locked: the others get them', { skip }, async (t) => {
  const all = await scene(t);
  const { call, counting } = await stopWithRow(all, { type: 'Query', text: /^COMMIT/ });
  await counting;
  const number = await count(all.others[1].storage);
  all.proxy.cut();
  all.proxy.delay(0);
  all.proxy.resume();
  assert.equal(await call, number + 1);
});

test('a host stops while its compaction has the lock: the others write', { skip }, async (t) => {
  const { proxy, far, others } = await scene(t);
  const stopped = proxy.stallBefore({ from: 'client', type: 'Parse', text: 'nextval' });
  const compaction = far.storage.compactLog('players');
  compaction.catch(() => {});
  await stopped;
  await others[0].counts.set('another log', 1);
  proxy.cut();
  proxy.resume();
  await compaction;
});

test('the server ends a transaction that is idle for too long: its calls are made again', {
  skip,
}, async (t) => {
  const strict = await started(
    t,
    startServer({ settings: { idle_in_transaction_session_timeout: '500ms' } }),
  );
  const all = await scene(t, strict);
  const { call, counting } = await stopWithRow(all, { type: 'Parse', text: 'WITH want' });
  await counting;
  const idle = "SELECT count(*) FROM pg_stat_activity WHERE state = 'idle in transaction'";
  await waitUntil(async () => (await strict.psql(idle)) === '0', { what: 'the end of the transaction' });
  all.proxy.delay(0);
  all.proxy.resume();
  assert.equal(
    await call,
    await all.others[1].storage.getPlayerStats('ann').then(({ totalGames }) => totalGames),
  );
});

for (const [type, nth] of [
  ['ReadyForQuery', 2],
  ['DataRow', 2],
]) {
  test(`a read is cut at its ${type} ${nth}: it sees nothing that was called after it`, {
    skip,
  }, async (t) => {
    const { proxy, far } = await scene(t);
    for (let round = 0; round < 6; round++) {
      await far.counts.set('a', 1);
      proxy.cutBefore({ from: 'server', type, nth });
      const read = far.counts.entries();
      const write = far.counts.set('a', 2);
      assert.deepEqual(await read, [['a', 1]]);
      await write;
    }
  });
}
