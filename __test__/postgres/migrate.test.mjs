// `progressive-storage migrate`: from a folder to a server and back, with history and times, also after a kill in the
// middle; the source is refused afterwards.

import assert from 'node:assert/strict';
import { appendFile, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { Storage } from '../../index.js';
import serverTools from '../../lib/server-tools.js';
import { startServer, whyNoServer } from '../../scripts/postgres/index.mjs';
import { contentsOf, runCli, runCliJson, startCli } from '../support/cli.mjs';
import {
  atEnd,
  closeStorage,
  openStorage,
  packageUrl,
  startScript,
  temporaryFolder,
  waitUntil,
} from '../support/temp.mjs';

const skip = whyNoServer();
const SECRETS = /owner-secret|bot-secret|superuser-secret/;

async function aServer(t) {
  const server = await startServer();
  atEnd(t, () => server.remove());
  return server;
}

const within = (server) => ({ env: { PROGRESSIVE_STORAGE_URL: server.ownerUrl } });

// A folder with some past: compactions with entries behind them, a rotation's worth of old logs, plain entries, odd keys, an
// edit of a JSON file that is not logged yet, and a log that was only ever a JSON file.
async function folderWithPast(t) {
  const { storage, dataDir } = await openStorage(t, Storage, { backups: 100 });
  const guilds = storage.collection('guilds');
  for (let round = 0; round < 4; round++) {
    for (let i = 0; i < 25; i++) {
      await storage.updatePlayerStats(`user${i}`, `Name ${i}`, i + round);
      await guilds.set(`${i % 7}`, { round, i });
    }
    await guilds.delete(`${round}`);
    await guilds.set(['é', '__proto__', '\ud800', 'a\0b'][round], [round]);
    if (round < 3)
      await Promise.all([storage.compactLog('players'), storage.updatePlayerStats('user1', 'Name 1', 1)]);
    if (round === 1) await storage.compactLog('guilds');
    await storage.appendLogEntry('events', { kind: 'round', round });
  }
  await storage.appendLogEntry('guilds', { op: 'SET', data: { '': 'empty', many: 1 } });
  await storage.saveTokens([1, 2, 3]);
  await closeStorage(storage);
  const file = path.join(dataDir, 'players.json');
  const players = JSON.parse(await readFile(file, 'utf8'));
  players.user3.username = 'By hand';
  await writeFile(file, JSON.stringify(players));
  await writeFile(path.join(dataDir, 'game_state.json'), JSON.stringify({ channel: { round: 1 } }));
  return dataDir;
}

const LOGS = ['players', 'guilds', 'tokens', 'game_state', 'events'];

// Everything that can be asked of a place, but for what names its files.
async function contentOf(storage, { edits = [] } = {}) {
  const found = {};
  for (const log of LOGS) {
    const state = await storage.rebuildStateFromLog(log);
    const histories = [];
    for (const key of Object.keys(state).filter((name) => name !== '' && !edits.includes(name))) {
      const records = await storage.history(log, key);
      histories.push([key, records.map(({ timestamp, op, value }) => ({ timestamp, op, value }))]);
    }
    found[log] = { histories };
    if (log !== 'events') found[log].state = Object.fromEntries(await storage.collection(log).entries());
  }
  return found;
}

test('folder to server: data, history and times are the same, and the folder is refused', {
  skip,
}, async (t) => {
  const [server, dataDir] = [await aServer(t), await folderWithPast(t)];
  const { storage: old } = await openStorage(t, Storage, { dataDir });
  const wanted = await contentOf(old, { edits: ['user3', 'channel'] });
  const wantedEvents = await old.readLogEntries('events');
  await closeStorage(old);
  const files = await contentsOf(dataDir);
  const dry = await runCliJson(t, ['migrate', dataDir, 'env', '--dry-run'], within(server));
  assert.equal(dry.code, 0, dry.stdout + dry.stderr);
  assert.equal(
    await server.psql("SELECT count(*) FROM pg_namespace WHERE nspname = 'progressive_storage'"),
    '0',
  );
  const { code, json, stdout, stderr } = await runCliJson(
    t,
    ['migrate', dataDir, 'env', '--yes'],
    within(server),
  );
  assert.equal(code, 0, stdout + stderr);
  assert.equal(json.done, true);
  assert.doesNotMatch(stdout + stderr, SECRETS);
  assert.ok(json.logs.find(({ name }) => name === 'players').times === 20, stdout);
  const storage = new Storage({ url: server.ownerUrl });
  assert.deepEqual(await contentOf(storage, { edits: ['user3', 'channel'] }), wanted);
  assert.deepEqual(await storage.readLogEntries('events'), wantedEvents);
  assert.equal((await storage.loadPlayers()).user3.username, 'By hand');
  await closeStorage(storage);
  // The files are as they were, but for the mark.
  const { [path.join('.progressive-storage', 'moved')]: mark, ...after } = await contentsOf(dataDir);
  assert.ok(mark);
  for (const [name, hash] of Object.entries(files))
    if (!name.startsWith('.progressive-storage')) assert.equal(after[name], hash, name);
  const { storage: refused } = await openStorage(t, Storage, { dataDir });
  await assert.rejects(refused.loadPlayers(), { code: 'ERR_MOVED' });
  await assert.rejects(refused.updatePlayerStats('1', 'A', 1), { code: 'ERR_MOVED' });
  await assert.rejects(refused.updatePlayerStats('1', 'A', 1), { code: 'ERR_MOVED' });
  await refused.close().catch(() => {});
  const again = await runCliJson(t, ['migrate', dataDir, 'env', '--yes'], within(server));
  assert.deepEqual([again.code, again.json.error.code], [3, 'ERR_MOVED']);
  const doctor = await runCliJson(t, ['doctor', dataDir, '--read-only']);
  assert.ok(
    doctor.json.findings.some(({ id, level }) => id === 'moved' && level === 'fail'),
    doctor.stdout,
  );
});

test('server to folder and back to a server: nothing is lost on the way', { skip }, async (t) => {
  const [server, dataDir] = [await aServer(t), await folderWithPast(t)];
  assert.equal((await runCli(t, ['migrate', dataDir, 'env', '--yes'], within(server))).code, 0);
  const storage = new Storage({ url: server.ownerUrl });
  await storage.compactLog('guilds');
  await storage.collection('guilds').set('after', 1);
  await storage.updatePlayerStats('user1', 'Name 1', 5);
  await storage.compactLog('players');
  const wanted = await contentOf(storage);
  await closeStorage(storage);
  const target = path.join(await temporaryFolder(t), 'data');
  const back = await runCliJson(t, ['migrate', 'env', target, '--yes'], within(server));
  assert.equal(back.code, 0, back.stdout + back.stderr);
  const { storage: folder } = await openStorage(t, Storage, { dataDir: target });
  const found = await contentOf(folder);
  assert.deepEqual(found, wanted);
  await closeStorage(folder);
  const refused = new Storage({ url: server.ownerUrl });
  await assert.rejects(refused.loadPlayers(), { code: 'ERR_MOVED' });
  await closeStorage(refused);
  const third = await runCliJson(t, ['migrate', target, 'env', '--schema', 'third', '--yes'], within(server));
  assert.equal(third.code, 0, third.stdout + third.stderr);
  const last = new Storage({ url: server.ownerUrl, schema: 'third' });
  assert.deepEqual(await contentOf(last), found);
  await closeStorage(last);
});

test('a run that is killed in the middle goes on where it was: to a server', { skip }, async (t) => {
  const server = await aServer(t);
  const { storage, dataDir } = await openStorage(t, Storage, { fsync: 'never' });
  const entries = 30_000;
  const calls = Array.from({ length: entries }, (_, number) =>
    storage.appendLogEntry('notes', { op: 'SET', key: `key${number % 100}`, value: number }),
  );
  await Promise.all(calls);
  await closeStorage(storage);
  const count = async () =>
    Number(await server.psql('SELECT count(*) FROM progressive_storage.entry').catch(() => '0'));
  let least = 0;
  for (const share of [0.1, 0.5]) {
    const { child, ended } = await startCli(t, ['migrate', dataDir, 'env', '--yes'], within(server));
    await waitUntil(async () => (await count()) > entries * share, { what: 'some entries to be there' });
    child.kill('SIGKILL');
    await ended;
    const found = await count();
    assert.ok(found > least && found < entries, `${found} entries when it was killed`);
    least = found;
  }
  const { code, json, stdout } = await runCliJson(t, ['migrate', dataDir, 'env', '--yes'], within(server));
  assert.equal(code, 0, stdout);
  const [log] = json.logs;
  assert.equal(log.entries, entries);
  assert.ok(log.copied <= entries - least, `${log.copied} were copied by the last run`);
  assert.equal(await count(), entries);
  const target = new Storage({ url: server.ownerUrl });
  const values = (await target.readLogEntries('notes')).map(({ value }) => value);
  assert.deepEqual(
    values,
    Array.from({ length: entries }, (_, number) => number),
  );
  await closeStorage(target);
});

test('a run that is killed in the middle goes on where it was: to a folder', { skip }, async (t) => {
  const server = await aServer(t);
  const storage = new Storage({ url: server.ownerUrl });
  const entries = 30_000;
  const numbers = Array.from({ length: entries }, (_, number) => number);
  await Promise.all(numbers.map((number) => storage.collection('notes').set(`key${number % 100}`, number)));
  await closeStorage(storage);
  const dataDir = path.join(await temporaryFolder(t), 'data');
  const lines = async () => {
    const text = await readFile(path.join(dataDir, 'logs', 'notes.log'), 'utf8').catch(() => '');
    return text.split('\n').length - 1;
  };
  const { child, ended } = await startCli(t, ['migrate', 'env', dataDir, '--yes'], within(server));
  await waitUntil(async () => (await lines()) > entries / 10, { what: 'some lines to be there' });
  child.kill('SIGKILL');
  await ended;
  const found = await lines();
  assert.ok(found < entries, `${found} lines when it was killed`);
  const { code, stdout } = await runCliJson(t, ['migrate', 'env', dataDir, '--yes'], within(server));
  assert.equal(code, 0, stdout);
  const { storage: folder } = await openStorage(t, Storage, { dataDir });
  assert.deepEqual(
    (await folder.readLogEntries('notes')).map(({ value }) => value),
    numbers,
  );
  await closeStorage(folder);
});

test('a target with other data, and places of one kind are refused', { skip }, async (t) => {
  const [server, dataDir] = [await aServer(t), await folderWithPast(t)];
  const run = (args) => runCliJson(t, ['migrate', ...args, '--yes'], within(server));
  for (const [args, code, error] of [
    [[dataDir, dataDir], 2, 'ERR_USAGE'],
    [['env', server.ownerUrl], 2, 'ERR_USAGE'],
    [['env', path.join(dataDir, 'new')], 5, 'ERR_NO_DATA'],
    [[path.join(dataDir, 'none'), 'env'], 5, 'ERR_NO_PLACE'],
  ]) {
    const result = await run(args);
    assert.deepEqual([result.code, result.json.error?.code], [code, error], result.stdout);
    assert.doesNotMatch(result.stdout + result.stderr, SECRETS);
  }
  const storage = new Storage({ url: server.ownerUrl });
  await storage.collection('guilds').set('1', 'other');
  const other = await run([dataDir, 'env']);
  assert.deepEqual([other.code, other.json.error?.code], [3, 'ERR_TARGET_NOT_EMPTY'], other.stdout);
  await storage.collection('strange').set('1', 'other');
  const strange = await run([dataDir, 'env']);
  assert.deepEqual([strange.code, strange.json.error?.code], [3, 'ERR_TARGET_NOT_EMPTY'], strange.stdout);
  await storage.updatePlayerStats('1', 'Other', 1);
  await closeStorage(storage);
  const onlyMirror = await temporaryFolder(t);
  await writeFile(path.join(onlyMirror, 'players.json'), '{"1":{"username":"Other"}}');
  const mirror = await runCliJson(t, ['migrate', 'env', onlyMirror, '--yes'], within(server));
  assert.deepEqual([mirror.code, mirror.json.error?.code], [3, 'ERR_TARGET_NOT_EMPTY'], mirror.stdout);
  assert.deepEqual(await readdir(onlyMirror), ['players.json']);
});

test('a folder in use is refused, and not marked', {
  skip: skip || (process.platform !== 'linux' && 'only Linux shows who uses a folder'),
}, async (t) => {
  const [server, dataDir] = [await aServer(t), await folderWithPast(t)];
  const source = `
    import { Storage } from ${JSON.stringify(packageUrl)};
    const storage = new Storage({ dataDir: ${JSON.stringify(dataDir)} });
    await storage.collection('guilds').set('busy', 1);
    console.log('open');
    process.stdin.resume();`;
  const bot = await startScript(t, { source });
  await waitUntil(() => bot.output.stdout.includes('open'), { what: 'a process that has the folder open' });
  const migrate = () => runCliJson(t, ['migrate', dataDir, 'env', '--yes'], within(server));
  const refused = await migrate();
  assert.deepEqual([refused.code, refused.json.error?.code], [3, 'ERR_IN_USE'], refused.stdout);
  assert.equal((await readdir(path.join(dataDir, '.progressive-storage'))).includes('moved'), false);
  bot.child.kill();
  await bot.ended;
  const moved = await migrate();
  assert.equal(moved.code, 0, moved.stdout);
});

test('a source that is written to meanwhile is not marked', { skip }, async (t) => {
  const server = await aServer(t);
  const { storage, dataDir } = await openStorage(t, Storage);
  for (let i = 0; i < 100; i++) await storage.collection('notes').set(`key${i}`, i);
  const { child, ended, output } = await startCli(
    t,
    ['migrate', dataDir, 'env', '--yes', '--json'],
    within(server),
  );
  let writes = 0;
  while (child.exitCode === null && writes < 100_000) await storage.collection('notes').set('busy', writes++);
  const { code } = await ended;
  assert.equal(code, 3, output.stdout + output.stderr);
  assert.equal(JSON.parse(output.stdout).error.code, 'ERR_CHANGED', output.stdout);
  await closeStorage(storage);
  const again = await runCliJson(t, ['migrate', dataDir, 'env', '--yes'], within(server));
  assert.equal(again.code, 0, again.stdout);
  assert.equal(again.json.logs[0].keys, 101);
});

test('a missing old log leaves a gap in the history, and the states are right', { skip }, async (t) => {
  const [server, dataDir] = [await aServer(t), await folderWithPast(t)];
  const logs = path.join(dataDir, 'logs');
  const backups = (await readdir(logs)).filter((name) => name.startsWith('players.log.backup')).sort();
  assert.equal(backups.length, 3);
  await rm(path.join(logs, backups[1]));
  await rm(path.join(logs, backups[0]));
  await appendFile(path.join(logs, 'events.log'), '{"note":"by hand"}\n');
  const { code, stdout } = await runCliJson(t, ['migrate', dataDir, 'env', '--yes'], within(server));
  assert.equal(code, 0, stdout);
});

test('a server in use is refused; a mark compares first, and ends the sessions of bots', {
  skip,
}, async (t) => {
  const server = await aServer(t);
  const bot = new Storage({ url: server.ownerUrl });
  await bot.collection('guilds').set('1', 1);
  const target = path.join(await temporaryFolder(t), 'data');
  const used = await runCliJson(t, ['migrate', 'env', target, '--yes'], within(server));
  assert.deepEqual([used.code, used.json.error?.code], [3, 'ERR_IN_USE'], used.stdout);
  const place = { url: server.ownerUrl, schema: 'progressive_storage' };
  const ask = async (...question) => (await serverTools.askServer(place, ...question)).answer;
  const [stamp] = await ask('stamp');
  await bot.collection('guilds').set('2', 2);
  assert.deepEqual(await ask('mark', 'a folder', stamp), [{ outcome: 'changed' }]);
  await bot.collection('guilds').set('3', 3);
  const [now] = await ask('stamp');
  assert.deepEqual(await ask('mark', 'a folder', now), [{ outcome: 'marked' }]);
  await assert.rejects(bot.collection('guilds').set('4', 4), { code: 'ERR_MOVED' });
  assert.deepEqual(await ask('stamp'), [now]);
  await closeStorage(bot);
});
