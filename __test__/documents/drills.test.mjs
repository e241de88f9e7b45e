// The drills of docs/operations.md: each test runs the commands of the document in a bot's folder with some days of data,
// and checks what the document promises.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { chmod, mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { Storage } from '../../index.js';
import { contentsOf, program } from '../support/cli.mjs';
import {
  closeStorage,
  logPath,
  mirrorPath,
  openStorage,
  repositoryRoot,
  temporaryFolder,
} from '../support/temp.mjs';

const HOUR_MS = 3_600_000;
const document = await readFile(path.join(repositoryRoot, 'docs', 'operations.md'), 'utf8');
const drills = new Map(
  document
    .split(/^### /m)
    .slice(1)
    .map((section) => [section.split('\n')[0], /^```sh\n(.*?)^```/ms.exec(section)?.[1]]),
);
const skip =
  (process.platform === 'win32' && 'the commands are those of a Unix shell') ||
  ((process.versions.bun || process.versions.deno) && 'they run on Node.js');

// Runs the commands of a drill in the folder. Returns their output.
async function carryOut(folder, name, expectedCode = 0) {
  const commands = drills.get(name);
  assert.ok(commands, `docs/operations.md has commands under '${name}'`);
  const env = { ...process.env, PATH: `${path.join(folder, 'tools')}:${process.env.PATH}` };
  delete env.PROGRESSIVE_STORAGE_DIR;
  const child = spawn('sh', ['-ec', commands], { cwd: folder, env, stdio: ['ignore', 'pipe', 'pipe'] });
  let said = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text) => {
      said += text;
    });
  }
  const code = await new Promise((resolve) => child.on('close', resolve));
  assert.equal(code, expectedCode, `${name}:\n${said}`);
  return said;
}

// A bot's folder: player 42 had 10 points two days ago, 20 this morning, and 21 now; player 7 has 5 since two days ago.
// A young folder has nothing from before this morning.
async function botFolder(t, { isYoung = false } = {}) {
  const folder = await temporaryFolder(t);
  // The program that `npx` finds in a folder with the package; it asks no registry.
  await mkdir(path.join(folder, 'tools'));
  const npx = path.join(folder, 'tools', 'npx');
  await writeFile(npx, `#!/bin/sh\nshift\nexec "${process.execPath}" "${program}" "$@"\n`);
  await chmod(npx, 0o755);
  await mkdir(path.join(folder, 'node_modules'));
  await symlink(repositoryRoot, path.join(folder, 'node_modules', 'progressive-storage'), 'junction');
  const dataDir = path.join(folder, 'data');
  await mkdir(path.join(dataDir, 'logs'), { recursive: true });
  const line = (hoursAgo, key, totalScore) =>
    `${JSON.stringify({ timestamp: new Date(Date.now() - hoursAgo * HOUR_MS).toISOString(), op: 'SET', key, value: { userId: key, totalScore } })}\n`;
  const [first, second] = isYoung ? [5, 4] : [49, 48];
  await writeFile(
    logPath(dataDir, 'players'),
    line(first, '42', 10) + line(second, '7', 5) + line(3, '42', 20),
  );
  await writeFile(logPath(dataDir, 'game_state'), line(second, 'channel', 0));
  const storage = new Storage({ dataDir });
  await storage.collection('players').set('42', { userId: '42', totalScore: 21 });
  await storage.saveGameState('channel', { round: 1 });
  await storage.compactLog('players');
  await closeStorage(storage);
  return { folder, dataDir };
}

async function scores(t, dataDir) {
  const { storage } = await openStorage(t, Storage, { dataDir });
  const players = await storage.loadPlayers();
  await closeStorage(storage);
  return Object.fromEntries(Object.values(players).map(({ userId, totalScore }) => [userId, totalScore]));
}

const NOW = { 7: 5, 42: 21 };

test('every drill of the document is carried out here', async () => {
  const tested = new Set(
    (await readFile(new URL(import.meta.url), 'utf8')).match(/(?<=carryOut\(folder, ')[^']+/g),
  );
  const withCommands = [...drills].filter(([, commands]) => commands).map(([name]) => name);
  assert.deepEqual([...tested].sort(), withCommands.sort());
  assert.ok(withCommands.length >= 8);
});

test('a copy is good, and brings a lost folder back', { skip }, async (t) => {
  const { folder, dataDir } = await botFolder(t);
  const before = await contentsOf(path.join(dataDir, 'logs'));
  await carryOut(folder, 'A copy');
  assert.deepEqual(await contentsOf(path.join(folder, 'backup', 'today', 'logs')), before);
  assert.ok(existsSync(path.join(folder, 'backup', 'today.tgz')));
  const said = await carryOut(folder, 'Is the copy good?');
  assert.match(said, /players\.log: /);
  assert.match(said, /totalScore: 10 → 20/);
  await carryOut(folder, 'The whole folder is lost');
  assert.deepEqual(await scores(t, dataDir), NOW);
});

test('a copy that another program made has the same data', { skip }, async (t) => {
  const { folder } = await botFolder(t);
  await carryOut(folder, 'A copy with cp');
  assert.deepEqual(await scores(t, path.join(folder, 'backup', 'today')), NOW);
});

test('one record is wrong', { skip }, async (t) => {
  const { folder, dataDir } = await botFolder(t);
  assert.match(await carryOut(folder, 'One record is wrong'), /totalScore: 20 → 21/);
  assert.deepEqual(await scores(t, dataDir), { 7: 5, 42: 20 });
});

test('everything since a time is wrong', { skip }, async (t) => {
  const { folder, dataDir } = await botFolder(t);
  await carryOut(folder, 'Everything since a time is wrong');
  assert.deepEqual(await scores(t, dataDir), { 7: 5, 42: 10 });
  assert.deepEqual(await scores(t, path.join(folder, 'data.wrong')), NOW);
});

test('everything since a time is wrong, with a bot that is younger than that', { skip }, async (t) => {
  const { folder, dataDir } = await botFolder(t, { isYoung: true });
  const before = await contentsOf(dataDir);
  const said = await carryOut(folder, 'Everything since a time is wrong', 3);
  assert.match(said, /'players' .* is not known: it begins at/);
  assert.deepEqual(await contentsOf(dataDir), before, 'the data stays where and as it is');
  assert.ok(!existsSync(path.join(folder, 'data.wrong')) && !existsSync(path.join(folder, 'data.restored')));
});

test('lines are damaged', { skip }, async (t) => {
  const { folder, dataDir } = await botFolder(t);
  const storage = new Storage({ dataDir });
  await storage.collection('players').set('42', { userId: '42', totalScore: 22 });
  await closeStorage(storage);
  const file = logPath(dataDir, 'players');
  const text = await readFile(file, 'latin1');
  await writeFile(file, text.replace('"totalScore":22', '"totalScore":99'), 'latin1');
  const said = await carryOut(folder, 'Lines are damaged');
  assert.match(said, /key "42"/);
  assert.match(said, /"42": the JSON file has it/);
  assert.deepEqual(await scores(t, dataDir), { 7: 5, 42: 22 });
});

test('a JSON file was deleted', { skip }, async (t) => {
  const { folder, dataDir } = await botFolder(t);
  await carryOut(folder, 'A JSON file was deleted or broken');
  assert.equal(JSON.parse(await readFile(mirrorPath(dataDir, 'players'), 'utf8'))['42'].totalScore, 21);
  assert.deepEqual(await scores(t, dataDir), NOW);
});

test('a log was deleted', { skip }, async (t) => {
  const { folder, dataDir } = await botFolder(t);
  await carryOut(folder, 'A log was deleted');
  assert.match(await readFile(path.join(folder, 'players.csv'), 'utf8'), /^42,.*21$/m);
  assert.deepEqual(await scores(t, dataDir), NOW);
  const { storage } = await openStorage(t, Storage, { dataDir });
  await storage.collection('players').set('8', { userId: '8', totalScore: 1 });
  await closeStorage(storage);
  assert.ok(existsSync(logPath(dataDir, 'players')));
  assert.deepEqual(await scores(t, dataDir), { ...NOW, 8: 1 });
});
