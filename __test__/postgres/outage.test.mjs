// A server that is away, or silent: calls wait for it and then succeed, or are rejected when their time is over, and say
// whether their change may have been made. Nobody restarts anything. What a process or a thread called before its end is
// committed, and where the server is away, it ends all the same and says so.

import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { startProxy, startServer, whyNoServer } from '../../scripts/postgres/index.mjs';
import { countUp, newSchema, opened, rejection, started, watched } from '../support/server-scene.mjs';
import { collect, packageUrl, runScript, startScript, waitUntil } from '../support/temp.mjs';

const skip = whyNoServer();
const server = skip ? null : await startServer();
after(() => server?.remove());

const child = (name) => fileURLToPath(new URL(`../children/${name}`, import.meta.url));
const range = (count) => Array.from({ length: count }, (_, i) => i);

/**
 * A proxy in front of the server, and a Storage that goes through it. `beside` is another one with the same data, which goes
 * beside the proxy, and has time to spare. It makes the tables.
 */
async function scene(t, options = {}) {
  const proxy = await started(t, startProxy(server));
  const schema = newSchema();
  const beside = opened(t, { url: server.url, schema });
  await beside.counts.set('tables', 1);
  await beside.counts.delete('tables');
  return { proxy, beside, ...opened(t, { url: proxy.url, schema, ...options }) };
}

/** Calls until it succeeds: calls with a short time may fail on a busy machine, or after their server was away. */
const untilMade = (call, what) => waitUntil(() => call().catch(() => null), { what });

/** Opens both connections of a Storage, and gives a count that is known here as the newest one. */
async function connected({ counts }) {
  await untilMade(() => counts.entries(), 'the connection for reads');
  return untilMade(() => countUp(counts, 'a'), 'the connection for writes');
}

// --- Away ---

test('a server that is away rejects nothing: calls wait, and one event each says so', { skip }, async (t) => {
  const { proxy, storage, counts, named } = await scene(t);
  await countUp(counts, 'a');
  await counts.entries();
  for (const round of [1, 2]) {
    await proxy.down();
    const calls = range(10).flatMap((i) => [countUp(counts, 'a'), counts.set(`${round} ${i}`, i)]);
    calls.push(counts.get('a'), counts.entries(), storage.updatePlayerStats('ann', 'Ann', 1));
    calls.push(storage.appendLogEntry('notes', { op: 'NOTE', round }), storage.readLogEntries('notes'));
    const settled = watched(calls);
    await waitUntil(() => named('connectionLost').length >= round, { what: 'the event' });
    // Some more tries, all in vain.
    await sleep(1000);
    assert.deepEqual(settled, { fulfilled: 0, rejected: 0 });
    await proxy.up();
    await Promise.all(calls);
    assert.equal(await counts.get('a'), 1 + 10 * round);
    assert.equal(await counts.size(), 1 + 10 * round);
    assert.equal((await storage.readLogEntries('notes')).length, round);
    await waitUntil(() => named('reconnect').length >= round, { what: 'the event' });
    assert.equal(named('connectionLost').length, round);
    assert.equal(named('reconnect').length, round);
  }
  const [lost, back] = [named('connectionLost')[0], named('reconnect')[0]];
  assert.equal(lost.code, 'PS_CONNECTION_LOST');
  assert.equal(back.code, 'PS_RECONNECTED');
  for (const event of [lost, back]) assert.equal(event.host, `${proxy.host}:${proxy.port}`);
  assert.ok(Number.isInteger(back.durationMs) && back.durationMs > 0, String(back.durationMs));
});

test('a server that is not there yet when the bot starts', { skip }, async (t) => {
  const { proxy, counts, named } = await scene(t);
  await proxy.down();
  const call = countUp(counts, 'a');
  const settled = watched([call]);
  await waitUntil(() => named('connectionLost').length > 0, { what: 'the event' });
  assert.deepEqual(settled, { fulfilled: 0, rejected: 0 });
  await proxy.up();
  assert.equal(await call, 1);
});

test('a restart of the server in every way', { skip }, async (t) => {
  const own = await started(t, startServer());
  const { counts, named } = opened(t, { url: own.url });
  let expected = 0;
  for (const mode of ['fast', 'immediate']) {
    const calls = range(20).map(() => countUp(counts, 'a'));
    await own.restart(mode);
    calls.push(...range(20).map(() => countUp(counts, 'a')));
    await Promise.all(calls);
    expected += 40;
    assert.equal(await counts.get('a'), expected, mode);
  }
  // Somebody ends the connection, and nothing else.
  await own.psql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'bot'");
  assert.equal(await countUp(counts, 'a'), expected + 1);
  assert.deepEqual(named('lostWrites'), []);
});

// --- The time is over ---

/** Every kind of call, each with whether it changes something. */
const everyCall = ({ storage, counts }) => [
  ['update', true, () => countUp(counts, 'a')],
  ['set', true, () => counts.set('b', 1)],
  ['delete', true, () => counts.delete('b')],
  ['clear', true, () => storage.collection('others').clear()],
  ['append', true, () => storage.appendLogEntry('notes', { op: 'NOTE' })],
  ['players', true, () => storage.updatePlayersStats([{ userId: 'ann', username: 'Ann', score: 1 }])],
  ['get', false, () => counts.get('a')],
  ['size', false, () => counts.size()],
  ['entries', false, () => counts.entries()],
  ['top', false, () => counts.top('n')],
  ['log', false, () => storage.readLogEntries('notes')],
  ['stream', false, () => collect(storage.streamLogEntries('notes'))],
  ['rebuild', false, () => storage.rebuildStateFromLog('counts')],
  ['log size', false, () => storage.getLogSize('notes')],
  ['history', false, () => storage.history('counts', 'a')],
];

/** Makes every call at once, and gives their errors. */
const rejections = (opening) =>
  Promise.all(
    everyCall(opening).map(async ([name, isChange, call]) => [name, isChange, await rejection(call(), name)]),
  );

test('calls that were never sent are rejected when their time is over, and known not to be made', {
  skip,
}, async (t) => {
  const { proxy, beside, ...opening } = await scene(t, { timeoutMs: 1000 });
  const { counts } = opening;
  for (const isConnected of [false, true]) {
    if (isConnected) await connected(opening);
    await proxy.down();
    // The first call finds out that the connection is gone, so it may have been sent.
    if (isConnected) await rejection(counts.set('first', 1));
    for (const [name, isChange, error] of await rejections(opening)) {
      assert.equal(error.code, 'ERR_TIMEOUT', `${name}: ${error.message}`);
      if (isChange) assert.equal(error.isOutcomeUnknown, false, name);
      else assert.notEqual(error.isOutcomeUnknown, true, name);
    }
    await proxy.up();
  }
  // An update that waits is called with what there is.
  assert.deepEqual(await beside.counts.entries(), [['a', 1]], 'nothing else was made');
});

for (const [where, pattern] of [
  ['on its way', { from: 'client', type: 'Sync' }],
  ['answered', { from: 'server', type: 'ReadyForQuery' }],
]) {
  test(`a commit that was sent and is ${where}: nobody knows, and it is there at most once`, {
    skip,
  }, async (t) => {
    const { proxy, beside, storage, counts } = await scene(t, { timeoutMs: 2000 });
    const makers = [
      (from) => countUp(from.counts, 'a'),
      async (from) => (await from.storage.updatePlayerStats('ann', 'Ann', 1)).totalGames,
    ];
    for (const make of makers) {
      const before = await untilMade(() => make({ storage, counts }), 'the connection');
      const stalled = proxy.stallBefore(pattern);
      const error = await rejection(make({ storage, counts }));
      await stalled;
      assert.equal(error.code, 'ERR_TIMEOUT', error.message);
      assert.equal(error.isOutcomeUnknown, true, error.message);
      assert.match(error.message, /not known/);
      proxy.resume();
      await untilMade(() => counts.set('later', 1).then(() => true), 'the server again');
      const more = (await make(beside)) - before;
      if (where === 'answered') assert.equal(more, 2, 'the unknown one, and one more');
      else assert.ok(more === 1 || more === 2, `${more} after one that is unknown, and one more`);
    }
  });
}

test('a network that falls silent: every call ends when its time is over', { skip }, async (t) => {
  const { proxy, ...opening } = await scene(t, { timeoutMs: 1000 });
  const { counts, named } = opening;
  await connected(opening);
  proxy.stall();
  for (const [name, isChange, error] of await rejections(opening)) {
    assert.equal(error.code, 'ERR_TIMEOUT', `${name}: ${error.message}`);
    if (!isChange) assert.notEqual(error.isOutcomeUnknown, true, name);
  }
  proxy.resume();
  await untilMade(() => countUp(counts, 'later'), 'the server again');
  await waitUntil(() => named('reconnect').length >= 1, { what: 'the event' });
});

test('flush() and close() wait for no server when no call waits any more', { skip }, async (t) => {
  const { proxy, storage, counts } = await scene(t, { timeoutMs: 2000 });
  await connected({ counts });
  const stalled = proxy.stallBefore({ from: 'client', type: 'Sync' });
  assert.equal((await rejection(countUp(counts, 'a'))).isOutcomeUnknown, true);
  await stalled;
  for (const end of ['flush', 'close']) {
    const settled = watched([storage[end]()]);
    await waitUntil(() => settled.fulfilled + settled.rejected === 1, { what: end });
  }
});

test('a silent network on the way of the answers only', { skip }, async (t) => {
  const { proxy, beside, counts } = await scene(t);
  await countUp(counts, 'a');
  proxy.stall('server');
  const calls = range(5).map(() => countUp(counts, 'a'));
  await waitUntil(async () => (await beside.counts.get('a')) > 1, { what: 'the first commit' });
  // The connection is gone, and the answer with it: the call finds out by itself that it was made.
  proxy.cut();
  proxy.resume();
  assert.deepEqual(await Promise.all(calls), [2, 3, 4, 5, 6]);
});

test('calls that wait for a server count for the limit of the queue', { skip }, async (t) => {
  const { proxy, storage, counts, named } = await scene(t, { timeoutMs: 5000 });
  await countUp(counts, 'a');
  await proxy.down();
  const value = 'x'.repeat(1 << 20);
  const calls = Promise.all(range(8).map((i) => rejection(counts.set(`large ${i}`, value))));
  // The writer has taken them, and they wait in its hands.
  await waitUntil(() => named('connectionLost').length > 0, { what: 'the event' });
  assert.ok(storage.metrics().queueBytes >= 7 << 20, `${storage.metrics().queueBytes} bytes`);
  for (const { code } of await calls) assert.equal(code, 'ERR_TIMEOUT');
  assert.equal(storage.metrics().queueBytes, 0, 'nothing waits any more');
});

// It takes more than 1 GiB of memory, and minutes on a busy machine.
const isLong = process.env.SERVER_LONG === '1';
test('where more than 1 GiB waits for a server, calls are refused', {
  skip: skip || (!isLong && 'SERVER_LONG=1 runs it'),
}, async (t) => {
  const { proxy, storage, counts } = await scene(t, { timeoutMs: 600_000 });
  await countUp(counts, 'a');
  await proxy.down();
  const value = 'x'.repeat(48 << 20);
  const refused = [];
  for (let i = 0; i < 26; i++) {
    counts.set(`large ${i}`, value).catch(({ code }) => refused.push(code));
    await sleep(20);
  }
  await waitUntil(() => refused.length >= 4, { what: 'calls that are refused' });
  assert.deepEqual([...new Set(refused)], ['ERR_QUEUE_FULL']);
  assert.ok(storage.metrics().queueBytes <= 1 << 30);
  await proxy.up();
  await waitUntil(() => storage.metrics().queueBytes === 0, { what: 'all of them', deadlineMs: 600_000 });
});

// --- The end of a process or a thread ---

/** The keys of the log `players` in the default schema of a database of its own. */
async function ownDatabase(t, name) {
  await server.psql(`CREATE DATABASE ${name}`);
  await server.psql(`GRANT CREATE ON DATABASE ${name} TO bot`);
  const proxy = await started(t, startProxy(server));
  const url = proxy.urlOf('bot', name);
  const count = async (log) => {
    const sql = `SELECT count(*) FROM progressive_storage.state WHERE log = '${log}' AND value IS NOT NULL`;
    return Number(await server.psql(sql, { database: name }));
  };
  return { proxy, url, count };
}

for (const [way, code] of [
  ['natural', 0],
  ['exit', 7],
  ['throw', 1],
  ['sigint', 130],
  ['listener', 0],
]) {
  test(`300 appends that nobody awaits, then ${way}: they are committed`, { skip }, async (t) => {
    const { url, count } = await ownDatabase(t, `exit_${way}`);
    const env = { PROGRESSIVE_STORAGE_URL: url };
    const args = ['300', way, 'module'];
    const ended = await runScript(t, { file: child('exit-with-work.mjs'), args, env });
    assert.equal(ended.code, code, ended.stderr);
    assert.equal(await count('players'), 300);
  });
}

test('the end of a worker thread: what it called is committed', { skip }, async (t) => {
  const schema = newSchema();
  for (const [place, end] of ['', 'process.exit()'].entries()) {
    const source = `
      import { Storage } from ${JSON.stringify(packageUrl)};
      const counts = new Storage(${JSON.stringify({ url: server.url, schema })}).collection('counts');
      for (let i = 0; i < 50; i++) counts.set('${place} ' + i, i);
      ${end}`;
    const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(source)}`));
    await new Promise((resolve, reject) => worker.once('error', reject).once('exit', resolve));
    const { counts } = opened(t, { url: server.url, schema });
    assert.equal(await counts.size(), 50 * (place + 1));
  }
});

for (const fault of ['down', 'stall']) {
  test(`process.exit() with the server away (${fault}): it ends, and says what is not settled`, {
    skip,
  }, async (t) => {
    const { proxy, url } = await ownDatabase(t, `away_${fault}`);
    const source = `
      import { Storage } from ${JSON.stringify(packageUrl)};
      // An end that waits for the calls' time does not come before this test is over.
      const storage = new Storage({ url: process.env.PROGRESSIVE_STORAGE_URL, timeoutMs: 600_000 });
      const counts = storage.collection('counts');
      const lost = new Promise((resolve) => storage.on('connectionLost', resolve));
      await counts.set('a', 1);
      await counts.entries();
      console.log('ready');
      process.stdin.once('data', () => {
        counts.set('b', 1);
        counts.update('a', (value) => value + 1);
        storage.loadPlayers();
        storage.appendLogEntry('notes', { op: 'NOTE' });
        if (process.env.WAIT) lost.then(() => process.exit(3));
        else process.exit(3);
      });`;
    // At once, and while it is known that the server is away.
    for (const wait of ['', 'for the event']) {
      const env = { PROGRESSIVE_STORAGE_URL: url, WAIT: wait };
      const { child: process, output, ended } = await startScript(t, { source, env });
      await waitUntil(() => output.stdout.includes('ready'), { what: 'the bot' });
      await proxy[fault]();
      process.stdin.write('go\n');
      const { code, stderr } = await ended;
      assert.equal(code, 3, stderr);
      assert.match(stderr, /progressive-storage: .*did not settle \d+ calls? before the end/, stderr);
      proxy.resume();
      await proxy.up();
    }
  });
}
