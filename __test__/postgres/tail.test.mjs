// `tail` on a server: it begins at the newest entries, a poll reads what is new, and a batch that is committed behind later
// ones is shown too. And: a command that needs the names of logs alone counts nothing.

import assert from 'node:assert/strict';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { Storage } from '../../index.js';
import { startProxy, startServer, whyNoServer } from '../../scripts/postgres/index.mjs';
import { runCli, startCli } from '../support/cli.mjs';
import { temporaryFolder, waitUntil } from '../support/temp.mjs';

const skip = whyNoServer();
const ENTRIES = 200;

let server;
before(async () => {
  if (!skip) server = await startServer();
});
after(() => server?.remove());

// A log of many entries, in many batches, and a proxy for the commands.
async function scene(t, schema) {
  const storage = new Storage({ url: server.ownerUrl, schema });
  t.after(() => storage.close());
  const guilds = storage.collection('guilds');
  for (let i = 0; i < ENTRIES; i++) await guilds.set(String(i % 7), i);
  const proxy = await startProxy(server);
  t.after(() => proxy.remove());
  const env = { PROGRESSIVE_STORAGE_URL: proxy.urlOf('owner') };
  return { storage, guilds, proxy, env };
}

const rowsRead = ({ counts }) => counts.server.DataRow ?? 0;
const sessions = ({ counts }) => counts.client.StartupMessage ?? 0;
const valuesIn = (text) =>
  text
    .trim()
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line).value);
const tailOf = (schema, ...args) => ['tail', ...args, '--json', '--log', 'guilds', '--schema', schema];

test('tail reads the entries that it shows, and not those before', { skip }, async (t) => {
  const { proxy, env } = await scene(t, 'begin');
  for (const [wanted, values] of [
    [3, [ENTRIES - 3, ENTRIES - 2, ENTRIES - 1]],
    [0, []],
  ]) {
    proxy.resetCounts();
    const { code, stdout } = await runCli(t, tailOf('begin', '-n', String(wanted)), { env });
    assert.equal(code, 0);
    assert.deepEqual(valuesIn(stdout), values);
    assert.ok(rowsRead(proxy) < 20, `${rowsRead(proxy)} rows`);
  }
  const all = await runCli(t, tailOf('begin', '-n', '1e21'), { env });
  assert.equal(valuesIn(all.stdout).length, ENTRIES);
});

test('a batch of more entries than are wanted is cut to the newest', { skip }, async (t) => {
  const { storage, env } = await scene(t, 'cut');
  await Promise.all(Array.from({ length: 50 }, (_, i) => storage.collection('guilds').set(`n${i}`, `v${i}`)));
  const { stdout } = await runCli(t, tailOf('cut', '-n', '2'), { env });
  assert.deepEqual(valuesIn(stdout), ['v48', 'v49']);
});

test('tail -f asks for what is new alone', { skip }, async (t) => {
  const { guilds, proxy, env } = await scene(t, 'polls');
  const { child, output, ended } = await startCli(t, tailOf('polls', '-f', '-n', '2'), { env });
  await waitUntil(() => valuesIn(output.stdout).length === 2, { what: 'the newest entries' });
  proxy.resetCounts();
  await waitUntil(() => sessions(proxy) >= 4, { what: 'polls' });
  // Each session asks once whether the server takes writes, and that answer is a row.
  assert.ok(rowsRead(proxy) <= sessions(proxy), `${rowsRead(proxy)} rows in ${sessions(proxy)} sessions`);
  await guilds.set('a', 'new');
  await waitUntil(() => output.stdout.includes('"new"'), { what: 'the new entry' });
  assert.ok(rowsRead(proxy) < 10, `${rowsRead(proxy)} rows`);
  child.kill('SIGINT');
  await ended;
  assert.deepEqual(valuesIn(output.stdout), [ENTRIES - 2, ENTRIES - 1, 'new']);
});

test('tail -f goes on behind an outage', { skip }, async (t) => {
  const { guilds, proxy, env } = await scene(t, 'away');
  const { child, output, ended } = await startCli(t, tailOf('away', '-f', '-n', '1'), { env });
  await waitUntil(() => valuesIn(output.stdout).length === 1, { what: 'the newest entry' });
  await proxy.down();
  await waitUntil(() => output.stderr.includes('Waiting for it'), { what: 'the outage' });
  await guilds.set('a', 'meanwhile');
  await proxy.up();
  await waitUntil(() => output.stdout.includes('"meanwhile"'), { what: 'what came meanwhile' });
  assert.match(output.stderr, /answers again/);
  child.kill('SIGINT');
  await ended;
  assert.deepEqual(valuesIn(output.stdout), [ENTRIES - 1, 'meanwhile']);
});

test('tail -f shows an entry that is committed behind later ones, once', { skip }, async (t) => {
  const { guilds, env } = await scene(t, 'late');
  const { child, output, ended } = await startCli(t, tailOf('late', '-f', '-n', '1'), { env });
  await waitUntil(() => valuesIn(output.stdout).length === 1, { what: 'the newest entry' });
  const client = await server.connect({ role: 'owner' });
  t.after(() => client.end());
  await client.query(`BEGIN; INSERT INTO late.entry (log, seq, part, op, key, value, change)
    VALUES ('guilds', nextval('late.seq'), 1, 'SET', '"a"', '"late"', gen_random_uuid())`);
  await guilds.set('b', 'later');
  await waitUntil(() => output.stdout.includes('"later"'), { what: 'the later entry' });
  await client.query('COMMIT');
  await waitUntil(() => output.stdout.includes('"late"'), { what: 'the late entry' });
  await guilds.set('b', 'last');
  await waitUntil(() => output.stdout.includes('"last"'), { what: 'the last entry' });
  child.kill('SIGINT');
  await ended;
  assert.deepEqual(valuesIn(output.stdout), [ENTRIES - 1, 'later', 'late', 'last']);
});

test('commands that need the names of logs count no rows', { skip }, async (t) => {
  const { proxy, env } = await scene(t, 'names');
  const file = path.join(await temporaryFolder(t), 'guilds.json');
  const ofLog = ['--log', 'guilds', '--schema', 'names'];
  // A session that asks for numbers is cut.
  proxy.cutBefore({ from: 'client', type: 'Parse', text: 'isCollection' });
  for (const args of [
    ['tail', ...ofLog],
    ['history', '1', ...ofLog],
    ['undo', '1', '--dry-run', ...ofLog],
    ['export', '-o', file, ...ofLog],
    ['import', file, '--dry-run', ...ofLog],
    ['stats', ...ofLog],
    ['compact', ...ofLog],
    ['diff', 'env', server.ownerUrl, ...ofLog],
  ]) {
    const { code, stdout, stderr } = await runCli(t, args, { env });
    assert.equal(code, 0, `${args[0]}: ${stdout}${stderr}`);
  }
  const { code } = await runCli(t, ['inspect', ...ofLog], { env });
  assert.notEqual(code, 0, 'numbers are what inspect shows');
});
