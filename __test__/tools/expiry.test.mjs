// What the commands make of keys that end by themselves.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Storage } from '../../index.js';
import { runCli, runCliJson } from '../support/cli.mjs';
import { openStorage, readLogLines } from '../support/temp.mjs';

const DAY_MS = 24 * 60 * 60 * 1000;

// `lives` ends tomorrow, `ended` was removed, `over` is over and was not removed.
async function aFolder(t) {
  const { storage, dataDir } = await openStorage(t, Storage);
  const coins = storage.collection('coins');
  const expiresAt = Date.now() + DAY_MS;
  await coins.set('stays', 1);
  await coins.set('lives', 1, { expiresAt });
  await coins.set('ended', 1, { expiresAt: Date.now() - 1000 });
  await coins.set('lives', 2, { expiresAt });
  await coins.set('over', 1, { expiresAt: Date.now() - 1000 });
  await storage.close();
  return { dataDir, expiresAt };
}

test('history says until when, and where a key ended', async (t) => {
  const { dataDir, expiresAt } = await aFolder(t);
  const history = (key) => runCliJson(t, ['history', key, dataDir, '--log', 'coins']);
  const lives = await history('lives');
  assert.deepEqual(
    lives.json.history.map((record) => [record.op, record.value, record.expiresAt]),
    [
      ['SET', 1, expiresAt],
      ['SET', 2, expiresAt],
    ],
  );
  const ended = await history('ended');
  assert.deepEqual(
    ended.json.history.map(({ op }) => op),
    ['SET', 'EXPIRE'],
  );
  const { stdout } = await runCli(t, ['history', 'lives', dataDir, '--log', 'coins']);
  assert.match(stdout, new RegExp(`until ${new Date(expiresAt).toISOString()}`));
});

test('inspect, stats, verify, diff and export know what is there', async (t) => {
  const { dataDir } = await aFolder(t);
  const inspect = await runCliJson(t, ['inspect', dataDir]);
  assert.equal(inspect.json.logs.find(({ name }) => name === 'coins').keys, 2);
  const stats = await runCliJson(t, ['stats', dataDir, '--log', 'coins']);
  assert.equal(stats.json.logs[0].keys, 2);
  assert.equal(stats.json.logs[0].operations.EXPIRE, 1);
  assert.equal((await runCli(t, ['verify', dataDir])).code, 0);
  const exported = await runCli(t, ['export', dataDir, '--log', 'coins']);
  assert.deepEqual(JSON.parse(exported.stdout), { stays: 1, lives: 2 });
  const entries = await runCli(t, ['export', dataDir, '--log', 'coins', '--format', 'jsonl', '--entries']);
  assert.equal(
    entries.stdout
      .trim()
      .split('\n')
      .filter((line) => line.includes('"_expires"')).length,
    4,
  );
});

test('undo keeps the time of a value, and does not bring back what has ended', async (t) => {
  const { dataDir, expiresAt } = await aFolder(t);
  const undo = (key) => runCli(t, ['undo', key, dataDir, '--log', 'coins', '--yes']);
  const before = await readLogLines(dataDir, 'coins');
  assert.equal((await undo('lives')).code, 0);
  assert.equal((await undo('ended')).code, 1);
  const { storage } = await openStorage(t, Storage, { dataDir });
  const coins = storage.collection('coins');
  assert.equal(await coins.get('lives'), 1);
  assert.equal(await coins.expiresAt('lives'), expiresAt);
  assert.equal(await coins.get('ended'), undefined);
  assert.equal((await readLogLines(dataDir, 'coins')).length, before.length + 2, 'one removes what was over');
});
