// The servers that other tests run on (`scripts/postgres`): start, crash, standby, pooler, TLS, the proxy's cuts and counts,
// and that nothing of them outlives its process. Nothing of the package is in it.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import net from 'node:net';
import { test } from 'node:test';
import tls from 'node:tls';
import {
  connect,
  DATABASE,
  findPrograms,
  ROLES,
  startPgbouncer,
  startProxy,
  startServer,
  startStandby,
  whyNoCertificates,
  whyNoNetwork,
  whyNoPgbouncer,
  whyNoServer,
} from '../../scripts/postgres/index.mjs';
import { atEnd, isAlive, startScript, waitUntil } from '../support/temp.mjs';

const skip = whyNoServer();
const INDEX = new URL('../../scripts/postgres/index.mjs', import.meta.url).href;

/** Starts something and removes it at the end of the test. */
async function started(t, starting) {
  const thing = await starting;
  atEnd(t, () => thing.remove());
  return thing;
}

/** A connection of the bot to a server, pooler or proxy, closed at the end of the test. */
async function connected(t, { port }) {
  const client = await connect({ port, database: DATABASE, ...ROLES.bot });
  atEnd(t, () => client.destroy());
  return client;
}

test('a server: its roles may what their names say', { skip }, async (t) => {
  const server = await started(t, startServer({ settings: { work_mem: '7MB' } }));
  assert.equal(await server.psql("SELECT current_user, current_setting('work_mem'), NULL"), 'postgres|7MB|');
  assert.equal(await server.psql('SELECT current_user', { role: 'bot' }), 'bot');
  await server.psql('CREATE SCHEMA of_the_bot', { role: 'bot' });
  await assert.rejects(server.psql('CREATE DATABASE other', { role: 'bot' }), { code: '42501' });
  assert.equal(new URL(server.url).username, 'bot');
  assert.equal(new URL(server.ownerUrl).username, 'owner');
  // By TCP the password counts.
  const client = await connected(t, server);
  assert.deepEqual(await client.query('SELECT current_user; SELECT 2'), [['bot'], ['2']]);
  const wrong = { port: server.port, database: DATABASE, user: 'bot', password: 'another' };
  await assert.rejects(connect(wrong), { code: '28P01' });
});

test('after a crash and after a restart a server has its data, at its port', { skip }, async (t) => {
  const server = await started(t, startServer({ settings: { fsync: 'on' } }));
  const { port, pid } = server;
  await server.psql('CREATE TABLE notes (n int); INSERT INTO notes VALUES (1)');
  await server.stop('immediate');
  assert.equal(server.isRunning, false);
  await assert.rejects(server.psql('SELECT 1'));
  await server.start();
  assert.match(server.log, /not properly shut down/);
  await server.psql('INSERT INTO notes VALUES (2)');
  await server.restart();
  assert.equal(await server.psql('SELECT * FROM notes'), '1\n2');
  assert.equal(server.port, port);
  assert.notEqual(server.pid, pid);
});

test('a synchronous standby has what was committed, and takes writes after its promotion', {
  skip,
}, async (t) => {
  const primary = await started(t, startServer());
  await primary.psql('CREATE TABLE notes (n int); INSERT INTO notes VALUES (0)');
  const standby = await started(t, startStandby(primary, { synchronous: true }));
  await primary.psql('INSERT INTO notes VALUES (1)');
  await primary.stop('immediate');
  await assert.rejects(standby.psql('INSERT INTO notes VALUES (2)'), { code: '25006' });
  await standby.promote();
  await standby.psql('INSERT INTO notes VALUES (2)');
  assert.equal(await standby.psql('SELECT * FROM notes'), '0\n1\n2');
});

test('a standby behind a stalled proxy lags, and then catches up', { skip }, async (t) => {
  const primary = await started(t, startServer());
  const proxy = await started(t, startProxy(primary));
  const standby = await started(t, startStandby(primary, { through: proxy }));
  proxy.stall();
  await primary.psql('CREATE TABLE notes (n int)');
  const isThere = "SELECT to_regclass('notes') IS NOT NULL";
  assert.equal(await standby.psql(isThere), 'f');
  proxy.resume();
  await standby.catchUp(primary);
  assert.equal(await standby.psql(isThere), 't');
});

test('a wait for a standby that follows no more ends, and says what it waited for', {
  skip,
}, async (t) => {
  const primary = await started(t, startServer());
  const proxy = await started(t, startProxy(primary));
  const standby = await started(t, startStandby(primary, { through: proxy }));
  proxy.stall();
  await primary.psql('CREATE TABLE notes (n int)');
  await assert.rejects(
    standby.catchUp(primary, { deadlineMs: 100 }),
    /waited 0\.1 s.*: standby\d+ at \w+\/\w+/,
  );
  // It asks the primary for changes through the proxy, in vain.
  proxy.cut();
  await assert.rejects(
    standby.makeSynchronous(primary, { deadlineMs: 100 }),
    /waited 0\.1 s.*: standby\d+ as the synchronous standby/,
  );
});

test('pgbouncer gives each transaction any connection', { skip: skip || whyNoPgbouncer() }, async (t) => {
  const server = await started(t, startServer());
  const pgbouncer = await started(t, startPgbouncer(server, { mode: 'transaction' }));
  const [one, two] = [await connected(t, pgbouncer), await connected(t, pgbouncer)];
  const pid = async (client) => Number(await client.query('SELECT pg_backend_pid()'));
  const shared = await pid(one);
  assert.equal(await pid(two), shared, 'both are on one connection');
  await one.query('BEGIN');
  assert.equal(await pid(one), shared);
  assert.notEqual(await pid(two), shared);
  await one.query('COMMIT');
  // What poolers refuse by default.
  const login = { port: pgbouncer.port, database: DATABASE, ...ROLES.bot };
  await assert.rejects(connect({ ...login, parameters: { statement_timeout: '5' } }), /unsupported startup/);
});

test('a certificate of its own authority', { skip: skip || whyNoCertificates() }, async (t) => {
  const hba = 'hostnossl all all 127.0.0.1/32 reject';
  const server = await started(t, startServer({ ssl: true, hba }));
  await assert.rejects(connect({ port: server.port, database: DATABASE, ...ROLES.bot }), { code: '28000' });
  const proxy = await started(t, startProxy(server));
  const socket = net.connect(proxy.port, proxy.host);
  socket.write(Buffer.from([0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f]));
  const [answer] = await once(socket, 'data');
  assert.equal(answer.toString(), 'S');
  const ca = fs.readFileSync(server.authority.certificate);
  const encrypted = tls.connect({ socket, ca, servername: 'localhost' });
  atEnd(t, () => encrypted.destroy());
  await once(encrypted, 'secureConnect');
  assert.equal(encrypted.authorized, true);
  // The proxy passes on what it cannot read.
  assert.equal(proxy.counts.client.SSLRequest, 1);
  assert.ok(proxy.counts.client.Opaque > 0);
});

// --- the proxy ---

/** A server with a table, and a proxy in front of it. */
async function withTable(t) {
  const server = await started(t, startServer());
  await server.psql('CREATE SCHEMA s; CREATE TABLE s.notes (n int)', { role: 'bot' });
  const proxy = await started(t, startProxy(server));
  return { server, proxy, notes: () => server.psql('SELECT * FROM s.notes') };
}

const insert = (n) => `INSERT INTO s.notes VALUES (${n})`;

test('the proxy counts messages and round trips', { skip }, async (t) => {
  const { proxy } = await withTable(t);
  const client = await connected(t, proxy);
  assert.equal(proxy.roundTrips, 0, 'without the login');
  assert.equal(proxy.counts.client.StartupMessage, 1);
  proxy.resetCounts();
  for (let n = 1; n <= 3; n++) await client.query(insert(n));
  assert.equal(proxy.roundTrips, 3);
  assert.deepEqual(proxy.counts, {
    client: { Query: 3 },
    server: { CommandComplete: 3, ReadyForQuery: 3 },
  });
  // A message in many pieces is one message.
  const [[length]] = await client.query(`SELECT length('${'x'.repeat(3_000_000)}')`);
  assert.equal(length, '3000000');
  assert.equal(proxy.counts.client.Query, 4);
});

test('cut before the commit arrives, before its answer arrives, and after', { skip }, async (t) => {
  const { proxy, notes } = await withTable(t);
  const cases = [
    // [the cut, whether the client has the answer, whether the change is there]
    [(p) => p.cutBefore({ from: 'client', type: 'Query', text: 'COMMIT' }), false, false],
    [(p) => p.cutAfter({ from: 'client', type: 'Query', text: 'COMMIT' }), false, true],
    [(p) => p.cutBefore({ from: 'server', type: 'CommandComplete', text: /^COMMIT$/ }), false, true],
    [(p) => p.cutAfter({ from: 'server', type: 'ReadyForQuery', nth: 3 }), true, true],
  ];
  const expected = [];
  for (const [n, [cutIn, isAnswered, isThere]] of cases.entries()) {
    const client = await connected(t, proxy);
    const cut = cutIn(proxy);
    await client.query('BEGIN');
    await client.query(insert(n));
    const commit = client.query('COMMIT');
    if (isAnswered) await commit;
    else await assert.rejects(commit, { code: 'ECONNRESET' }, `case ${n}`);
    await cut;
    await assert.rejects(client.query('SELECT 1'), `case ${n} is cut`);
    if (isThere) expected.push(n);
    // A server that never got the COMMIT rolls back; one that did has committed, or is about to.
    await waitUntil(async () => (await notes()) === expected.join('\n'), { what: `the rows of case ${n}` });
  }
});

test('cut all connections, go away, and come back at the same port', { skip }, async (t) => {
  const { proxy } = await withTable(t);
  const clients = [await connected(t, proxy), await connected(t, proxy)];
  assert.equal(proxy.cut(), 2);
  for (const client of clients) await assert.rejects(client.query('SELECT 1'));
  const { port } = proxy;
  await proxy.down();
  await assert.rejects(connected(t, proxy), { code: 'ECONNREFUSED' });
  await proxy.up();
  assert.equal(proxy.port, port);
  assert.deepEqual(await (await connected(t, proxy)).query('SELECT 1'), [['1']]);
});

test('a stalled proxy keeps connections, and passes all on later', { skip }, async (t) => {
  const { proxy, notes } = await withTable(t);
  const client = await connected(t, proxy);
  let isAnswered = false;
  const note = () => {
    isAnswered = true;
  };
  // Stalled before the answer arrives: the change is there, and nobody knows.
  const stalled = proxy.stallBefore({ from: 'server', type: 'CommandComplete' });
  const answer = client.query(insert(1)).then(note);
  await stalled;
  assert.equal(await notes(), '1');
  const another = connected(t, proxy);
  assert.equal(isAnswered, false);
  proxy.resume();
  await answer;
  assert.deepEqual(await (await another).query('SELECT 1'), [['1']]);
  // Of one side only: requests arrive, answers do not.
  proxy.stall('server');
  const second = client.query(insert(2));
  await waitUntil(async () => (await notes()) === '1\n2', { what: 'the second row' });
  proxy.resume();
  await second;
});

test('a late proxy keeps the order', { skip }, async (t) => {
  const { proxy, notes } = await withTable(t);
  const client = await connected(t, proxy);
  proxy.delay(3);
  await Promise.all([1, 2, 3].map((n) => client.query(insert(n))));
  assert.equal(await notes(), '1\n2\n3');
});

// --- the end ---

for (const [how, end] of [
  ['that ends by itself', null],
  ['that is killed', 'SIGKILL'],
  ['that is interrupted', 'SIGINT'],
  ['whose test fails', 'throw'],
]) {
  test(`a server and its folder go with a process ${how}`, { skip }, async (t) => {
    const { child, output, ended } = await startScript(t, {
      source: `
        import { startProxy, startServer } from ${JSON.stringify(INDEX)};
        const server = await startServer();
        await startProxy(server);
        console.log(JSON.stringify([server.pid, server.folder]));
        process.stdin.once('data', () => {
          if (${JSON.stringify(end)} === 'throw') throw new Error('on purpose');
          process.stdin.destroy();
        });`,
    });
    await waitUntil(() => output.stdout.includes('\n'), { what: 'the server of the other process' });
    const [pid, folder] = JSON.parse(output.stdout);
    assert.equal(isAlive(pid), true);
    if (end?.startsWith('SIG')) child.kill(end);
    else child.stdin.write('end\n');
    await ended;
    await waitUntil(() => !isAlive(pid) && !fs.existsSync(folder), { what: 'the end of the server' });
  });
}

test('the machines of a network, and what is paused on them, go with a process that is killed', {
  skip: await whyNoNetwork(),
}, async (t) => {
  const { child, output, ended } = await startScript(t, {
    source: `
      import { spawn } from 'node:child_process';
      import { once } from 'node:events';
      import { startNetwork } from ${JSON.stringify(INDEX)};
      const [program, ...args] = (await startNetwork()).machine().command('cat');
      const cat = spawn(program, args);
      cat.stdin.write('it runs there');
      await once(cat.stdout, 'data');
      cat.kill('SIGSTOP');
      console.log(cat.pid);
      process.stdin.resume();`,
  });
  await waitUntil(() => output.stdout.includes('\n'), { what: 'the network of the other process' });
  const isThere = () =>
    execFileSync('ip', ['netns', 'list'], { encoding: 'utf8' }).includes(`ps${child.pid}n`);
  assert.deepEqual([isThere(), isAlive(Number(output.stdout))], [true, true]);
  child.kill('SIGKILL');
  await ended;
  await waitUntil(() => !isThere() && !isAlive(Number(output.stdout)), { what: 'the end of the network' });
});

// --- other versions ---

for (const major of [16, 17, 18]) {
  const whyNot = whyNoServer({ major, mayFetch: false });
  test(`PostgreSQL ${major}: a server and its standby`, {
    skip: whyNot && `PostgreSQL ${major} is not here`,
  }, async (t) => {
    const server = await started(t, startServer({ major }));
    assert.match(await server.psql('SHOW server_version'), new RegExp(`^${major}\\.`));
    assert.equal(findPrograms({ major }).major, major);
    const standby = await started(t, startStandby(server));
    await server.psql('CREATE TABLE notes (n int)');
    await standby.catchUp(server);
    assert.equal(await standby.psql('SELECT count(*) FROM notes'), '0');
  });
}
