// What a transaction leaves in a folder: its lines, its note, and what becomes of it when a disk fails or a process ends
// between two logs. `src/files/simulation` has it crash at every call.

import assert from 'node:assert/strict';
import { cp, mkdir, readFile, rm, symlink, utimes, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { Storage } from '../../index.js';
import { contentsOf, runCli, runCliJson } from '../support/cli.mjs';
import {
  collect,
  logPath,
  oldModuleUrl,
  openStorage,
  readLogLines,
  runScript,
  temporaryFolder,
} from '../support/temp.mjs';

const notePath = (dataDir) => path.join(dataDir, '.progressive-storage', 'transaction');

const masked = (lines) =>
  lines.map((line) => line.replace(/"timestamp":"[^"]*",|,"_crc":"[0-9a-f]{8}"/g, ''));

const BOTH = [
  ['coins', 'ann'],
  ['items', 'ann'],
];

/** A folder in which the log of `items` cannot be made, and a transaction that is committed all the same. */
async function withoutItems(t) {
  const { storage, dataDir } = await openStorage(t, Storage, { fsync: 'always' });
  await storage.collection('coins').set('ann', 80);
  // It leads nowhere.
  await symlink(path.join(dataDir, 'no-such-folder', 'items.log'), logPath(dataDir, 'items'));
  assert.deepEqual(await storage.transaction(BOTH, ([has]) => [has - 50, ['sword']]), [30, ['sword']]);
  return { storage, dataDir };
}

/** The same folder as a crash leaves it there. */
async function crashed(t) {
  const { storage, dataDir } = await withoutItems(t);
  const copy = path.join(await temporaryFolder(t), 'data');
  await cp(dataDir, copy, { recursive: true, filter: (file) => !file.endsWith('items.log') });
  await rm(logPath(dataDir, 'items'));
  await storage.close();
  return copy;
}

test('each log gets its line, and the note is emptied', async (t) => {
  const { storage, dataDir } = await openStorage(t, Storage);
  await storage.collection('coins').set('ann', 80);
  await storage.transaction(BOTH, ([has]) => [has - 50, ['sword']]);
  assert.deepEqual(masked(await readLogLines(dataDir, 'coins')), [
    '{"op":"SET","key":"ann","value":80}',
    '{"op":"SET","key":"ann","value":30}',
  ]);
  assert.deepEqual(masked(await readLogLines(dataDir, 'items')), [
    '{"op":"SET","key":"ann","value":["sword"]}',
  ]);
  assert.equal(await readFile(notePath(dataDir), 'utf8'), '\n');
});

test('a transaction that changes one log needs no note', async (t) => {
  const { storage, dataDir } = await openStorage(t, Storage);
  await storage.collection('items').set('ann', []);
  await storage.transaction(BOTH, (values) => [5, values[1]]);
  await assert.rejects(readFile(notePath(dataDir)), { code: 'ENOENT' });
  assert.equal((await readLogLines(dataDir, 'items')).length, 1);
});

test('what a failing disk keeps from a log counts, and is written first once it can be', async (t) => {
  const { storage, dataDir } = await withoutItems(t);
  const items = storage.collection('items');
  assert.deepEqual(await items.get('ann'), ['sword']);
  assert.deepEqual(await storage.loadPlayers(), {}, 'other logs are not kept from their work');
  await storage.collection('coins').set('ben', 1);
  await assert.rejects(items.set('ben', []), { code: 'ENOENT' });
  await assert.rejects(storage.flush(), { code: 'ENOENT' });
  assert.deepEqual(await items.entries(), [['ann', ['sword']]]);
  await rm(logPath(dataDir, 'items'));
  await items.set('ben', ['cap']);
  assert.deepEqual(masked(await readLogLines(dataDir, 'items')), [
    '{"op":"SET","key":"ann","value":["sword"]}',
    '{"op":"SET","key":"ben","value":["cap"]}',
  ]);
});

test('after a crash between two logs, readers see all of it, and reading writes nothing', async (t) => {
  const dataDir = await crashed(t);
  const before = await contentsOf(dataDir);
  const storage = new Storage({ dataDir });
  assert.equal(await storage.collection('coins').get('ann'), 30);
  assert.deepEqual(await storage.collection('items').entries(), [['ann', ['sword']]]);
  assert.deepEqual(await storage.rebuildStateFromLog('items'), { ann: ['sword'] });
  assert.deepEqual(await storage.rebuildStateFromLog('items', { at: new Date() }), { ann: ['sword'] });
  assert.deepEqual(
    (await storage.history('items', 'ann')).map(({ value }) => value),
    [['sword']],
  );
  const entries = await storage.readLogEntries('items');
  assert.deepEqual(
    entries.map(({ key }) => key),
    ['ann'],
  );
  assert.deepEqual(await collect(storage.streamLogEntries('items')), entries);
  await storage.close();
  assert.deepEqual(await contentsOf(dataDir), before);
});

for (const [what, act] of [
  ['a write to that log', (storage) => storage.collection('items').set('ben', ['cap'])],
  ['a write to another log', (storage) => storage.collection('coins').set('ben', 1)],
  [
    'the next transaction',
    (storage) => storage.transaction(BOTH, ([has, bag]) => [has - 1, [...bag, 'cap']]),
  ],
  ['flush()', (storage) => storage.flush()],
  ['a compaction', (storage) => storage.compactLog('items')],
]) {
  test(`after a crash between two logs, ${what} completes it`, async (t) => {
    const dataDir = await crashed(t);
    const storage = new Storage({ dataDir });
    await act(storage);
    const expected = await storage.collection('items').entries();
    assert.equal(expected.find(([key]) => key === 'ann')[1][0], 'sword');
    await storage.close();
    // What the old module makes of the files is the same.
    const source = `const { rebuildStateFromLog } = await import('${oldModuleUrl}append-log.mjs');
      console.log(JSON.stringify([await rebuildStateFromLog('coins'), await rebuildStateFromLog('items')]));`;
    const { stdout } = await runScript(t, { source, env: { OLD_DATA_DIR: dataDir } });
    const [coins, items] = JSON.parse(stdout);
    assert.deepEqual(items, Object.fromEntries(expected));
    assert.equal(coins.ann, items.ann.length === 1 ? 30 : 29);
  });
}

test('to touch one of the logs, or to edit a JSON file, is no loss and no second change', async (t) => {
  const dataDir = await crashed(t);
  const storage = new Storage({ dataDir, logger: null });
  const lost = [];
  storage.on('recovery', (event) => lost.push(event));
  const [coins, items] = [storage.collection('coins'), storage.collection('items')];
  const heard = [];
  const stop = items.watch('ann', ({ value }) => heard.push(value));
  assert.deepEqual(await items.get('ann'), ['sword']);
  await utimes(logPath(dataDir, 'coins'), new Date(), new Date());
  await writeFile(path.join(dataDir, 'items.json'), JSON.stringify({ ann: ['sword'], ben: ['cap'] }));
  await coins.set('cid', 1);
  assert.deepEqual(
    await items.getMany(['ann', 'ben']),
    new Map([
      ['ann', ['sword']],
      ['ben', ['cap']],
    ]),
  );
  await items.set('dan', []);
  await stop();
  await storage.close();
  assert.deepEqual(heard, []);
  assert.deepEqual(lost, []);
});

test('a snapshot of such a folder has all of it', async (t) => {
  const dataDir = await crashed(t);
  const storage = new Storage({ dataDir });
  const target = path.join(await temporaryFolder(t), 'copy');
  await storage.snapshot(target);
  await storage.close();
  const copy = new Storage({ dataDir: target });
  assert.deepEqual(await copy.collection('items').entries(), [['ann', ['sword']]]);
  assert.equal(await copy.collection('coins').get('ann'), 30);
  await copy.close();
});

test('an old note that comes back brings nothing back', async (t) => {
  const dataDir = await crashed(t);
  const note = await readFile(notePath(dataDir));
  const storage = new Storage({ dataDir });
  await storage.collection('items').delete('ann');
  await storage.collection('coins').delete('ann');
  await storage.close();
  await writeFile(notePath(dataDir), note);
  const again = new Storage({ dataDir });
  assert.deepEqual(await again.collection('items').entries(), []);
  assert.deepEqual(await again.collection('coins').entries(), []);
  await again.compactLog('items');
  await again.compactLog('coins');
  await again.close();
  await writeFile(notePath(dataDir), note);
  const last = new Storage({ dataDir });
  assert.deepEqual(await last.collection('items').entries(), []);
  await last.collection('items').set('ben', 1);
  assert.deepEqual(await last.rebuildStateFromLog('items'), { ben: 1 });
  await last.close();
});

test('a damaged note is none', async (t) => {
  for (const damage of [
    (note) => note.subarray(0, note.length - 1),
    (note) => Buffer.concat([note, Buffer.from('x')]),
    (note) => note.fill('?', 5, 6),
    () => Buffer.alloc(0),
  ]) {
    const dataDir = await crashed(t);
    await writeFile(notePath(dataDir), damage(await readFile(notePath(dataDir))));
    const storage = new Storage({ dataDir });
    assert.deepEqual(await storage.collection('items').entries(), []);
    await storage.transaction(BOTH, ([has]) => [has, ['cap']]);
    await storage.close();
  }
});

test('a note that cannot be read is an error that names it', async (t) => {
  const { storage, dataDir } = await openStorage(t, Storage);
  await storage.collection('coins').set('ann', 1);
  await storage.close();
  await mkdir(notePath(dataDir));
  const again = new Storage({ dataDir });
  const refused = again.transaction(BOTH, () => [1, 2]);
  await assert.rejects(refused, (error) => error.path === notePath(dataDir) && error.code === 'EISDIR');
  await again.close().catch(() => {});
});

test('doctor tells of a transaction that a crash cut short, and migrate takes no such folder', async (t) => {
  const dataDir = await crashed(t);
  const found = async () =>
    (await runCliJson(t, ['doctor', dataDir])).json.findings.find(({ id }) => id === 'transaction');
  const finding = await found();
  assert.equal(finding.level, 'info');
  assert.match(finding.what, /^A transaction over 'coins' and 'items' is noted in /);
  const env = { PROGRESSIVE_STORAGE_URL: 'postgres://nobody@127.0.0.1:1/none?sslmode=disable' };
  const refused = await runCli(t, ['migrate', dataDir, 'env', '--dry-run'], { env });
  assert.match(refused.stderr, /A crash cut a transaction over 'coins' and 'items' short/);
  const compacted = await runCli(t, ['compact', dataDir]);
  assert.equal(compacted.code, 0, compacted.stderr);
  assert.equal(await found(), undefined);
});
