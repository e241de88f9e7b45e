// The commands of the program on a server: what they find, their exit codes, and that none of them shows a password.

import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { Storage } from '../../index.js';
import { startServer, whyNoServer } from '../../scripts/postgres/index.mjs';
import { runCli, runCliJson, startCli } from '../support/cli.mjs';
import { closeStorage, openStorage, temporaryFolder, waitUntil } from '../support/temp.mjs';

const skip = whyNoServer();
const SECRETS = /owner-secret|bot-secret|superuser-secret/;

let server;
before(async () => {
  if (!skip) server = await startServer();
});
after(() => server?.remove());

let schemas = 0;
// A schema with some data, made by the owner; the bot may use it.
async function someData(t) {
  schemas += 1;
  const schema = `s${schemas}`;
  const storage = new Storage({ url: server.ownerUrl, schema });
  for (let i = 0; i < 5; i++) await storage.updatePlayerStats(`user${i}`, `Name ${i}`, i);
  await storage.compactLog('players');
  await storage.updatePlayerStats('user1', 'Name 1', 10);
  await storage.collection('guilds').set('7', { name: 'Seven' });
  await storage.appendLogEntry('events', { kind: 'start' });
  t.after(() => storage.close().catch(() => {}));
  const env = { PROGRESSIVE_STORAGE_URL: server.ownerUrl };
  const run = async (...args) => {
    const result = await runCliJson(t, [...args, '--schema', schema], { env });
    assert.doesNotMatch(result.stdout + result.stderr, SECRETS);
    return result;
  };
  return { schema, storage, env, run };
}

test('inspect, stats, history, export and tail show what is there', { skip }, async (t) => {
  const { run, schema, env } = await someData(t);
  const { code, json } = await run('inspect');
  assert.equal(code, 0);
  assert.equal(json.schema, schema);
  assert.deepEqual(
    json.logs.map(({ name, keys }) => [name, keys]),
    [
      ['players', 5],
      ['events', 0],
      ['guilds', 1],
    ],
  );
  assert.equal(json.logs[0].generations.length, 2);
  const stats = await run('stats', '--log', 'players');
  assert.equal(stats.json.logs[0].entries, 7);
  assert.deepEqual(stats.json.logs[0].operations, { CHECKPOINT: 1, SET: 6 });
  assert.equal(stats.json.logs[0].busiest[0].key, 'user1');
  const history = await run('history', 'user1');
  assert.equal(history.code, 0);
  assert.deepEqual(
    history.json.history.map(({ value }) => value.totalScore),
    [1, 11],
  );
  assert.equal((await run('history', 'nobody')).code, 1);
  const exported = await runCli(t, ['export', '--log', 'guilds', '--schema', schema], { env });
  assert.deepEqual(JSON.parse(exported.stdout), { 7: { name: 'Seven' } });
  const tail = await runCli(t, ['tail', '-n', '2', '--json', '--schema', schema], { env });
  const lines = tail.stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  assert.deepEqual(
    lines.map(({ op }) => op),
    ['CHECKPOINT', 'SET'],
  );
});

test('tail -f shows each new entry once, over a compaction too', { skip }, async (t) => {
  const { schema, storage, env } = await someData(t);
  const args = ['tail', '-f', '-n', '1', '--json', '--log', 'guilds', '--schema', schema];
  const { child, output, ended } = await startCli(t, args, { env });
  await waitUntil(() => output.stdout.includes('Seven'), { what: 'the last entry' });
  await storage.collection('guilds').set('8', 'a');
  await storage.compactLog('guilds');
  await storage.collection('guilds').set('8', 'b');
  await waitUntil(() => output.stdout.includes('"b"'), { what: 'the new entry' });
  child.kill('SIGINT');
  await ended;
  const values = output.stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line).value);
  assert.deepEqual(values, [{ name: 'Seven' }, 'a', 'b']);
});

test('verify: all is well, and what somebody changed by SQL is found', { skip }, async (t) => {
  const { run, schema } = await someData(t);
  assert.equal((await run('verify')).code, 0);
  await server.psql(`UPDATE ${schema}.state SET value = '{"a":1}' WHERE key = '"user2"'`);
  const changed = await run('verify');
  assert.equal(changed.code, 1);
  assert.match(changed.json.logs[0].problems.join(), /user2/);
  await server.psql(`UPDATE ${schema}.state SET version = version + 1000000 WHERE key = '"7"'`);
  const forked = await run('verify', '--log', 'guilds');
  assert.equal(forked.code, 1);
  assert.equal(forked.json.logs[0].problems.length, 2, forked.stdout);
});

test('undo, import, restore and compact change what they say', { skip }, async (t) => {
  const { run, storage } = await someData(t);
  const dry = await run('undo', 'user1', '--dry-run');
  assert.deepEqual([dry.code, dry.json.done], [0, false]);
  assert.equal((await run('undo', 'user1', '--yes')).code, 0);
  assert.equal((await storage.getPlayerStats('user1')).totalScore, 1);
  const folder = await temporaryFolder(t);
  const file = path.join(folder, 'guilds.json');
  await writeFile(file, '{"7":{"name":"Other"},"9":1}');
  const imported = await run('import', file, '--log', 'guilds', '--yes');
  assert.deepEqual([imported.code, imported.json.added, imported.json.changed], [0, 1, 1]);
  assert.equal(await storage.collection('guilds').get('9'), 1);
  const at = new Date((await storage.history('players', 'user1'))[1].timestamp).toISOString();
  const into = path.join(folder, 'restored');
  const restored = await run('restore', '--at', at, '--into', into, '--log', 'players', '--yes');
  assert.equal(restored.code, 0, restored.stdout);
  const players = JSON.parse(await readFile(path.join(into, 'players.json'), 'utf8'));
  assert.equal(players.user1.totalScore, 11);
  const early = await run('restore', '--at', '2001-01-01', '--into', path.join(folder, 'early'), '--yes');
  assert.deepEqual([early.code, early.json.error.code], [3, 'ERR_NO_HISTORY']);
  const compacted = await run('compact', '--log', 'players');
  assert.equal(compacted.code, 0, compacted.stdout);
  assert.equal((await storage.readLogEntries('players')).length, 1);
  assert.equal((await storage.history('players', 'user1')).length >= 3, true, 'older generations are kept');
});

test('import --validate writes what the schema makes of all values, or nothing', { skip }, async (t) => {
  const { run, storage } = await someData(t);
  const folder = await temporaryFolder(t);
  const [file, schema] = ['guilds.json', 'schema.mjs'].map((name) => path.join(folder, name));
  await writeFile(
    schema,
    `const validate = (value) => (value > 0 ? { value: { n: value } } : { issues: [{ message: 'too small' }] });
    export default { '~standard': { version: 1, vendor: 'test', validate } };`,
  );
  const args = ['import', file, '--log', 'guilds', '--validate', schema, '--yes'];
  await writeFile(file, '{"8":1,"9":0}');
  const refused = await run(...args);
  assert.deepEqual([refused.code, refused.json.error.code], [2, 'ERR_VALIDATION']);
  assert.deepEqual(refused.json.error.details, ['"9": too small']);
  assert.deepEqual(await storage.collection('guilds').keys(), ['7']);
  await writeFile(file, '{"8":1}');
  assert.equal((await run(...args)).code, 0);
  assert.deepEqual(await storage.collection('guilds').get('8'), { n: 1 });
});

test('diff --at compares a server with what it had', { skip }, async (t) => {
  const { storage, run } = await someData(t);
  const then = (await storage.history('players', 'user1')).at(-1).timestamp;
  // What comes in the same millisecond belongs to it.
  await waitUntil(() => Date.now() > Date.parse(then), { what: 'another millisecond' });
  await storage.updatePlayerStats('user2', 'Name 2', 10);
  const { code, json } = await run('diff', 'env', '--at', then, '--log', 'players');
  assert.equal(code, 1);
  const found = json.comparisons[0].changes.map(({ key, from, to }) => [key, from.totalScore, to.totalScore]);
  assert.deepEqual(found, [['user2', 2, 12]]);
  const now = await run('diff', 'env', '--at', '2100-01-01');
  assert.deepEqual([now.code, now.json.ok], [0, true]);
});

test('diff compares a folder and a server', { skip }, async (t) => {
  const { run, schema, env } = await someData(t);
  const { storage, dataDir } = await openStorage(t, Storage);
  await storage.collection('guilds').set('7', { name: 'Seven' });
  await closeStorage(storage);
  const same = await run('diff', dataDir, 'env', '--log', 'guilds');
  assert.equal(same.code, 0, same.stdout);
  const all = await run('diff', dataDir, 'env');
  assert.equal(all.code, 1);
  const alone = await runCliJson(t, ['diff', 'env', '--schema', schema], { env });
  assert.deepEqual([alone.code, alone.json.error.code], [2, 'ERR_USAGE']);
});

test('doctor says what the role may, and what it cannot see', { skip }, async (t) => {
  const { run, schema, env } = await someData(t);
  const byId = ({ json }) => Object.fromEntries(json.findings.map((one) => [one.id, one]));
  const owner = await run('doctor');
  const found = byId(owner);
  assert.equal(found['server-version'].level, 'ok');
  assert.equal(found.encoding.level, 'ok');
  assert.equal(found.rights.level, 'ok');
  assert.equal(found.standby.level, 'unchecked');
  assert.equal(found.fsync.level, 'fail', 'the servers of the tests do not sync');
  assert.equal(found['schema-version'].level, 'ok');
  assert.equal(found.tables.level, 'ok');
  assert.equal(found.clock.level, 'ok');
  const asBot = { PROGRESSIVE_STORAGE_URL: server.url };
  const stranger = await runCliJson(t, ['doctor', '--schema', schema], { env: asBot });
  assert.equal(stranger.code, 1);
  assert.equal(byId(stranger).rights.level, 'fail');
  assert.equal((await runCli(t, ['postgres', 'init', '--role', 'bot', '--schema', schema], { env })).code, 0);
  const bot = byId(await runCliJson(t, ['doctor', '--schema', schema], { env: asBot }));
  assert.deepEqual([bot.rights.level, bot.owner.level], ['ok', 'ok']);
  const asSuperuser = { PROGRESSIVE_STORAGE_URL: server.urlOf('superuser') };
  const superuser = byId(await runCliJson(t, ['doctor', '--schema', schema], { env: asSuperuser }));
  assert.equal(superuser.standby.level, 'warn');
  const none = await runCliJson(t, ['doctor', '--schema', 'none'], { env });
  assert.equal(byId(none).rights.level, 'info');
});

test('a url can be given in each way; what is about files refuses one', { skip }, async (t) => {
  const { schema, env } = await someData(t);
  for (const args of [
    ['inspect', '--url', server.ownerUrl],
    ['inspect', server.ownerUrl],
    ['inspect', 'env'],
    ['inspect', '--url', 'env'],
  ]) {
    const { code, json, stdout, stderr } = await runCliJson(t, [...args, '--schema', schema], { env });
    assert.deepEqual([code, json.schema], [0, schema], args.join(' '));
    assert.doesNotMatch(stdout + stderr, SECRETS);
  }
  for (const args of [
    ['repair', '--url', server.ownerUrl],
    ['repair', server.ownerUrl],
    ['repair'],
    ['adopt', '--url', server.ownerUrl],
    ['revert', '--schema', schema],
    ['diff', server.ownerUrl],
    ['inspect', '.', '--url', server.ownerUrl],
    ['inspect', '.', '--schema', schema],
    ['inspect', '--url', 'none'],
    ['inspect', 'env', '--schema', 'A b'],
  ]) {
    const { code, json, stdout, stderr } = await runCliJson(t, args, { env });
    assert.deepEqual([code, json.error?.code], [2, 'ERR_USAGE'], args.join(' ') + stdout);
    assert.doesNotMatch(stdout + stderr, SECRETS);
  }
  const none = await runCliJson(t, ['inspect', '--schema', 'none'], { env });
  assert.deepEqual([none.code, none.json.error.code], [5, 'ERR_NO_DATA']);
  assert.equal(
    await server.psql("SELECT count(*) FROM pg_namespace WHERE nspname = 'none'"),
    '0',
    'nothing is made',
  );
  const log = await runCliJson(t, ['inspect', '--log', 'player', '--schema', schema], { env });
  assert.deepEqual([log.code, log.json.error.code], [5, 'ERR_NO_LOG']);
});
