// The dashboard of a server, in the bot and beside it: what it shows, that it only reads and asks only while a page is open,
// what a role needs for it, that it says since when and why a server does not answer, and that no secret is in what it serves.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { after, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { Paced } from '../../dashboard/paced.js';
import { askServer } from '../../lib/server-tools.js';
import {
  connect,
  DATABASE,
  ROLES,
  startProxy,
  startServer,
  whyNoServer,
} from '../../scripts/postgres/index.mjs';
import { runCli } from '../support/cli.mjs';
import { ask, listen, listKeys, lookUp, startedDashboard, TOKEN } from '../support/dashboard.mjs';
import { ps } from '../support/durability.mjs';
import { newSchema, opened, started } from '../support/server-scene.mjs';
import { atEnd, waitUntil } from '../support/temp.mjs';

const skip = whyNoServer();
const server = skip ? null : await startServer();
after(() => server?.remove());

// A count comes every 15 seconds at the most, and on a busy machine more rarely.
const PATIENT = { deadlineMs: 120_000 };
const CANARY = 'c4nary@of/the:mine?#%';
const HOSTILE = [
  '<img src=x onerror=alert(1)>',
  'title\u001b]0;owned\u0007',
  'line\n\ndata: forged',
  'turned\u202egnp.exe',
  '__proto__',
];
const RAW = /(?!\n)[\p{Cc}\p{Bidi_Control}\p{Zl}\p{Zp}\u200b\ufeff]/u;

/** A bot with some data. */
async function bot(t, { url = server.ownerUrl, schema = newSchema() } = {}) {
  // A busy machine may take long over a stop and a start.
  const { storage } = opened(t, { url, schema, timeoutMs: 300_000 });
  for (const name of ['ann', 'ben', 'cem']) await storage.updatePlayerStats(name, name, name.length * 10);
  await storage.collection('guilds').set('7', { name: 'Seven' });
  await storage.collection('guilds').set('7', { name: 'Eight' });
  await storage.appendLogEntry('events', { kind: 'start' });
  return { storage, schema };
}

async function dashboardOf(t, storage, options) {
  const dashboard = await ps.startDashboard({ port: 0, storage, ...options });
  atEnd(t, () => dashboard.close());
  return dashboard;
}

/** The live events of a page that is open until the end of the test. */
function page(t, url) {
  const live = listen(url);
  atEnd(t, live.close);
  return {
    ...live,
    until: (condition, what) => waitUntil(() => live.last() && condition(live.last()), { what, ...PATIENT }),
  };
}

async function beside(t, args, env) {
  const program = await startedDashboard(t, args, { env });
  atEnd(t, async () => {
    program.child.kill('SIGKILL');
    await program.ended;
  });
  return program;
}

/** The environment of the bot's role, which has the rights that `postgres init` gives it. */
async function grantedBot(t, schema) {
  const env = { PROGRESSIVE_STORAGE_URL: server.ownerUrl };
  assert.equal((await runCli(t, ['postgres', 'init', '--role', 'bot', '--schema', schema], { env })).code, 0);
  return { PROGRESSIVE_STORAGE_URL: server.url };
}

const rowsOf = async (schema) => {
  const tables = ['meta', 'state', 'entry', 'generation'];
  const hashes = tables.map((name) =>
    server.psql(`SELECT count(*), md5(string_agg(t::text, ',' ORDER BY t::text)) FROM ${schema}.${name} t`),
  );
  return Promise.all([...hashes, server.psql(`SELECT last_value FROM ${schema}.seq`)]);
};

test('in the bot: the server, the logs, the best players, and what the bot counted', { skip }, async (t) => {
  const { storage, schema } = await bot(t);
  const dashboard = await dashboardOf(t, storage);
  const { last, until, told } = page(t, dashboard.url);
  await until(({ counted, players }) => counted && players.length === 3, 'logs and players');
  const { said, away, counted, players, server: at, health } = last();
  assert.match(said.version, /^\d+/);
  assert.deepEqual(
    [said.isStandby, said.isReadOnly, said.hasTables, away, health],
    [false, false, true, null, null],
  );
  assert.ok(said.tablesBytes > 0 && said.databaseBytes > said.tablesBytes);
  assert.deepEqual(at, { hosts: `127.0.0.1:${server.port}`, schema });
  assert.deepEqual(
    counted.logs.map(({ name, keys, entries }) => [name, keys, entries]),
    [
      ['events', 0, 1],
      ['guilds', 1, 2],
      ['players', 3, 3],
    ],
  );
  assert.deepEqual(players.map(({ userId }) => userId).sort(), ['ann', 'ben', 'cem']);
  await storage.updatePlayerStats('ann', 'Ann', 1);
  await waitUntil(
    () => told.some(({ event, perSecond, commit99 }) => event === 'sample' && perSecond > 0 && commit99 > 0),
    {
      what: 'a rate and a round trip',
    },
  );
  assert.ok(last().roundTrips >= 7 && last().commit.count >= 7 && last().connections === 1);
  await storage.compactLog('players');
  await waitUntil(() => told.some(({ event, log }) => event === 'compaction' && log === 'players'), {
    what: 'the compaction',
  });
  assert.match(
    (await ask(`${dashboard.url}metrics`)).text,
    /^progressive_storage_server_read_seconds_count \d/m,
  );
  assert.equal((await ask(`${dashboard.url}healthz`)).text, 'ok\n');
  const found = await lookUp(dashboard.url, { log: 'guilds', key: '7' });
  assert.deepEqual([found.found, found.value, found.records], [true, { name: 'Eight' }, 2]);
  assert.deepEqual(found.history[1].value, { name: 'Seven' });
  assert.match(found.history[0].source, /^entry \d+$/);
  assert.equal((await lookUp(dashboard.url, { log: 'nothing', key: '7' })).records, 0);
  const listed = await listKeys(dashboard.url, { log: 'players', how: 'field', text: 'totalScore=30' });
  assert.deepEqual(
    [listed.keys.map(({ key }) => key).sort(), listed.next, listed.total],
    [['ben', 'cem'], null, 3],
  );
  assert.deepEqual((await listKeys(dashboard.url, { log: 'nothing' })).keys, []);
  assert.equal((await lookUp(dashboard.url, { log: '', key: '7' })).status, 400);
});

test('the program: the same of a server whose bot is elsewhere, and what comes meanwhile', {
  skip,
}, async (t) => {
  const { storage, schema } = await bot(t);
  const env = await grantedBot(t, schema);
  const program = await beside(t, ['--schema', schema], env);
  const { last, until } = page(t, program.url);
  await until(({ counted, players }) => counted && players.length === 3, 'logs and players');
  const first = last().counted;
  assert.equal(last().kind, 'server beside');
  assert.deepEqual(
    first.logs.map(({ name }) => name),
    ['events', 'guilds', 'players'],
  );
  for (let i = 0; i < 20; i++) await storage.updatePlayerStats('dan', 'Dan', i);
  await until(({ counted }) => counted.at > first.at, 'another count');
  const players = ({ logs }) => logs.find(({ name }) => name === 'players');
  assert.equal(players(last().counted).entries, players(first).entries + 20);
  assert.ok(players(last().counted).sizeBytes > players(first).sizeBytes);
  await until(({ players: best }) => best[0].userId === 'dan', 'the new first');
  assert.equal((await lookUp(program.url, { log: 'players', key: 'dan' })).records, 20);
  for (const args of [[server.url], ['env'], ['--url', server.url]]) {
    const other = await beside(t, [...args, '--schema', schema], env);
    assert.match(
      other.output.stdout,
      new RegExp(`schema ${schema} at 127\\.0\\.0\\.1:${server.port} is at http`),
    );
    other.child.kill('SIGINT');
    await other.ended;
  }
});

test('the sessions of bots: how many, whence, what they do, and of which a role may not see more', {
  skip,
}, async (t) => {
  const { storage, schema } = await bot(t);
  const env = await grantedBot(t, schema);
  // Storages of one schema share a session.
  await bot(t);
  const inBot = page(t, (await dashboardOf(t, storage)).url);
  await inBot.until(({ sessions }) => sessions?.count >= 2 && sessions.hidden === 0, 'both sessions');
  const { count, listed } = inBot.last().sessions;
  assert.equal(listed.length, Math.min(count, 20));
  for (const { address, state, sinceMs, openedMs } of listed) {
    assert.equal(address, '127.0.0.1');
    assert.match(state, /^(idle|active)/);
    assert.ok(openedMs > 0 && sinceMs >= openedMs);
  }
  // The role of the bot is none of the owner's: it sees that there are sessions, and no more.
  const program = page(t, (await beside(t, ['--schema', schema], env)).url);
  await program.until(({ sessions }) => sessions?.hidden >= 2, 'the hidden sessions');
  const { sessions } = program.last();
  assert.equal(sessions.listed.length, Math.min(sessions.count - sessions.hidden, 20));
  assert.doesNotMatch(program.text(), /insufficient privilege/);
});

test('20 sessions are listed at most, and none of other databases, programs and tools', {
  skip,
}, async (t) => {
  const own = await started(t, startServer());
  await own.psql('CREATE DATABASE another');
  const schema = newSchema();
  const connections = async (url) => (await askServer({ url, schema }, 'connections')).answer[0];
  // These are a person's session and one of another database.
  const person = await own.connect({ role: 'owner' });
  const elsewhere = opened(t, { url: own.urlOf('superuser', 'another'), schema }).storage;
  await elsewhere.appendLogEntry('events', { kind: 'start' });
  assert.deepEqual(await connections(own.ownerUrl), { count: 0, hidden: 0, listed: [] });
  await person.end();
  const url = `${own.ownerUrl}?application_name=quiz`;
  await opened(t, { url, schema }).storage.appendLogEntry('events', { kind: 'start' });
  assert.equal((await connections(own.ownerUrl)).count, 0, 'it has another name');
  assert.equal((await connections(url)).count, 1, 'the name of the url counts');
  await opened(t, { url: own.ownerUrl, schema }).storage.appendLogEntry('events', { kind: 'start' });
  const parameters = { application_name: 'progressive-storage' };
  const login = { port: own.port, database: DATABASE, ...ROLES.owner, parameters };
  const bots = await Promise.all(Array.from({ length: 21 }, () => connect(login)));
  const { count, hidden, listed } = await connections(own.ownerUrl);
  assert.deepEqual([count, hidden, listed.length], [22, 0, 20]);
  const opening = listed.map(({ openedMs }) => openedMs);
  assert.deepEqual(
    opening,
    [...opening].sort((one, other) => other - one),
    'the newest first',
  );
  assert.deepEqual(await connections(own.url), { count: 22, hidden: 22, listed: [] });
  await Promise.all(bots.map((session) => session.end()));
});

test('it reads only, and makes no tables', { skip }, async (t) => {
  const { storage, schema } = await bot(t);
  const before = await rowsOf(schema);
  const dashboard = await dashboardOf(t, storage);
  const { until } = page(t, dashboard.url);
  await until(({ counted, players }) => counted && players.length === 3, 'all of it');
  for (const log of ['guilds', 'events', 'none']) {
    await lookUp(dashboard.url, { log, key: '7' });
    await listKeys(dashboard.url, { log });
  }
  await ask(`${dashboard.url}healthz`);
  assert.deepEqual(await rowsOf(schema), before);

  const empty = newSchema();
  const unused = opened(t, { url: server.ownerUrl, schema: empty }).storage;
  const second = await dashboardOf(t, unused);
  await page(t, second.url).until(({ said }) => said, 'the server');
  assert.equal((await lookUp(second.url, { log: 'players', key: 'ann' })).status, 404);
  assert.equal((await listKeys(second.url, { log: 'players' })).status, 404);
  assert.equal(await server.psql(`SELECT count(*) FROM pg_namespace WHERE nspname = '${empty}'`), '0');
});

test('it asks only while a page is open, and ten pages ask no more than one', { skip }, async (t) => {
  const proxy = await started(t, startProxy(server));
  const { schema } = await bot(t);
  const { storage } = opened(t, { url: proxy.urlOf('owner'), schema });
  const dashboard = await dashboardOf(t, storage);
  await ask(dashboard.url);
  await ask(`${dashboard.url}metrics`);
  assert.deepEqual(proxy.counts.client, {}, 'nothing was asked');
  const pages = Array.from({ length: 10 }, () => page(t, dashboard.url));
  for (const { until } of pages)
    await until(({ counted, players }) => counted && players.length === 3, 'all of it');
  const questions = () => (proxy.counts.client.Query ?? 0) + (proxy.counts.client.Sync ?? 0);
  assert.ok(questions() > 0 && questions() < 30, `${questions()} questions for ten pages`);
  for (const { close } of pages) close();
  await sleep(1000);
  const before = questions();
  // There is no event of what does not happen: this is longer than the time between two questions.
  await sleep(6000);
  assert.equal(questions(), before);
});

test('a count that takes long is made rarely', async () => {
  let now = 0;
  let runs = 0;
  const paced = new Paced(
    async () => {
      runs++;
      now += 4000;
    },
    15_000,
    () => now,
  );
  const both = [paced.run(), paced.run()];
  await Promise.all(both);
  assert.equal(runs, 1, 'one at a time');
  now = 4000 + 199_999;
  await paced.run();
  assert.equal(runs, 1);
  now += 1;
  await paced.run();
  assert.equal(runs, 2, '200 seconds after one of 4');
});

test('a server that stops: since when and why, and all is well again by itself', { skip }, async (t) => {
  const own = await started(t, startServer());
  const { storage, schema } = await bot(t, { url: own.ownerUrl });
  const inBot = await dashboardOf(t, storage);
  const program = await beside(t, ['--schema', schema], { PROGRESSIVE_STORAGE_URL: own.ownerUrl });
  const pages = [inBot, program].map(({ url }) => ({ url, ...page(t, url) }));
  for (const { until } of pages) await until(({ players }) => players.length === 3, 'all of it');
  const stoppedAt = Date.now();
  await own.stop('immediate');
  // The bot itself goes on calling.
  const call = storage.updatePlayerStats('ann', 'Ann', 1);
  for (const { until, last, url } of pages) {
    await until(({ away }) => away, 'the outage');
    const { away, health, counted, outages } = last();
    assert.ok(away.since >= stoppedAt && away.since <= Date.now());
    assert.match(away.reason, new RegExp(`127\\.0\\.0\\.1:${own.port}`));
    assert.ok(health && counted.logs.length === 3, 'what was known is still there');
    assert.deepEqual(outages.at(-1), away);
    const unwell = await ask(`${url}healthz`);
    assert.equal(unwell.status, 503);
    assert.match(
      unwell.text,
      new RegExp(`127\\.0\\.0\\.1:${own.port}.*20\\d\\d-|20\\d\\d-.*127\\.0\\.0\\.1:${own.port}`),
    );
    assert.equal((await lookUp(url, { log: 'guilds', key: '7' })).status, 503);
  }
  await own.start();
  await call;
  for (const { until, last, url } of pages) {
    await until(({ away, health }) => away === null && health === null, 'the end of the outage');
    assert.equal(last().outages.length, 1);
    assert.ok(last().outages[0].until > last().outages[0].since);
    assert.equal((await ask(`${url}healthz`)).status, 200);
    assert.equal((await lookUp(url, { log: 'guilds', key: '7' })).records, 2);
  }
});

test('health is asked without a page, too', { skip }, async (t) => {
  const proxy = await started(t, startProxy(server));
  const { schema } = await bot(t);
  const program = await beside(t, ['--schema', schema], { PROGRESSIVE_STORAGE_URL: proxy.urlOf('owner') });
  await proxy.down();
  assert.equal((await ask(`${program.url}healthz`)).status, 503);
  await proxy.up();
  await waitUntil(async () => (await ask(`${program.url}healthz`)).status === 200, { what: 'good health' });
});

test('a role that may not read the tables learns that, and the page goes on', { skip }, async (t) => {
  const { schema } = await bot(t);
  const { storage } = opened(t, { url: server.url, schema });
  const dashboard = await dashboardOf(t, storage);
  const { until, last } = page(t, dashboard.url);
  await until(({ counted, playersError }) => counted?.error && playersError, 'the refusal');
  assert.match(last().counted.error, /may not|permission/);
  assert.match(last().said.version, /^\d+/);
  assert.equal(last().away, null);
});

test('no secret is in what it serves or prints, and hostile names are only text', { skip }, async (t) => {
  const schema = newSchema();
  await server.psql(`CREATE ROLE ${schema} LOGIN PASSWORD '${CANARY}'`);
  await server.psql(`GRANT CREATE ON DATABASE ${DATABASE} TO ${schema}`);
  const urlAt = ({ port }, password = CANARY) =>
    `postgres://${schema}:${encodeURIComponent(password)}@127.0.0.1:${port}/${DATABASE}`;
  const proxy = await started(t, startProxy(server));
  const { storage } = await bot(t, { url: urlAt(proxy), schema });
  for (const name of HOSTILE) {
    await storage.updatePlayerStats(name, name, 5000);
    await storage.collection('guilds').set(name, { [name]: name });
  }
  const inBot = await dashboardOf(t, storage, { token: TOKEN });
  const headers = { authorization: `Bearer ${TOKEN}` };
  const program = await beside(t, ['--schema', schema], { PROGRESSIVE_STORAGE_URL: urlAt(proxy) });
  const live = page(t, program.url);
  await live.until(({ players }) => players.length > HOSTILE.length, 'all of it');
  const served = async () => {
    const texts = [live.text(), program.output.stdout, program.output.stderr];
    for (const path of [
      '',
      'metrics',
      'healthz',
      'key?log=guilds&key=7',
      'keys?log=guilds',
      'series',
      'x',
      'key?log=%00&key=a',
    ]) {
      texts.push((await ask(program.url + path)).text, (await ask(inBot.url + path, { headers })).text);
    }
    for (const key of HOSTILE) {
      const { value } = await lookUp(program.url, { log: 'guilds', key });
      texts.push(JSON.stringify(value ?? null));
    }
    return texts.join('\n');
  };
  const texts = [await served()];
  await proxy.down();
  await live.until(({ away }) => away, 'the outage');
  texts.push(await served());
  await proxy.up();
  await live.until(({ away }) => !away, 'the end of it');
  await server.psql(`ALTER ROLE ${schema} PASSWORD 'another'`);
  await live.until(({ away }) => /password|login/i.test(away?.reason ?? ''), 'the refusal');
  texts.push(await served());
  for (const spelling of [
    CANARY,
    encodeURIComponent(CANARY),
    'c4nary',
    Buffer.from(CANARY).toString('base64'),
  ]) {
    assert.ok(!texts.join('\n').includes(spelling), spelling);
  }
  // One event is one line: a name cannot end it and begin another.
  for (const name of HOSTILE) assert.ok(live.text().includes(JSON.stringify(name)), name);
});

test('the program prints nothing hostile, and no secret where it fails', { skip }, async (t) => {
  for (const name of HOSTILE.filter((text) => !text.includes('\0'))) {
    for (const args of [
      ['--schema', name],
      ['--url', `postgres://bot:${encodeURIComponent(CANARY)}@127.0.0.1:1/${name}`],
      [`postgres://bot:${encodeURIComponent(CANARY)}@${name}/store`],
    ]) {
      const { code, stdout, stderr } = await runCli(t, ['dashboard', '--port', '0', ...args], {
        env: { PROGRESSIVE_STORAGE_URL: server.url },
      });
      assert.notEqual(code, 0);
      assert.doesNotMatch(stdout + stderr, RAW);
      assert.doesNotMatch(stdout + stderr, /c4nary/);
    }
  }
});

test('a thread that does not know the url says so', { skip }, async (t) => {
  const source = `
    const { workerData, parentPort, isMainThread, Worker } = require('node:worker_threads');
    const ps = require(workerData.entry);
    if (workerData.url) {
      ps.configure({ url: workerData.url, schema: workerData.schema });
      const inner = new Worker(workerData.source, { eval: true, workerData: { entry: workerData.entry } });
      inner.on('message', (message) => parentPort.postMessage(message));
    } else ps.startDashboard({ port: 0 }).then(() => 'started', (error) => error.message).then((text) => parentPort.postMessage(text));`;
  const entry = fileURLToPath(new URL('../../index.js', import.meta.url));
  const workerData = { entry, source, url: server.ownerUrl, schema: newSchema() };
  const worker = new Worker(source, { eval: true, workerData });
  atEnd(t, () => worker.terminate());
  const [said] = await once(worker, 'message');
  assert.match(said, /Another thread chose the server/);
});
