// The rule for folders of a newer version (docs/files.md): what names a newer version is refused, by reads too, and not a
// byte changes; what a newer version may add without a number of its own is read past, and kept.

import assert from 'node:assert/strict';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { Storage } from '../../index.js';
import { contentsOf, notOnDeno, runCliJson } from '../support/cli.mjs';
import {
  atEnd,
  closeStorage,
  crc32Hex,
  logPath,
  openStorage,
  packageUrl,
  readLogLines,
  runScript,
  temporaryFolder,
  withCrc,
} from '../support/temp.mjs';

const NEWER = { code: 'ERR_FOLDER_VERSION', message: /newer version .* update the package/i };
const own = (dataDir, name) => path.join(dataDir, '.progressive-storage', name);

async function aFolder(t) {
  const { storage, dataDir } = await openStorage(t, Storage);
  await storage.updatePlayerStats('1', 'Ann', 10);
  await storage.collection('coins').set('a', 1);
  await storage.collection('items').set('b', 2);
  await storage.appendLogEntry('notes', { op: 'NOTE', text: 'one' });
  await storage.close();
  return dataDir;
}

function opened(t, dataDir) {
  const storage = new Storage({ dataDir, logger: null });
  atEnd(t, () => closeStorage(storage));
  return storage;
}

const CALLS = {
  loadPlayers: (storage) => storage.loadPlayers(),
  getLeaderboard: (storage) => storage.getLeaderboard(),
  get: (storage) => storage.collection('coins').get('a'),
  readLogEntries: (storage) => storage.readLogEntries('notes'),
  rebuildStateFromLog: (storage) => storage.rebuildStateFromLog('players'),
  history: (storage) => storage.history('players', '1'),
  updatePlayerStats: (storage) => storage.updatePlayerStats('1', 'Ann', 1),
  set: (storage) => storage.collection('coins').set('a', 2),
  update: (storage) => storage.collection('coins').update('a', (n) => n + 1),
  appendLogEntry: (storage) => storage.appendLogEntry('notes', { op: 'NOTE' }),
  savePlayers: (storage) => storage.savePlayers({}),
  compactLog: (storage) => storage.compactLog('players'),
  transaction: (storage) =>
    storage.transaction(
      [
        ['coins', 'a'],
        ['items', 'b'],
      ],
      ([a, b]) => [a + 1, b + 1],
    ),
};

async function assertRefused(t, dataDir, { except = [] } = {}) {
  const unchanged = async () => {
    const found = await contentsOf(dataDir);
    for (const name of except) delete found[path.join('.progressive-storage', name)];
    return found;
  };
  const before = await unchanged();
  for (const [name, call] of Object.entries(CALLS)) {
    const storage = opened(t, dataDir);
    await assert.rejects(call(storage), NEWER, name);
    await closeStorage(storage).catch((error) => assert.equal(error.code, NEWER.code, name));
  }
  // One after the other on one storage: a refusal is no reason to go on.
  const storage = opened(t, dataDir);
  for (const [name, call] of Object.entries(CALLS)) await assert.rejects(call(storage), NEWER, name);
  await storage.flush().catch((error) => assert.equal(error.code, NEWER.code));
  await closeStorage(storage).catch((error) => assert.equal(error.code, NEWER.code));
  assert.deepEqual(await unchanged(), before);
}

test('a folder with the number of a newer format: all calls are refused, and no byte changes', async (t) => {
  const dataDir = await aFolder(t);
  for (const text of ['2\n', '10\n', '', 'two\n', '{"format":2}\n']) {
    await writeFile(own(dataDir, 'format'), text);
    await assertRefused(t, dataDir);
  }
  await writeFile(own(dataDir, 'format'), '1\n');
  assert.equal((await opened(t, dataDir).getPlayerStats('1')).totalScore, 10, 'this one is known');
});

test('a process that runs sees the number when another one had the lock, and writes nothing more', async (t) => {
  const dataDir = await aFolder(t);
  const storage = opened(t, dataDir);
  await storage.updatePlayerStats('1', 'Ann', 1);
  // Under the lock, as a newer version writes it; another process has to have had it.
  await writeFile(own(dataDir, 'format'), '2\n');
  const lock = await readFile(own(dataDir, 'lock'));
  await writeFile(own(dataDir, 'lock'), Buffer.from('another one'.padEnd(lock.length)));
  const before = await contentsOf(dataDir);
  await assert.rejects(storage.updatePlayerStats('1', 'Ann', 1), NEWER);
  await assert.rejects(storage.collection('coins').set('a', 3), NEWER);
  await storage.close().catch((error) => assert.equal(error.code, NEWER.code));
  const after = await contentsOf(dataDir);
  for (const name of ['lock', 'queue']) {
    delete before[path.join('.progressive-storage', name)];
    delete after[path.join('.progressive-storage', name)];
  }
  assert.deepEqual(after, before);
});

test('the commands refuse such a folder', { skip: notOnDeno }, async (t) => {
  const dataDir = await aFolder(t);
  await writeFile(own(dataDir, 'format'), '2\n');
  const before = await contentsOf(dataDir);
  for (const args of [
    ['verify', dataDir],
    ['inspect', dataDir],
    ['doctor', dataDir],
    ['repair', dataDir, '--yes'],
    ['compact', dataDir],
    ['set', 'a', '5', dataDir, '--log', 'coins', '--yes'],
    ['snapshot', path.join(path.dirname(dataDir), 'copy'), dataDir],
    ['restore', dataDir, '--at', '1d', '--into', path.join(path.dirname(dataDir), 'restored'), '--yes'],
    ['export', dataDir],
  ]) {
    const { code, json } = await runCliJson(t, args);
    assert.deepEqual([code, json.error?.code], [3, 'ERR_FOLDER_VERSION'], args[0]);
  }
  assert.deepEqual(await contentsOf(dataDir), before);
  assert.deepEqual(await readdir(path.dirname(dataDir)), ['data']);
});

// --- The note of a transaction ---

function intent(header, lines) {
  const content = `${JSON.stringify(header)}\n${lines}`;
  return `${content}${crc32Hex(content)}\n`;
}

test('the note of a transaction by a newer version: its logs are in doubt, so nothing is read or written', async (t) => {
  const dataDir = await aFolder(t);
  const lines = `${withCrc('{"op":"SET","key":"a","value":7}')}\n`;
  const whole = intent({ version: 2, logs: { coins: { from: 0, to: lines.length } } }, lines);
  await writeFile(own(dataDir, 'transaction'), whole);
  // Only that a process had the lock is written.
  await assertRefused(t, dataDir, { except: ['lock', 'queue'] });
  assert.equal(await readFile(own(dataDir, 'transaction'), 'utf8'), whole);
  // One that a crash cut short was never committed.
  await writeFile(own(dataDir, 'transaction'), whole.slice(0, -5));
  const storage = opened(t, dataDir);
  assert.equal(await storage.collection('coins').get('a'), 1);
  assert.deepEqual(await CALLS.transaction(storage), [2, 3]);
});

test('a process that runs does not write over the note of a newer version', async (t) => {
  const dataDir = await aFolder(t);
  const storage = opened(t, dataDir);
  assert.deepEqual(await CALLS.transaction(storage), [2, 3]);
  const whole = intent({ version: 2 }, '');
  // The newer version is another process: it takes the lock, and is killed.
  const source = `
    import { writeFileSync } from 'node:fs';
    import { Storage } from ${JSON.stringify(packageUrl)};
    const storage = new Storage({ dataDir: ${JSON.stringify(dataDir)} });
    await storage.collection('coins').set('z', 1);
    writeFileSync(${JSON.stringify(own(dataDir, 'transaction'))}, ${JSON.stringify(whole)});
    process.kill(process.pid, 'SIGKILL');
  `;
  await runScript(t, { source });
  const coins = await readLogLines(dataDir, 'coins');
  for (const call of ['transaction', 'set', 'get', 'updatePlayerStats']) {
    await assert.rejects(CALLS[call](storage), NEWER, call);
  }
  assert.equal(await readFile(own(dataDir, 'transaction'), 'utf8'), whole);
  assert.deepEqual(await readLogLines(dataDir, 'coins'), coins);
  await storage.close().catch((error) => assert.equal(error.code, NEWER.code));
});

// --- What is read past ---

test('the record of a mirror by a newer version is none: the log tells what the mirror shows', async (t) => {
  const dataDir = await aFolder(t);
  const record = own(dataDir, 'players.mirror');
  const json = '{"version":2,"mirror":"other"}';
  await writeFile(record, `${json}\n${crc32Hex(json)}\n`);
  const before = await contentsOf(dataDir);
  const reader = opened(t, dataDir);
  assert.equal((await reader.getPlayerStats('1')).totalScore, 10);
  await reader.close();
  assert.deepEqual(await contentsOf(dataDir), before);
  const storage = opened(t, dataDir);
  await storage.updatePlayerStats('1', 'Ann', 5);
  await storage.close();
  assert.equal(JSON.parse((await readFile(record, 'utf8')).split('\n')[0]).version, 1, 'it is made anew');
  assert.equal((await opened(t, dataDir).getPlayerStats('1')).totalScore, 15);
});

test('operations and properties that are not known change nothing, and stay in the log and its backup', async (t) => {
  const dataDir = await aFolder(t);
  const known = await readLogLines(dataDir, 'coins');
  const unknown = [
    withCrc('{"timestamp":"2030-01-01T00:00:00.000Z","op":"RENAME","key":"a","to":"c"}'),
    withCrc('{"timestamp":"2030-01-01T00:00:00.000Z","op":"SET","key":"n","value":1,"unit":"gold"}'),
    withCrc('{"timestamp":"2030-01-01T00:00:00.000Z","op":"MARK","_new":{"a":1}}'),
  ];
  await writeFile(logPath(dataDir, 'coins'), `${[...known, ...unknown].join('\n')}\n`);
  const storage = opened(t, dataDir);
  const coins = storage.collection('coins');
  assert.deepEqual(Object.fromEntries(await coins.entries()), { a: 1, n: 1 });
  const entries = await storage.readLogEntries('coins');
  assert.deepEqual(
    entries.slice(-3).map(({ timestamp: _, ...entry }) => entry),
    [
      { op: 'RENAME', key: 'a', to: 'c' },
      { op: 'SET', key: 'n', value: 1, unit: 'gold' },
      { op: 'MARK', _new: { a: 1 } },
    ],
  );
  await coins.set('a', 2);
  assert.deepEqual((await readLogLines(dataDir, 'coins')).slice(0, -1), [...known, ...unknown]);
  await storage.compactLog('coins');
  await storage.close();
  const logs = path.join(dataDir, 'logs');
  const [backup] = (await readdir(logs)).filter((name) => name.startsWith('coins.log.backup.'));
  assert.ok((await readFile(path.join(logs, backup), 'utf8')).includes(unknown[0]));
  assert.deepEqual(Object.fromEntries(await opened(t, dataDir).collection('coins').entries()), {
    a: 2,
    n: 1,
  });
});

test('lock files hold nothing that is understood: any content is taken over', async (t) => {
  const dataDir = path.join(await temporaryFolder(t), 'data');
  await mkdir(path.join(dataDir, '.progressive-storage'), { recursive: true });
  for (const name of ['lock', 'queue']) await writeFile(own(dataDir, name), 'version 7: 🔒'.repeat(20));
  const storage = opened(t, dataDir);
  await storage.updatePlayerStats('1', 'Ann', 10);
  await storage.updatePlayerStats('1', 'Ann', 10);
  assert.equal((await storage.getPlayerStats('1')).totalScore, 20);
});
