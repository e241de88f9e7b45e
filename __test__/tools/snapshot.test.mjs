// `snapshot`: a copy of all data, and a command that gets it.

import assert from 'node:assert/strict';
import { appendFile, readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { contentsOf, runCli, runCliJson } from '../support/cli.mjs';
import { folderWithHistory, playersOf } from '../support/player-history.mjs';
import { logPath, temporaryFolder } from '../support/temp.mjs';

const isWindows = process.platform === 'win32';

test('the copy has the data; the data stays as it is', async (t) => {
  const { dataDir } = await folderWithHistory(t);
  const folder = path.join(await temporaryFolder(t), 'deep', 'copy');
  const before = await contentsOf(dataDir);
  const { code, json } = await runCliJson(t, ['snapshot', folder, dataDir]);
  assert.equal(code, 0);
  assert.equal(json.folder, folder);
  assert.ok(json.logs.every(({ damagedLines }) => damagedLines === 0));
  assert.deepEqual(await contentsOf(dataDir), before);
  assert.deepEqual(await playersOf(t, folder), await playersOf(t, dataDir));
  const { code: verified } = await runCli(t, ['verify', folder, '--backups']);
  assert.equal(verified, 0);
  const { code: twice, json: failed } = await runCliJson(t, ['snapshot', folder, dataDir]);
  assert.deepEqual([twice, failed.error.code], [3, 'EEXIST']);
});

test('damage is counted: exit code 1', async (t) => {
  const { dataDir } = await folderWithHistory(t);
  await appendFile(logPath(dataDir, 'players'), '{"op":"SET","key":"x","value":}\n{"op":"NOTE"}\n');
  const folder = path.join(await temporaryFolder(t), 'copy');
  const { code, stdout } = await runCli(t, ['snapshot', folder, dataDir]);
  assert.equal(code, 1);
  assert.match(stdout, /players: .*; 1 line cannot be used/);
});

test('--run gets the copy, and its exit code is that of the program', { skip: isWindows }, async (t) => {
  const { dataDir } = await folderWithHistory(t);
  const root = await temporaryFolder(t);
  const at = (name) => path.join(root, name);
  const good = await runCli(t, ['snapshot', at('a'), dataDir, '--run', `ls "$SNAPSHOT" > '${at('names')}'`]);
  assert.equal(good.code, 0, good.stderr);
  assert.match(await readFile(at('names'), 'utf8'), /players\.json/);
  const bad = await runCliJson(t, ['snapshot', at('b'), dataDir, '--run', 'echo no room; exit 7']);
  assert.equal(bad.code, 7);
  assert.equal(bad.json.exitCode, 7);
  assert.match(bad.stderr, /no room/);
  assert.ok((await readdir(at('b'))).includes('players.json'), 'the copy stays');
});

test('wrong usage copies nothing', async (t) => {
  const { dataDir } = await folderWithHistory(t);
  const root = await temporaryFolder(t);
  for (const args of [
    ['snapshot'],
    ['snapshot', path.join(root, 'copy'), dataDir, '--run', ''],
    ['snapshot', path.join(root, 'copy'), dataDir, '--schema', 'x'],
  ])
    assert.equal((await runCli(t, args)).code, 2, args.join(' '));
  assert.deepEqual(await readdir(root), []);
});
