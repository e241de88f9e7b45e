// The tables of each version that a release made (`__test__/releases/schemas`): `postgres init` brings older ones up to date
// with all of their data, and those of a newer version are refused before anything is touched.

import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { after, test } from 'node:test';
import { Storage } from '../../index.js';
import { startServer, whyNoServer } from '../../scripts/postgres/index.mjs';
import { seenBy } from '../releases/scenes.mjs';
import { runCli, runCliJson } from '../support/cli.mjs';
import { rejection } from '../support/server-scene.mjs';
import { atEnd, closeStorage, temporaryFolder } from '../support/temp.mjs';

const skip = whyNoServer();
const server = skip ? null : await startServer();
after(() => server?.remove());

const SCHEMA = 'progressive_storage';
const VERSIONS = readdirSync(new URL('../releases/schemas/', import.meta.url)).sort((a, b) => a - b);
const NEWEST = VERSIONS.at(-1);
const fixture = (version, name) =>
  readFileSync(new URL(`../releases/schemas/${version}/${name}`, import.meta.url), 'utf8');
const asOwner = { env: { PROGRESSIVE_STORAGE_URL: skip ? '' : server.ownerUrl } };

/** The tables of that version, as the owner has them; nothing else is there. */
async function load(t, version) {
  const drop = () => server.psql(`DROP SCHEMA IF EXISTS ${SCHEMA} CASCADE`);
  await drop();
  atEnd(t, drop);
  await server.psql(fixture(version, 'dump.sql'), { role: 'owner' });
  return JSON.parse(fixture(version, 'saw.json'));
}

/** All that is in the schema: rows, columns, indexes, constraints and rights. */
async function whole() {
  const tables = ['meta', 'state', 'entry', 'generation'];
  const rows = tables.map((name) => `SELECT '${name}', t::text FROM ${SCHEMA}.${name} t`).join(' UNION ALL ');
  return [
    await server.psql(`${rows} ORDER BY 1, 2`),
    await server.psql(`SELECT last_value, is_called FROM ${SCHEMA}.seq`),
    await server.psql(`SELECT relname, relkind, relowner, relacl::text, relchecks, relnatts FROM pg_class
      WHERE relnamespace = '${SCHEMA}'::regnamespace ORDER BY relname`),
    await server.psql(`SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint
      WHERE connamespace = '${SCHEMA}'::regnamespace ORDER BY conname`),
  ].join('\n--\n');
}

function opened(t, url) {
  const storage = new Storage({ url, logger: null });
  atEnd(t, () => closeStorage(storage).catch(() => {}));
  return storage;
}

const CALLS = {
  loadPlayers: (storage) => storage.loadPlayers(),
  history: (storage) => storage.history('players', 'user1'),
  updatePlayerStats: (storage) => storage.updatePlayerStats('user1', 'Ann', 1),
  setMany: (storage) => storage.collection('guilds').setMany({ a: 1, b: 2 }),
  appendLogEntry: (storage) => storage.appendLogEntry('notes', { op: 'NOTE' }),
  snapshot: (storage, folder) => storage.snapshot(path.join(folder, 'copy')),
  compactLog: (storage) => storage.compactLog('players'),
};

async function assertRefused(t) {
  const before = await whole();
  const folder = await temporaryFolder(t);
  for (const url of [server.url, server.ownerUrl, server.urlOf('superuser')]) {
    for (const [name, call] of Object.entries(CALLS)) {
      const storage = opened(t, url);
      const { code } = await rejection(call(storage, folder), name);
      // The role of the bot has no rights yet.
      const expected =
        url === server.url ? /^ERR_SCHEMA_VERSION$|^ERR_SERVER_RIGHTS$/ : /^ERR_SCHEMA_VERSION$/;
      assert.match(code, expected, name);
      await closeStorage(storage).catch(() => {});
    }
  }
  assert.equal(await whole(), before);
  assert.deepEqual(readdirSync(folder), []);
}

for (const version of VERSIONS) {
  test(`tables of version ${version}: all data is there, and the bot goes on`, { skip }, async (t) => {
    const saw = await load(t, version);
    if (version !== NEWEST) await assertRefused(t);
    const { code, json, stdout, stderr } = await runCliJson(
      t,
      ['postgres', 'init', '--role', 'bot'],
      asOwner,
    );
    assert.equal(code, 0, stdout + stderr);
    assert.deepEqual([json.madeTables, json.upgradedFrom], [false, version === NEWEST ? null : version]);
    const storage = opened(t, server.url);
    assert.deepEqual(await seenBy(storage), saw);
    await storage.updatePlayerStats('user1', 'Later', 5);
    await storage.collection('guilds').set('ends', 1, { ttlMs: 3_600_000 });
    assert.ok((await storage.collection('guilds').expiresAt('ends')) > 0);
    assert.equal((await storage.history('players', 'user1')).length, saw.histories.user1.length + 1);
    await storage.compactLog('players');
    const { totalScore } = await storage.getPlayerStats('user1');
    assert.equal(totalScore, saw.players.user1.totalScore + 5);
    await closeStorage(storage);
    const verified = await runCli(t, ['verify'], asOwner);
    assert.equal(verified.code, 0, verified.stdout + verified.stderr);
  });
}

test('tables of a newer version: no call and no command changes anything', { skip }, async (t) => {
  await load(t, NEWEST);
  await server.psql(`UPDATE ${SCHEMA}.meta SET value = '${Number(NEWEST) + 1}' WHERE name = 'version'`);
  await assertRefused(t);
  const folder = await temporaryFolder(t);
  const from = new Storage({ dataDir: `${folder}/data` });
  await from.updatePlayerStats('1', 'Ann', 1);
  await from.close();
  const before = await whole();
  const ended = [];
  for (const args of [
    ['postgres', 'init'],
    ['postgres', 'init', '--role', 'bot'],
    ['set', 'g', '5', '--log', 'guilds', '--yes'],
    ['delete', 'g', '--log', 'guilds', '--yes'],
    ['undo', 'user1', '--yes'],
    ['migrate', 'env', `${folder}/other`, '--yes'],
    ['snapshot', `${folder}/copy`],
    ['export', '--output', `${folder}/all.json`],
    ['get', 'g', '--log', 'guilds'],
    ['verify'],
  ]) {
    const { code, json, stderr } = await runCliJson(t, args, asOwner);
    ended.push([args.join(' '), code, json.error?.code ?? stderr]);
  }
  assert.deepEqual(
    ended.filter(([, code, error]) => code !== 3 || error !== 'ERR_SCHEMA_VERSION'),
    [],
  );
  // Each log is refused by itself, and the data of a folder never comes so far.
  for (const args of [
    ['compact', '--log', 'players'],
    ['migrate', `${folder}/data`, 'env', '--yes'],
  ])
    assert.equal((await runCli(t, args, asOwner)).code, 3, args[0]);
  // These two show what is there.
  assert.equal((await runCli(t, ['inspect'], asOwner)).code, 0);
  const doctor = await runCli(t, ['doctor'], asOwner);
  assert.match(doctor.stdout, /Update the package on this host/);
  assert.equal(await whole(), before);
  assert.deepEqual(
    ['copy', 'all.json'].filter((name) => existsSync(`${folder}/${name}`)),
    [],
  );
});
