// The package as its users load it: by `require`, by named `import`, from the root and from the two subpaths that replace
// the bot's own modules. Also where it keeps its data by default.

import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import path from 'node:path';
import { test } from 'node:test';
import * as ps from '../../index.js';
import { openStorage, packageUrl, repositoryRoot, runScript, temporaryFolder } from '../support/temp.mjs';

const require = createRequire(import.meta.url);

const exported = { ...ps };

const APPEND_LOG_CALLS = [
  'appendLogEntry',
  'readLogEntries',
  'rebuildStateFromLog',
  'compactLog',
  'getLogSize',
  'needsCompaction',
];
const STORAGE_CALLS = [
  'saveTokens',
  'loadTokens',
  'needsTokenRefresh',
  'loadPlayers',
  'savePlayers',
  'getPlayerStats',
  'updatePlayerStats',
  'getLeaderboard',
  'saveGameState',
  'loadGameState',
  'clearGameState',
  'getAllGameStates',
  'compactAllLogs',
];
const ADDED_CALLS = [
  'compact',
  'startCompactionScheduler',
  'configure',
  'updatePlayersStats',
  'getPlayerRank',
  'collection',
  'streamLogEntries',
  'close',
  'flush',
];
const CLASSES = ['CompactionScheduler', 'Storage'];

// A bot's folder with the package installed.
async function botFolder(t) {
  const folder = await temporaryFolder(t);
  await mkdir(path.join(folder, 'node_modules'));
  await symlink(repositoryRoot, path.join(folder, 'node_modules', 'progressive-storage'), 'junction');
  await writeFile(path.join(folder, 'package.json'), '{"dependencies":{"progressive-storage":"*"}}');
  return folder;
}

test('the root exports everything, for import and for require', () => {
  const required = require('../../index.js');
  for (const name of [...APPEND_LOG_CALLS, ...STORAGE_CALLS, ...ADDED_CALLS, ...CLASSES]) {
    assert.equal(typeof exported[name], 'function', name);
    assert.equal(exported[name], required[name], `${name} is one function, however it is loaded`);
  }
  assert.equal(ps.OpType, required.OpType);
});

test('OpType is an object of three strings', () => {
  assert.deepEqual({ ...ps.OpType }, { SET: 'SET', DELETE: 'DELETE', CHECKPOINT: 'CHECKPOINT' });
  assert.deepEqual(Object.keys(ps.OpType), ['SET', 'DELETE', 'CHECKPOINT']);
});

test('the subpaths export the same functions, split like the two modules of the bot', async () => {
  const parts = {
    'append-log': { has: [...APPEND_LOG_CALLS, 'CompactionScheduler', 'OpType'], hasNot: STORAGE_CALLS },
    storage: { has: STORAGE_CALLS, hasNot: [...APPEND_LOG_CALLS, 'OpType'] },
  };
  for (const [subpath, { has, hasNot }] of Object.entries(parts)) {
    const imported = await import(`progressive-storage/${subpath}`);
    const required = require(`progressive-storage/${subpath}`);
    for (const name of has) {
      assert.equal(imported[name], exported[name], `${name} imported from ${subpath}`);
      assert.equal(required[name], exported[name], `${name} required from ${subpath}`);
    }
    for (const name of hasNot) {
      assert.ok(!(name in imported), `${name} does not belong to ${subpath}`);
      assert.ok(!(name in required), `${name} does not belong to ${subpath}`);
    }
  }
});

test('the package can import itself by name', async () => {
  assert.equal((await import('progressive-storage')).updatePlayerStats, ps.updatePlayerStats);
  assert.equal(require('progressive-storage').updatePlayerStats, ps.updatePlayerStats);
});

test('every export has types', async () => {
  const manifest = JSON.parse(await readFile(path.join(repositoryRoot, 'package.json'), 'utf8'));
  const types = manifest.types ?? manifest.exports['.'].types;
  const text = await readFile(path.join(repositoryRoot, types), 'utf8');
  for (const name of [...APPEND_LOG_CALLS, ...STORAGE_CALLS, ...ADDED_CALLS, ...CLASSES, 'OpType']) {
    assert.match(text, new RegExp(`\\b${name}\\b`), `${types} declares ${name}`);
  }
});

test('a Storage object has the same calls', async (t) => {
  const { storage } = await openStorage(t, ps.Storage);
  const calls = [
    ...APPEND_LOG_CALLS,
    ...STORAGE_CALLS,
    ...ADDED_CALLS.filter((name) => name !== 'configure'),
  ];
  for (const name of calls) assert.equal(typeof storage[name], 'function', name);
  assert.equal(typeof storage[Symbol.asyncDispose], 'function');
});

test('an ESM bot imports by name', async (t) => {
  const cwd = await botFolder(t);
  const result = await runScript(t, {
    cwd,
    source: `
      import { OpType, updatePlayerStats } from 'progressive-storage';
      import { rebuildStateFromLog } from 'progressive-storage/append-log';
      import { loadPlayers } from 'progressive-storage/storage';
      await updatePlayerStats('u1', 'Ann', 10);
      const keys = [Object.keys(await loadPlayers()), Object.keys(await rebuildStateFromLog('players'))];
      console.log(JSON.stringify([OpType.SET, ...keys]));
    `,
  });
  assert.equal(result.stderr, '');
  assert.equal(result.code, 0);
  assert.equal(result.stdout.trim(), '["SET",["u1"],["u1"]]');
});

test('a CommonJS bot requires', async (t) => {
  const cwd = await botFolder(t);
  const result = await runScript(t, {
    cwd,
    file: '-e',
    args: [
      `const { updatePlayerStats, getLeaderboard } = require('progressive-storage');
       const { needsCompaction } = require('progressive-storage/append-log');
       updatePlayerStats('u1', 'Ann', 10)
         .then(() => Promise.all([getLeaderboard(), needsCompaction('players')]))
         .then(([board, needs]) => console.log(board[0].username, needs));`,
    ],
  });
  assert.equal(result.stderr, '');
  assert.equal(result.stdout.trim(), 'Ann false');
});

// Each call once through the module's functions; the child prints the folder of its data.
const EVERY_CALL = `
  import assert from 'node:assert/strict';
  import * as ps from ${JSON.stringify(packageUrl)};
  export async function everyCall() {
    await ps.saveTokens([{ id: 1 }], { name: 'A' });
    assert.equal((await ps.loadTokens()).count, 1);
    assert.equal(await ps.needsTokenRefresh(), false);
    await ps.savePlayers({ u1: { userId: 'u1', username: 'Ann', totalScore: 3 } });
    await ps.updatePlayerStats('u1', 'Ann', 4);
    await ps.updatePlayersStats([{ userId: 'u2', username: 'Bea', score: 9 }]);
    assert.deepEqual(Object.keys(await ps.loadPlayers()), ['u1', 'u2']);
    assert.equal((await ps.getPlayerStats('u1')).totalScore, 7);
    assert.deepEqual((await ps.getLeaderboard()).map((player) => player.username), ['Bea', 'Ann']);
    assert.deepEqual(await ps.getPlayerRank('u1'), { rank: 2, of: 2 });
    await ps.saveGameState('c1', { round: 1 });
    assert.equal((await ps.loadGameState('c1')).round, 1);
    await ps.clearGameState('c1');
    assert.deepEqual(await ps.getAllGameStates(), {});
    await ps.appendLogEntry('notes', { op: ps.OpType.SET, key: 'k', value: 1 });
    assert.equal((await ps.readLogEntries('notes')).length, 1);
    assert.deepEqual(await ps.rebuildStateFromLog('notes'), { k: 1 });
    for await (const entry of ps.streamLogEntries('notes')) assert.equal(entry.key, 'k');
    assert.ok((await ps.getLogSize('notes')) > 0);
    assert.equal(await ps.needsCompaction('notes'), false);
    await ps.compactLog('notes');
    await ps.compact('notes');
    await ps.compactAllLogs();
    const coins = ps.collection('coins');
    await coins.set('u1', 5);
    assert.equal(await coins.get('u1'), 5);
    ps.startCompactionScheduler(60000).stop();
    await ps.flush();
  }
`;

test('by default the data is in `data` under the current directory', async (t) => {
  const cwd = await temporaryFolder(t);
  const result = await runScript(t, {
    cwd,
    source: `${EVERY_CALL}\nawait everyCall();`,
  });
  assert.equal(result.stderr, '');
  assert.equal(result.code, 0);
  assert.ok(existsSync(path.join(cwd, 'data', 'players.json')));
  assert.ok(existsSync(path.join(cwd, 'data', 'logs', 'players.log')));
});

test('PROGRESSIVE_STORAGE_DIR names another folder', async (t) => {
  const cwd = await temporaryFolder(t);
  const dataDir = path.join(cwd, 'from', 'environment');
  const result = await runScript(t, {
    cwd,
    env: { PROGRESSIVE_STORAGE_DIR: dataDir },
    source: `${EVERY_CALL}\nawait everyCall();`,
  });
  assert.equal(result.stderr, '');
  assert.equal(result.code, 0);
  assert.ok(existsSync(path.join(dataDir, 'players.json')));
  assert.ok(!existsSync(path.join(cwd, 'data')));
});

test('configure wins over the environment, and may be called again after close', async (t) => {
  const cwd = await temporaryFolder(t);
  const result = await runScript(t, {
    cwd,
    env: { PROGRESSIVE_STORAGE_DIR: path.join(cwd, 'environment') },
    source: `${EVERY_CALL}
      ps.configure({ dataDir: 'configured', fsync: 'never' });
      await everyCall();
      // The same options again are fine; another folder while the storage is open is a conflict.
      ps.configure({ dataDir: 'configured', fsync: 'never' });
      assert.throws(() => ps.configure({ dataDir: 'elsewhere' }), { code: 'ERR_ALREADY_CONFIGURED' });
      await ps.close();
      ps.configure({ dataDir: 'second' });
      await everyCall();
      await ps.close();
      assert.deepEqual(Object.keys(await ps.loadPlayers()), ['u1', 'u2']);
    `,
  });
  assert.equal(result.stderr, '');
  assert.equal(result.code, 0);
  assert.ok(existsSync(path.join(cwd, 'configured', 'players.json')));
  assert.ok(existsSync(path.join(cwd, 'second', 'players.json')));
  assert.ok(!existsSync(path.join(cwd, 'environment')));
  assert.ok(!existsSync(path.join(cwd, 'elsewhere')));
});

test('two Storage objects keep two folders apart', async (t) => {
  const one = await openStorage(t, ps.Storage);
  const two = await openStorage(t, ps.Storage);
  await Promise.all([
    one.storage.updatePlayerStats('u', 'One', 1),
    two.storage.updatePlayerStats('u', 'Two', 2),
  ]);
  assert.equal((await one.storage.getPlayerStats('u')).username, 'One');
  assert.equal((await two.storage.getPlayerStats('u')).username, 'Two');
});

test('a closed Storage refuses calls, and leaves the others alone', async (t) => {
  const { storage, dataDir } = await openStorage(t, ps.Storage);
  await storage.updatePlayerStats('u', 'Ann', 1);
  await storage.close();
  await assert.rejects(storage.loadPlayers(), { code: 'ERR_STORAGE_CLOSED' });
  await assert.rejects(storage.updatePlayerStats('u', 'Ann', 1), { code: 'ERR_STORAGE_CLOSED' });
  const again = await openStorage(t, ps.Storage, { dataDir });
  assert.equal((await again.storage.getPlayerStats('u')).totalGames, 1);
  await again.storage[Symbol.asyncDispose]();
  await assert.rejects(again.storage.loadPlayers(), { code: 'ERR_STORAGE_CLOSED' });
});

test('no install runs a script: managers refuse them, or ask', async () => {
  const platforms = await readdir(path.join(repositoryRoot, 'npm'));
  assert.ok(platforms.length > 0);
  for (const folder of ['.', ...platforms.map((name) => path.join('npm', name))]) {
    const at = path.join(repositoryRoot, folder);
    const { scripts = {}, gypfile } = JSON.parse(await readFile(path.join(at, 'package.json'), 'utf8'));
    const own = ['preinstall', 'install', 'postinstall', 'prepare'].filter((name) => name in scripts);
    assert.deepEqual(own, [], folder);
    // npm would run node-gyp for these.
    assert.ok(!gypfile && !existsSync(path.join(at, 'binding.gyp')), folder);
  }
});
