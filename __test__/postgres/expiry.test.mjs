// Keys that end by themselves, on a server: one clock for all hosts, one entry for all that ends, and tables of the version
// before that knew none. `api/expiry` tests what the calls answer.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Storage } from '../../index.js';
import { startServer, whyNoServer } from '../../scripts/postgres/index.mjs';
import { runCli, runCliJson } from '../support/cli.mjs';
import { newSchema, opened } from '../support/server-scene.mjs';
import { atEnd, closeStorage, temporaryFolder, waitUntil } from '../support/temp.mjs';

const skip = whyNoServer();
const DAY_MS = 24 * 60 * 60 * 1000;

async function aServer(t) {
  const server = await startServer();
  atEnd(t, () => server.remove());
  return server;
}

// What version 1 had.
const VERSION_1 = (schema) => `
  ALTER TABLE ${schema}.state DROP COLUMN expires;
  ALTER TABLE ${schema}.entry DROP COLUMN expires;
  UPDATE ${schema}.meta SET value = '1' WHERE name = 'version'`;

test('the clock is that of the server', { skip }, async (t) => {
  const server = await aServer(t);
  const schema = newSchema();
  const { storage } = opened(t, { url: server.url, schema });
  const cooldowns = storage.collection('cooldowns');
  const nowOfServer = async () =>
    Number(await server.psql('SELECT floor(extract(epoch FROM clock_timestamp()) * 1000)::int8'));
  const before = await nowOfServer();
  await cooldowns.set('a', 1, { ttlMs: DAY_MS });
  const after = await nowOfServer();
  const end = await cooldowns.expiresAt('a');
  // Never wrong by more than a round trip; that of the set is between the two.
  const roundTripMs = after - before;
  assert.ok(end >= before + DAY_MS - roundTripMs - 1 && end <= after + DAY_MS + roundTripMs + 1, `${end}`);
  // The server alone says what is over: its rows are set back behind the back of the store.
  await server.psql(`UPDATE ${schema}.state SET expires = ${before} WHERE key = '"a"'`);
  assert.equal(await cooldowns.has('a'), false);
  assert.deepEqual(await cooldowns.keys(), []);
});

test('two hosts see one end, and one entry removes all that is over', { skip }, async (t) => {
  const server = await aServer(t);
  const schema = newSchema();
  // With other options they share nothing in this process.
  const [one, other] = [30_000, 31_000].map(
    (timeoutMs) => opened(t, { url: server.url, schema, timeoutMs }).storage,
  );
  const [ours, theirs] = [one, other].map((storage) => storage.collection('cooldowns'));
  const keys = Array.from({ length: 1500 }, (_, number) => `k${number}`);
  const all = (value) => Object.fromEntries(keys.map((key) => [key, value]));
  const expiresAt = Date.now() + DAY_MS;
  await one.appendLogEntry('cooldowns', { op: 'SET', data: all(1), _expires: all(expiresAt) });
  assert.equal(await theirs.size(), 1500);
  assert.equal(await theirs.expiresAt('k7'), expiresAt);
  await one.appendLogEntry('cooldowns', { op: 'SET', data: all(1), _expires: all(Date.now() - 1000) });
  assert.equal(await theirs.size(), 0);
  assert.equal(await theirs.update('k7', (value = 'new') => value), 'new');
  const rows = (where) => server.psql(`SELECT count(*) FROM ${schema}.${where}`).then(Number);
  await waitUntil(async () => (await rows("entry WHERE op = 'EXPIRE'")) === 1, { what: 'the removal' });
  assert.equal(await rows('state WHERE value IS NOT NULL'), 1);
  assert.equal(await rows('state WHERE expires IS NOT NULL'), 0);
  await ours.set('again', 1);
  await theirs.set('again', 2);
  assert.equal(await rows("entry WHERE op = 'EXPIRE'"), 1);
  const verify = await runCliJson(t, ['verify', '--schema', schema], {
    env: { PROGRESSIVE_STORAGE_URL: server.url },
  });
  assert.equal(verify.code, 0, verify.stdout);
});

test('a row that another session holds is left for the next time', { skip }, async (t) => {
  const server = await aServer(t);
  const schema = newSchema();
  const { storage } = opened(t, { url: server.url, schema });
  const cooldowns = storage.collection('cooldowns');
  const past = Date.now() - 1000;
  await storage.appendLogEntry('cooldowns', {
    op: 'SET',
    data: { held: 1, free: 1 },
    _expires: { held: past, free: past },
  });
  const left = () =>
    server.psql(`SELECT string_agg(key, ' ' ORDER BY key) FROM ${schema}.state WHERE expires IS NOT NULL`);
  const holder = await server.connect();
  atEnd(t, () => holder.end());
  await holder.query(`BEGIN; SELECT FROM ${schema}.state WHERE key = '"held"' FOR UPDATE`);
  await cooldowns.set('a', 1);
  await waitUntil(async () => (await left()) === '"held"', { what: 'the removal of the other one' });
  assert.deepEqual(await cooldowns.keys(), ['a']);
  await holder.query('ROLLBACK');
  // An update of one key that is there need not look; a new key does.
  await cooldowns.set('b', 2);
  await waitUntil(async () => (await left()) === '', { what: 'its removal' });
  assert.deepEqual(await storage.rebuildStateFromLog('cooldowns'), { a: 1, b: 2 });
});

test('a compaction keeps the times', { skip }, async (t) => {
  const server = await aServer(t);
  const { storage } = opened(t, { url: server.url });
  const cooldowns = storage.collection('cooldowns');
  const expiresAt = Date.now() + DAY_MS;
  await cooldowns.set('a', 1, { expiresAt });
  await cooldowns.set('b', 2);
  await storage.compactLog('cooldowns');
  const [checkpoint] = await storage.readLogEntries('cooldowns');
  assert.deepEqual([checkpoint.state, checkpoint._expires], [{ a: 1, b: 2 }, { a: expiresAt }]);
  assert.equal((await storage.history('cooldowns', 'a')).at(-1).expiresAt, expiresAt);
  assert.equal(await cooldowns.expiresAt('a'), expiresAt);
});

test('tables of the version before are refused until their owner brings them up to date', {
  skip,
}, async (t) => {
  const server = await aServer(t);
  await server.psql('REVOKE CREATE ON DATABASE store FROM bot');
  const asOwner = { env: { PROGRESSIVE_STORAGE_URL: server.ownerUrl } };
  const init = (...args) => runCliJson(t, ['postgres', 'init', '--role', 'bot', ...args], asOwner);
  assert.equal((await init()).code, 0);
  const before = new Storage({ url: server.url });
  await before.collection('coins').set('a', 1);
  await before.updatePlayerStats('1', 'Ann', 10);
  await closeStorage(before);
  await server.psql(VERSION_1('progressive_storage'));
  const refused = new Storage({ url: server.url });
  await assert.rejects(refused.collection('coins').get('a'), {
    code: 'ERR_SCHEMA_VERSION',
    message: /has version 1, .* as the owner of the tables, run `progressive-storage postgres init`/,
  });
  await closeStorage(refused);
  const doctor = await runCli(t, ['doctor'], asOwner);
  assert.match(doctor.stdout, /postgres init/);
  const { code, json, stdout } = await init();
  assert.equal(code, 0, stdout);
  assert.deepEqual([json.madeTables, json.upgradedFrom], [false, '1']);
  assert.deepEqual([(await init()).json.upgradedFrom], [null], 'once');
  const storage = new Storage({ url: server.url });
  atEnd(t, () => closeStorage(storage));
  const coins = storage.collection('coins');
  assert.equal(await coins.get('a'), 1);
  assert.equal((await storage.getPlayerStats('1')).totalScore, 10);
  await coins.set('b', 1, { ttlMs: DAY_MS });
  assert.ok((await coins.expiresAt('b')) > Date.now());
  // The bot's role changes rows, and no more.
  await assert.rejects(server.psql('DROP INDEX progressive_storage.state_expires', { role: 'bot' }), {
    code: '42501',
  });
});

test('migrate takes the times along, both ways', { skip }, async (t) => {
  const server = await aServer(t);
  const folder = await temporaryFolder(t);
  const from = new Storage({ dataDir: `${folder}/from` });
  const expiresAt = Date.now() + DAY_MS;
  const fill = async (storage) => {
    const cooldowns = storage.collection('cooldowns');
    await cooldowns.set('a', 1, { expiresAt });
    await cooldowns.set('b', 1, { expiresAt: Date.now() - 1000 });
    await cooldowns.set('c', 1);
    await storage.compactLog('cooldowns');
    await cooldowns.set('d', 1, { expiresAt });
    await cooldowns.set('e', 1, { expiresAt: Date.now() - 1000 });
  };
  await fill(from);
  await from.close();
  const check = async (options) => {
    const storage = new Storage(options);
    const cooldowns = storage.collection('cooldowns');
    const ends = await Promise.all(['a', 'b', 'c', 'd', 'e'].map((key) => cooldowns.expiresAt(key)));
    assert.deepEqual(ends, [expiresAt, null, null, expiresAt, null]);
    assert.deepEqual((await cooldowns.keys()).sort(), ['a', 'c', 'd']);
    const ops = (await storage.history('cooldowns', 'b')).map(({ op }) => op);
    assert.deepEqual(ops, ['SET', 'EXPIRE']);
    await storage.close();
  };
  const env = { PROGRESSIVE_STORAGE_URL: server.ownerUrl };
  const there = await runCli(t, ['migrate', `${folder}/from`, 'env', '--yes'], { env });
  assert.equal(there.code, 0, there.stdout + there.stderr);
  await check({ url: server.ownerUrl });
  const back = await runCli(t, ['migrate', 'env', `${folder}/to`, '--yes'], { env });
  assert.equal(back.code, 0, back.stdout + back.stderr);
  await check({ dataDir: `${folder}/to` });
});
