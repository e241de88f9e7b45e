// `progressive-storage postgres init`: the owner makes the tables and gives the bot's role its rights. The bot then works
// with rows only.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Storage } from '../../index.js';
import { startServer, whyNoServer } from '../../scripts/postgres/index.mjs';
import { runCli, runCliJson } from '../support/cli.mjs';
import { atEnd, closeStorage } from '../support/temp.mjs';

const skip = whyNoServer();
const SECRETS = /owner-secret|bot-secret|superuser-secret/;

// A server on which the bot may make nothing.
async function serverWithRights(t) {
  const server = await startServer();
  atEnd(t, () => server.remove());
  await server.psql('REVOKE CREATE ON DATABASE store FROM bot');
  return server;
}

const asOwner = (server) => ({ env: { PROGRESSIVE_STORAGE_URL: server.ownerUrl } });

test('a role with rows only does all that a bot does, and can make and change nothing else', {
  skip,
}, async (t) => {
  const server = await serverWithRights(t);
  const before = new Storage({ url: server.url });
  await assert.rejects(before.loadPlayers(), { code: 'ERR_SERVER_RIGHTS' });
  await closeStorage(before);
  const { code, json, stdout, stderr } = await runCliJson(
    t,
    ['postgres', 'init', '--role', 'bot'],
    asOwner(server),
  );
  assert.equal(code, 0, stderr);
  assert.equal(json.madeTables, true);
  assert.doesNotMatch(stdout + stderr, SECRETS);
  const storage = new Storage({ url: server.url });
  await storage.updatePlayerStats('42', 'Ann', 10);
  await storage.collection('guilds').set('7', { a: 1 });
  await storage.collection('guilds').delete('7');
  await storage.savePlayers({ 43: { username: 'Bob', totalScore: 1 } });
  await storage.compactLog('players');
  assert.equal((await storage.getLeaderboard()).length, 1);
  assert.equal((await storage.history('players', '42')).length, 2);
  await closeStorage(storage);
  for (const sql of [
    'DROP TABLE progressive_storage.state',
    'ALTER TABLE progressive_storage.state ADD other int',
    'TRUNCATE progressive_storage.entry',
    "UPDATE progressive_storage.meta SET value = '3'",
    'CREATE TABLE progressive_storage.other (n int)',
  ]) {
    await assert.rejects(server.psql(sql, { role: 'bot' }), { code: '42501' }, sql);
  }
});

test('it can be run again, and leaves what is there', { skip }, async (t) => {
  const server = await serverWithRights(t);
  const args = ['postgres', 'init', '--role', 'bot', '--schema', 'other'];
  assert.equal((await runCli(t, args, asOwner(server))).code, 0);
  const storage = new Storage({ url: server.url, schema: 'other' });
  await storage.collection('guilds').set('7', 1);
  const { code, json } = await runCliJson(t, args, asOwner(server));
  assert.deepEqual([code, json.madeTables, json.schema], [0, false, 'other']);
  assert.equal(await storage.collection('guilds').get('7'), 1);
  await closeStorage(storage);
});

test('--print gives SQL that does the same, and connects to nothing', { skip }, async (t) => {
  const server = await serverWithRights(t);
  const { code, stdout } = await runCli(t, ['postgres', 'init', '--print', '--role', 'bot'], { env: {} });
  assert.equal(code, 0);
  await server.psql(stdout, { role: 'owner' });
  const storage = new Storage({ url: server.url });
  await storage.updatePlayerStats('42', 'Ann', 10);
  await closeStorage(storage);
});

test('what cannot be done says why, and shows no password', { skip }, async (t) => {
  const server = await serverWithRights(t);
  const init = (args, url) =>
    runCliJson(t, ['postgres', ...args], { env: url === undefined ? {} : { PROGRESSIVE_STORAGE_URL: url } });
  for (const [args, url, code, error] of [
    [['init'], undefined, 2, 'ERR_USAGE'],
    [['drop'], server.ownerUrl, 2, 'ERR_USAGE'],
    [['init'], server.url, 3, 'ERR_SERVER_RIGHTS'],
    [['init', '--role', 'nobody'], server.ownerUrl, 3, 'ERR_INVALID_ARG_VALUE'],
    [['init', '--role', 'owner'], server.ownerUrl, 2, 'ERR_USAGE'],
    [['init', '--schema', 'a; DROP'], server.ownerUrl, 2, 'ERR_USAGE'],
    [['init', '--url', 'mysql://a:b-secret@c/d'], undefined, 2, 'ERR_USAGE'],
    [['init'], server.ownerUrl.replace('owner-secret', 'wrong-secret'), 3, 'ERR_SERVER_LOGIN'],
    [['init'], server.urlOf('owner', 'none'), 3, 'ERR_SERVER_DATABASE'],
  ]) {
    const result = await init(args, url);
    const shown = JSON.stringify([args, result.stdout, result.stderr]);
    assert.deepEqual([result.code, result.json.error?.code], [code, error], shown);
    assert.doesNotMatch(result.stdout + result.stderr, /-secret/);
  }
});
