// A CHECKPOINT that is cut short. It was synced before the rename, so no crash leaves it like this. It is damage: every
// reader reports it, and repair restores its values from the backup.

import assert from 'node:assert/strict';
import { appendFile, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { Storage } from '../../index.js';
import { contentsOf, runCli, runCliJson } from '../support/cli.mjs';
import { closeStorage, logPath, mirrorPath, openStorage } from '../support/temp.mjs';

const KEYS = Array.from({ length: 8 }, (_, i) => `key${i}`);

// Eight keys, compacted, without a JSON file: only the checkpoint and a backup have them.
async function compactedFolder(t, toValue = (i) => i) {
  const { storage, dataDir } = await openStorage(t, Storage);
  for (const [i, key] of KEYS.entries()) await storage.collection('coins').set(key, toValue(i));
  await storage.compactLog('coins');
  await closeStorage(storage);
  await rm(mirrorPath(dataDir, 'coins'));
  const file = logPath(dataDir, 'coins');
  return { dataDir, file, size: (await readFile(file)).length };
}

async function backupOf(dataDir) {
  const [name] = (await readdir(path.join(dataDir, 'logs'))).filter((one) => one.includes('.backup.'));
  return path.join(dataDir, 'logs', name);
}

const KINDS = {
  'cut by 20 bytes': ({ file, size }) => truncate(file, size - 20),
  'cut in its middle': ({ file, size }) => truncate(file, Math.floor(size / 2)),
  'cut to its first bytes': ({ file }) => truncate(file, 10),
  'cut, and zeros': async ({ file, size }) => {
    await truncate(file, size - 20);
    await truncate(file, size + 100);
  },
};
const GONE = {
  emptied: ({ file }) => truncate(file, 0),
  removed: ({ file }) => rm(file),
};

for (const [name, cut] of Object.entries(KINDS)) {
  test(`a checkpoint that was ${name} is damage`, async (t) => {
    const found = await compactedFolder(t);
    await cut(found);
    const { dataDir } = found;
    const before = await contentsOf(dataDir);

    const events = [];
    const { storage } = await openStorage(t, Storage, { dataDir, logger: false });
    for (const event of ['corruption', 'recovery']) storage.on(event, (told) => events.push([event, told]));
    assert.deepEqual(await storage.rebuildStateFromLog('coins'), {});
    await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual(
      events.map(([event]) => event),
      ['corruption'],
    );
    const [[, told]] = events;
    assert.equal(told.backup, await backupOf(dataDir));
    assert.match(told.message, /CHECKPOINT that was cut short.*backup/);
    await closeStorage(storage);

    const { storage: refusing } = await openStorage(t, Storage, { dataDir, onCorruption: 'refuse' });
    await assert.rejects(refusing.collection('coins').entries(), { code: 'ERR_LOG_CORRUPT' });
    await closeStorage(refusing);

    const verified = await runCli(t, ['verify', dataDir]);
    assert.equal(verified.code, 1);
    assert.match(verified.stdout, /CHECKPOINT that was cut short/);
    assert.match(verified.stdout, /repair/);
    const examined = await runCli(t, ['doctor', dataDir]);
    assert.equal(examined.code, 1);
    for (const { stdout } of [verified, examined])
      assert.doesNotMatch(stdout, /All is well|never acknowledged|as a crash leaves it/);
    const offered = await runCliJson(t, ['repair', dataDir, '--dry-run']);
    assert.deepEqual(
      offered.json.logs[0].offers.map(({ key, value }) => [key, value]),
      KEYS.map((key, i) => [key, i]),
    );
    assert.deepEqual(await contentsOf(dataDir), before, 'looking changes nothing');

    assert.equal((await runCli(t, ['repair', dataDir, '--yes'])).code, 0);
    await assertIsBack(t, dataDir);
    assert.equal((await runCli(t, ['verify', dataDir])).code, 0);
  });
}

for (const [name, go] of Object.entries(GONE)) {
  test(`a log that was ${name} beside its backup: repair offers the values of the backup`, async (t) => {
    const found = await compactedFolder(t);
    await go(found);
    const { dataDir } = found;
    const examined = await runCli(t, ['doctor', dataDir]);
    assert.equal(examined.code, 1);
    assert.match(examined.stdout, /there are backups of it/);
    const offered = await runCli(t, ['repair', dataDir, '--dry-run']);
    for (const key of KEYS)
      assert.ok(offered.stdout.includes(`"${key}" from coins.log.backup.`), offered.stdout);
    assert.equal((await runCli(t, ['repair', dataDir, '--yes'])).code, 0);
    await assertIsBack(t, dataDir);
  });
}

test('repair also restores the values of a damaged checkpoint that was set aside', async (t) => {
  const { dataDir, file, size } = await compactedFolder(t);
  await truncate(file, size - 20);
  const { storage } = await openStorage(t, Storage, { dataDir, logger: false });
  await storage.collection('coins').set('key0', 'newer');
  await storage.collection('coins').set('key1', 'gone');
  await storage.collection('coins').delete('key1');
  await closeStorage(storage);
  assert.equal((await runCli(t, ['repair', dataDir, '--yes'])).code, 0);
  const { storage: after } = await openStorage(t, Storage, { dataDir });
  const expected = { ...Object.fromEntries(KEYS.map((key, i) => [key, i])), key0: 'newer' };
  delete expected.key1;
  assert.deepEqual(Object.fromEntries(await after.collection('coins').entries()), expected);
});

test('repair does not offer keys that the log removed, or that the data has', async (t) => {
  const { dataDir, file } = await compactedFolder(t);
  const bytes = await readFile(file);
  await writeFile(file, bytes.subarray(0, bytes.length - 20));
  await appendFile(file, '\n{"op":"DELETE","key":"key3"}\n{"op":"SET","key":"key4","value":"mine"}\n');
  const { json } = await runCliJson(t, ['repair', dataDir, '--dry-run']);
  const keys = json.logs[0].offers.map(({ key }) => key);
  assert.deepEqual(
    keys,
    KEYS.filter((key) => key !== 'key3' && key !== 'key4'),
  );
});

test('of a checkpoint with several lines the store uses the whole ones, and reports the missing ones', async (t) => {
  const { dataDir, file } = await compactedFolder(t, (i) => String(i).repeat(400_000));
  const lines = (await readFile(file, 'latin1')).split('\n');
  assert.ok(lines.length > 3, 'it has several lines');
  const ends = [lines[0].length + 1, lines[0].length, lines[0].length + 100];
  for (const end of ends) {
    await writeFile(file, lines.join('\n').slice(0, end), 'latin1');
    const { storage } = await openStorage(t, Storage, { dataDir, logger: false });
    const told = [];
    storage.on('corruption', (event) => told.push(event));
    const keys = Object.keys(await storage.rebuildStateFromLog('coins'));
    assert.ok(keys.length > 0 && keys.length < KEYS.length, `${keys} of a log of ${end} bytes`);
    await new Promise((resolve) => setImmediate(resolve));
    assert.equal(told.length, 1, `a log of ${end} bytes`);
    await closeStorage(storage);
    const verified = await runCli(t, ['verify', dataDir]);
    assert.equal(verified.code, 1);
    assert.match(verified.stdout, /CHECKPOINT/);
    const { json } = await runCliJson(t, ['repair', dataDir, '--dry-run']);
    assert.deepEqual(
      json.logs[0].offers.map(({ key }) => key),
      KEYS.filter((key) => !keys.includes(key)),
    );
  }
  assert.equal((await runCli(t, ['repair', dataDir, '--yes'])).code, 0);
  await assertIsBack(t, dataDir, (i) => String(i).repeat(400_000));
});

async function assertIsBack(t, dataDir, toValue = (i) => i) {
  const { storage } = await openStorage(t, Storage, { dataDir });
  const expected = Object.fromEntries(KEYS.map((key, i) => [key, toValue(i)]));
  assert.deepEqual(await storage.rebuildStateFromLog('coins'), expected);
  assert.deepEqual(Object.fromEntries(await storage.collection('coins').entries()), expected);
  await closeStorage(storage);
}
