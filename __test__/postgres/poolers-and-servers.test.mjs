// Servers as they are met: behind pgbouncer, with other defaults, of other versions; and those that cannot be used, each
// with an error that says so, and nothing changed on the server.

import assert from 'node:assert/strict';
import path from 'node:path';
import { after, test } from 'node:test';
import { Storage } from '../../index.js';
import {
  DATABASE,
  ROLES,
  startPgbouncer,
  startServer,
  whyNoPgbouncer,
  whyNoServer,
} from '../../scripts/postgres/index.mjs';
import { runCli } from '../support/cli.mjs';
import { countUp, newSchema, opened, rejection, started } from '../support/server-scene.mjs';
import { temporaryFolder } from '../support/temp.mjs';

const skip = whyNoServer();
const server = skip ? null : await startServer();
after(() => server?.remove());

/** Two clients that count on one key at once, and every kind of read: the sum is right. */
async function assertWorks(t, url, { also = () => {} } = {}) {
  const schema = newSchema();
  const clients = [1, 2].map(() => opened(t, { url, schema }));
  const [{ storage, counts }] = clients;
  await Promise.all(
    clients.flatMap((client) =>
      Array.from({ length: 40 }, (_, i) => [
        countUp(client.counts, 'a'),
        client.storage.updatePlayersStats(
          ['ann', `p${i % 3}`].map((userId) => ({ userId, username: userId, score: 1 })),
        ),
        client.storage.appendLogEntry('notes', { op: 'NOTE', i }),
      ]).flat(),
    ),
  );
  assert.equal(await counts.get('a'), 80);
  const players = await storage.loadPlayers();
  assert.equal(players.ann.totalGames, 80);
  assert.equal(players.p0.totalGames + players.p1.totalGames + players.p2.totalGames, 80);
  assert.equal((await storage.readLogEntries('notes')).length, 80);
  assert.equal((await storage.getLeaderboard('totalScore', 1))[0].userId, 'ann');
  await storage.compactLog('players');
  assert.deepEqual(await storage.rebuildStateFromLog('players'), players);
  await also(clients, schema);
  for (const { events } of clients) assert.deepEqual(events, []);
}

test('pgbouncer in transaction mode', { skip: skip || whyNoPgbouncer() }, async (t) => {
  const pgbouncer = await started(t, startPgbouncer(server, { settings: { default_pool_size: 2 } }));
  await assertWorks(t, pgbouncer.url);
});

test('a bot behind pgbouncer cannot write to a server that was left, and again once that is undone', {
  skip: skip || whyNoPgbouncer(),
}, async (t) => {
  const pgbouncer = await started(t, startPgbouncer(server));
  const schema = newSchema();
  const owner = new Storage({ url: server.ownerUrl, schema });
  await owner.collection('counts').set('a', 0);
  await owner.close();
  const env = { PROGRESSIVE_STORAGE_URL: server.ownerUrl };
  await runCli(t, ['postgres', 'init', '--role', 'bot', '--schema', schema], { env });
  const { storage, counts } = opened(t, { url: pgbouncer.url, schema });
  await counts.set('a', 1);
  // The pooler's sessions end, and the bot does not notice: it is quiet.
  await server.endConnections();
  const folder = await temporaryFolder(t);
  const args = ['migrate', 'env', path.join(folder, 'data'), '--schema', schema, '--yes'];
  const moved = await runCli(t, args, { env });
  assert.equal(moved.code, 0, moved.stderr);
  const calls = [
    counts.set('a', 2),
    counts.update('b', () => 1),
    storage.appendLogEntry('notes', { op: 'NOTE' }),
    storage.updatePlayerStats('ann', 'Ann', 1),
  ];
  for (const { code } of await Promise.all(calls.map((call) => rejection(call)))) {
    assert.equal(code, 'ERR_MOVED');
  }
  await server.psql(`DELETE FROM ${schema}.meta WHERE name = 'moved'`);
  assert.equal((await rejection(counts.set('a', 3))).code, 'ERR_MOVED', 'half of it is undone');
  await server.psql(`ALTER TABLE ${schema}.entry DROP CONSTRAINT IF EXISTS moved`);
  await counts.set('a', 4);
  assert.equal(await counts.get('a'), 4);
});

test('a database whose transactions are serializable unless told otherwise', { skip }, async (t) => {
  for (const level of ['serializable', 'repeatable read']) {
    const name = level.replace(' ', '_');
    await newDatabase(name);
    await server.psql(`ALTER DATABASE ${name} SET default_transaction_isolation = '${level}'`);
    await assertWorks(t, server.urlOf('bot', name));
  }
});

// One that npm has fetched before; none is fetched for a test.
const whyNo18 = whyNoServer({ major: 18, mayFetch: false });
test('PostgreSQL 18', { skip: whyNo18 && 'PostgreSQL 18 is not here' }, async (t) => {
  const other = await started(t, startServer({ major: 18, mayFetch: false }));
  await assertWorks(t, other.url);
});

// --- Servers that cannot be used ---

/** Makes a database in which the bot may make its schema. */
async function newDatabase(name, more = '') {
  await server.psql(`CREATE DATABASE ${name} ${more}`);
  await server.psql(`GRANT CREATE ON DATABASE ${name} TO bot`);
}

/** Everything of a database that somebody could change, as text. */
function contents(on, database) {
  const sql = `
    SELECT 'schema', nspname, nspacl::text FROM pg_namespace WHERE nspname !~ '^pg_' UNION ALL
    SELECT 'table', c.oid::regclass::text, relacl::text || relfilenode FROM pg_class c WHERE relnamespace > 16383 UNION ALL
    SELECT 'column', attrelid::regclass::text, attname FROM pg_attribute a JOIN pg_class c ON c.oid = attrelid
      WHERE relnamespace > 16383 AND attnum > 0 ORDER BY 1, 2, 3`;
  return on.psql(sql, { database });
}

/** All kinds of calls are refused with this code, at once and again later, and the server is as it was. */
async function assertRefused(t, { url, schema, code, text, on = server, database = DATABASE }) {
  const before = await contents(on, database);
  const { storage, counts } = opened(t, { url, schema: schema ?? newSchema(), timeoutMs: 20_000 });
  const calls = {
    update: () => countUp(counts, 'a'),
    get: () => counts.get('a'),
    players: () => storage.updatePlayerStats('ann', 'Ann', 1),
    entries: () => counts.entries(),
    log: () => storage.readLogEntries('notes'),
    size: () => storage.getLogSize('notes'),
  };
  for (const [name, call] of [...Object.entries(calls), ...Object.entries(calls)]) {
    const error = await rejection(call(), name);
    assert.equal(error.code, code, `${name}: ${error.message}`);
    assert.notEqual(error.isOutcomeUnknown, true, name);
    if (text) assert.match(error.message, text);
  }
  await storage.close();
  assert.equal(await contents(on, database), before, 'nothing is changed');
}

const withPassword = (url, password) => Object.assign(new URL(url), { password }).href;

test('a wrong password, an unknown user', { skip }, async (t) => {
  const code = 'ERR_SERVER_LOGIN';
  await assertRefused(t, { url: withPassword(server.url, 'wrong'), code, text: /refuses the user 'bot'/ });
  const url = Object.assign(new URL(server.url), { username: 'nobody' }).href;
  await assertRefused(t, { url, code, text: /refuses the user 'nobody'/ });
});

test('no such database', { skip }, async (t) => {
  const url = server.urlOf('bot', 'missing');
  await assertRefused(t, { url, code: 'ERR_SERVER_DATABASE', text: /has no database 'missing'/ });
});

test('a database that does not keep text as UTF-8', { skip }, async (t) => {
  for (const encoding of ['SQL_ASCII', 'LATIN1']) {
    const database = `of_${encoding.toLowerCase()}`;
    await newDatabase(database, `ENCODING '${encoding}' TEMPLATE template0`);
    const url = server.urlOf('bot', database);
    await assertRefused(t, {
      url,
      code: 'ERR_SERVER_ENCODING',
      text: new RegExp(`'${database}'.*${encoding}`),
      database,
    });
  }
});

test('a role without the right to make a schema', { skip }, async (t) => {
  await server.psql('CREATE DATABASE closed');
  const url = server.urlOf('bot', 'closed');
  await assertRefused(t, { url, code: 'ERR_SERVER_RIGHTS', text: /user 'bot' may not/, database: 'closed' });
});

const GRANTS = (schema) => `
  GRANT USAGE ON SCHEMA ${schema} TO bot;
  GRANT SELECT ON ${schema}.meta TO bot;
  GRANT SELECT, INSERT, UPDATE, DELETE ON ${schema}.state, ${schema}.entry, ${schema}.generation TO bot;
  GRANT USAGE, SELECT ON SEQUENCE ${schema}.seq TO bot;`;

test('a role that may change rows only, once the owner has made the tables', { skip }, async (t) => {
  await server.psql('CREATE DATABASE owned OWNER owner');
  const schema = newSchema();
  const url = server.urlOf('bot', 'owned');
  await countUp(opened(t, { url: server.urlOf('owner', 'owned'), schema }).counts, 'a');
  await assertRefused(t, { url, schema, code: 'ERR_SERVER_RIGHTS', database: 'owned' });
  await server.psql(GRANTS(schema), { database: 'owned' });
  const before = await contents(server, 'owned');
  const { storage, counts } = opened(t, { url, schema });
  assert.equal(await countUp(counts, 'a'), 2);
  assert.deepEqual(await counts.entries(), [['a', 2]]);
  assert.deepEqual(await counts.top('n'), []);
  await storage.compactLog('counts');
  assert.equal(await countUp(counts, 'a'), 3);
  assert.equal(await contents(server, 'owned'), before);
  // It may not read any more, in the middle of its work.
  await server.psql(`REVOKE ALL ON ${schema}.entry FROM bot`, { database: 'owned' });
  assert.equal((await rejection(countUp(counts, 'a'))).code, 'ERR_SERVER_RIGHTS');
  await server.psql(GRANTS(schema), { database: 'owned' });
  assert.equal(await countUp(counts, 'a'), 4);
});

test('tables of a newer version', { skip }, async (t) => {
  const schema = newSchema();
  await countUp(opened(t, { url: server.url, schema }).counts, 'a');
  await server.psql(`UPDATE ${schema}.meta SET value = '3' WHERE name = 'version'`);
  await assertRefused(t, { url: server.url, schema, code: 'ERR_SCHEMA_VERSION', text: /has version 3/ });
  // Tables without any version are not ours.
  await server.psql(`DELETE FROM ${schema}.meta`);
  await assertRefused(t, { url: server.url, schema, code: 'ERR_SCHEMA_VERSION' });
});

test('tables that somebody changed', { skip }, async (t) => {
  for (const change of [
    'ALTER TABLE SCHEMA.state DROP COLUMN numbers CASCADE',
    'ALTER TABLE SCHEMA.entry ALTER COLUMN part TYPE bigint',
    'DROP TABLE SCHEMA.generation',
    'ALTER TABLE SCHEMA.entry RENAME TO entries',
  ]) {
    const schema = newSchema();
    const { counts } = opened(t, { url: server.url, schema });
    await countUp(counts, 'a');
    await server.psql(change.replace('SCHEMA', schema));
    await assertRefused(t, { url: server.url, schema, code: 'ERR_SCHEMA_CHANGED' });
  }
});

test('a table that goes away in the middle of the work', { skip }, async (t) => {
  const schema = newSchema();
  const { counts } = opened(t, { url: server.url, schema });
  await countUp(counts, 'a');
  await server.psql(`ALTER TABLE ${schema}.entry RENAME TO entries`);
  assert.equal((await rejection(countUp(counts, 'a'))).code, 'ERR_SCHEMA_CHANGED');
  await server.psql(`ALTER TABLE ${schema}.entries RENAME TO entry`);
  assert.equal(await countUp(counts, 'a'), 2);
});

test('no TLS where it is required, and TLS that is asked for where there is none', { skip }, async (t) => {
  const url = `${server.url}?sslmode=require`;
  await assertRefused(t, { url, code: 'ERR_SERVER_TLS' });
});

test('an option that is no schema, a url that is none', { skip }, async (t) => {
  const { user, password } = ROLES.bot;
  for (const schema of ['Ä', 'a"b', '', 'x'.repeat(64), "a'; DROP"]) {
    assert.throws(() => opened(t, { url: server.url, schema }), TypeError, schema);
  }
  for (const url of ['', 'postgres://', `mysql://${user}:${password}@localhost/x`]) {
    assert.throws(
      () => opened(t, { url }),
      (error) => !String(error.stack).includes(password),
      url,
    );
  }
});
