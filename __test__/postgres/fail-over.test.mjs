// A primary that dies and a standby that takes over, both in one url: calls go on, and what was acknowledged is there
// where the standby was synchronous. Where it lagged, one event names exactly the keys whose acknowledged changes are
// gone. Where the server gave up waiting for its standby, one event names what only the primary has.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  DATABASE,
  ROLES,
  startProxy,
  startServer,
  startStandby,
  whyNoServer,
} from '../../scripts/postgres/index.mjs';
import { countUp, opened, started } from '../support/server-scene.mjs';
import { waitUntil } from '../support/temp.mjs';

const skip = whyNoServer();

/** One url of several hosts, in their order. */
function urlOf(...servers) {
  const { user, password } = ROLES.bot;
  const hosts = servers.map(({ host, port }) => `${host}:${port}`).join(',');
  return `postgres://${user}:${password}@${hosts}/${DATABASE}`;
}

/** A primary, and a standby that hears of its changes through a proxy. */
async function behindProxy(t, options) {
  const primary = await started(t, startServer());
  const proxy = await started(t, startProxy(primary));
  const standby = await started(t, startStandby(primary, { ...options, through: proxy }));
  return { primary, proxy, standby };
}

test('the primary dies, its synchronous standby takes over: calls go on, and none is lost', {
  skip,
}, async (t) => {
  const primary = await started(t, startServer());
  const standby = await started(t, startStandby(primary, { synchronous: true }));
  const { counts, named } = opened(t, { url: urlOf(standby, primary) });
  const acked = { a: 0, b: 0 };
  let isEnding = false;
  const count = async (key) => {
    while (!isEnding) acked[key] = await countUp(counts, key);
  };
  const lanes = [count('a'), count('b')];
  await waitUntil(() => acked.a > 10 && acked.b > 10, { what: 'the first calls' });
  await primary.stop('immediate');
  await waitUntil(() => named('connectionLost').length > 0, { what: 'the event' });
  const before = { ...acked };
  await standby.promote();
  await waitUntil(() => acked.a > before.a + 10 && acked.b > before.b + 10, {
    what: 'calls on the new primary',
  });
  isEnding = true;
  await Promise.all(lanes);
  // Each call counted one more than the one before it, so nothing is lost, and nothing is there twice.
  assert.deepEqual(await counts.entries(), Object.entries(acked));
  const entries = 'SELECT key, count(*) FROM SCHEMA.entry GROUP BY key ORDER BY key';
  const schema = await standby.psql(
    "SELECT nspname FROM pg_namespace WHERE nspname LIKE 's%\\_%' AND nspowner = 'bot'::regrole",
  );
  assert.equal(await standby.psql(entries.replace('SCHEMA', schema)), `"a"|${acked.a}\n"b"|${acked.b}`);
  assert.equal(named('connectionLost').length, 1);
  assert.equal(named('reconnect').length, 1);
  assert.equal(named('reconnect')[0].host, `${standby.host}:${standby.port}`);
  assert.deepEqual(named('lostWrites'), []);
});

test('a standby that lagged takes over: one event names the keys whose changes are gone', {
  skip,
}, async (t) => {
  const { primary, proxy, standby } = await behindProxy(t);
  const { storage, counts, named } = opened(t, { url: urlOf(primary, standby) });
  for (const key of ['kept', 'changed']) await counts.set(key, 1);
  await storage.updatePlayerStats('ann', 'Ann', 1);
  await standby.catchUp(primary);
  proxy.stall();
  await counts.set('changed', 2);
  await Promise.all([counts.set('new', 1), counts.set('"odd"\n', 1)]);
  await storage.updatePlayersStats([
    { userId: 'ann', username: 'Ann', score: 1 },
    { userId: 'ben', username: 'Ben', score: 1 },
  ]);
  await primary.stop('immediate');
  proxy.cut();
  await standby.promote();
  assert.equal(await countUp(counts, 'kept'), 2);
  await waitUntil(() => named('lostWrites').length >= 2, { what: 'the events' });
  const lost = Object.fromEntries(named('lostWrites').map(({ log, keys }) => [log, [...keys].sort()]));
  assert.deepEqual(lost, { counts: ['"odd"\n', 'changed', 'new'], players: ['ann', 'ben'] });
  assert.equal(named('lostWrites').length, 2, 'one for each log');
  // What is read is what the new primary has.
  assert.equal(await counts.get('changed'), 1);
  assert.equal((await storage.getPlayerStats('ann')).totalGames, 1);
  assert.equal((await storage.updatePlayerStats('ben', 'Ben', 1)).totalGames, 1);
  await storage.flush();
  assert.equal(named('lostWrites').length, 2, 'they are named once');
});

/** Cancels the wait of whoever waits for a standby. */
async function cancelWait(server) {
  const waiting = "SELECT pid FROM pg_stat_activity WHERE wait_event = 'SyncRep'";
  const pid = await waitUntil(() => server.psql(waiting), { what: 'a commit that waits for the standby' });
  await server.psql(`SELECT pg_cancel_backend(${pid.split('\n')[0]})`);
}

test('a wait for a standby that somebody cancelled: the call succeeds, and one event names its keys', {
  skip,
}, async (t) => {
  const { primary, proxy } = await behindProxy(t, { synchronous: true });
  const { storage, counts, named, events } = opened(t, { url: primary.url });
  await countUp(counts, 'a');
  assert.deepEqual(events, []);
  proxy.stall();
  const calls = [
    ['counts', ['a'], () => countUp(counts, 'a')],
    [
      'players',
      ['ann', 'ben'],
      () =>
        storage.updatePlayersStats(['ann', 'ben'].map((userId) => ({ userId, username: userId, score: 1 }))),
    ],
  ];
  for (const [place, [log, keys, make]] of calls.entries()) {
    const call = make();
    await cancelWait(primary);
    await call;
    await waitUntil(() => named('notReplicated').length > place, { what: 'the event' });
    const event = named('notReplicated')[place];
    assert.equal(event.code, 'PS_NOT_REPLICATED');
    assert.deepEqual([event.log, [...event.keys].sort()], [log, keys]);
  }
  assert.equal(await counts.get('a'), 2);
  proxy.resume();
  assert.equal(await countUp(counts, 'a'), 3);
  assert.equal(named('notReplicated').length, 2);
});

test('a synchronous standby that does not answer keeps no more than a few connections of the server', {
  skip,
}, async (t) => {
  const { primary, proxy } = await behindProxy(t, { synchronous: true });
  const { counts } = opened(t, { url: primary.url, timeoutMs: 1000 });
  // The first call makes the tables, which may take its whole time.
  await waitUntil(() => countUp(counts, 'a').catch(() => null), { what: 'the tables' });
  proxy.stall();
  const codes = [];
  for (let round = 0; round < 8; round++) {
    codes.push(
      await countUp(counts, 'a').then(
        () => 'made',
        ({ code }) => code,
      ),
    );
  }
  assert.ok(codes.includes('ERR_TIMEOUT'), String(codes));
  for (const code of codes) assert.ok(['ERR_TIMEOUT', 'made'].includes(code), String(codes));
  const ofBot = "SELECT count(*) FROM pg_stat_activity WHERE usename = 'bot'";
  assert.ok(Number(await primary.psql(ofBot)) <= 6, `${await primary.psql(ofBot)} connections`);
  proxy.resume();
  await waitUntil(() => countUp(counts, 'b').catch(() => null), { what: 'the standby again' });
});
