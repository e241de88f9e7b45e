/**
 * `progressive-storage dashboard`: a folder's dashboard without its bot.
 */

import assert from 'node:assert/strict';
import fs from 'node:fs';
import test from 'node:test';
import { contentsOf, runCli } from '../support/cli.mjs';
import { ask, listen, lookUp, startedProgram, TOKEN } from '../support/dashboard.mjs';
import { scene, waitFor } from '../support/durability.mjs';

test('the program shows a folder until it is interrupted', async (t) => {
  const place = scene(t);
  const storage = place.open();
  await storage.updatePlayerStats('ann', 'Ann', 1);
  await storage.close();
  const { child, ended, url } = await startedProgram(t, place);
  assert.match((await ask(`${url}metrics`)).text, /progressive_storage_keys\{log="players"\} 1/);
  child.kill('SIGINT');
  assert.notEqual((await ended).code, 0);
});

test('the program takes the token from a file or the environment, and changes nothing', async (t) => {
  const place = scene(t);
  const storage = place.open();
  await storage.appendLogEntry('events', { op: 'SET', key: 'ann', value: 1 });
  await storage.collection('coins').set('ann', 1);
  await storage.close();
  fs.writeFileSync(place.file('events.json'), '{"of":"somebody else"}');
  const before = await contentsOf(place.data);
  const file = `${place.root}/token`;
  fs.writeFileSync(file, `${TOKEN}\n`);
  for (const [more, env] of [
    [['--token-file', file], {}],
    [[], { PROGRESSIVE_STORAGE_DASHBOARD_TOKEN: TOKEN }],
    // The command's own option wins.
    [['--token-file', file], { PROGRESSIVE_STORAGE_DASHBOARD_TOKEN: 'another one, which is not taken' }],
  ]) {
    const { child, ended, url } = await startedProgram(t, place, more, { env });
    assert.equal((await ask(`${url}metrics`)).status, 401);
    const headers = { authorization: `Bearer ${TOKEN}` };
    assert.match((await ask(`${url}metrics`, { headers })).text, /keys\{log="coins"\} 1/);
    const { value, records } = await lookUp(url, { log: 'events', key: 'ann' }, { headers });
    assert.deepEqual([value, records], [1, 1]);
    child.kill('SIGINT');
    await ended;
  }
  assert.deepEqual(await contentsOf(place.data), before, 'a plain log stays one');
  const both = ['dashboard', place.data, '--token', TOKEN, '--token-file', file];
  assert.equal((await runCli(t, both)).code, 2);
  assert.equal((await runCli(t, ['dashboard', place.data, '--token-file', `${file}s`])).code, 3);
});

test('the program reads from the files what another process writes', async (t) => {
  const place = scene(t);
  const storage = place.open();
  await storage.updatePlayerStats('ann', 'Ann', 1);
  await storage.compactLog('players');
  const { url } = await startedProgram(t, place);
  const { told, last, close } = listen(url);
  place.beforeEnd(close);
  await waitFor(() => last()?.players.length === 1, 'the player');
  const before = last();
  assert.equal(before.isOfFolder, true);
  assert.equal(before.entries, 0, 'what was there is not counted');
  assert.deepEqual(
    before.oldLogs.map(({ log, kind }) => [log, kind]),
    [['players', 'backup']],
  );
  // This process is the bot.
  const size = fs.statSync(place.log()).size;
  for (const score of [1, 2, 3]) await storage.updatePlayerStats('bob', 'Bob', score);
  const grown = fs.statSync(place.log()).size - size;
  await waitFor(() => last().entries === 3, 'three entries');
  assert.equal(last().bytes, grown);
  const rates = () => told.filter(({ event, perSecond }) => event === 'sample' && perSecond > 0);
  await waitFor(() => rates().length > 0, 'a rate');
  assert.ok(
    rates().every(({ bytesPerSecond, p50, p99 }) => bytesPerSecond > 0 && p50 === null && p99 === null),
  );
  await storage.compactLog('players');
  await waitFor(() => last().oldLogs.length === 2, 'the compaction');
  await waitFor(() => last().players.length === 2, 'the other player');
  assert.equal(last().entries, 3, 'a checkpoint is no entry');
  const { history } = await lookUp(url, { log: 'players', key: 'bob' });
  assert.equal(history.filter(({ op }) => op === 'SET').length, 3);
});
