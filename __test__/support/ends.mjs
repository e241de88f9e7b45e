// What the commands make of keys that end by themselves, the same for a folder and for a server.

import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { Storage } from '../../index.js';
import { openStorage, temporaryFolder } from './temp.mjs';

export const DAY_MS = 24 * 60 * 60 * 1000;
const LOG = ['--log', 'cooldowns'];

/** What the log was three days ago: one key without an end, one that ends tomorrow, one that has ended yesterday. */
export async function aPast(storage) {
  const [tomorrow, yesterday] = [Date.now() + DAY_MS, Date.now() - DAY_MS];
  const timestamp = new Date(Date.now() - 3 * DAY_MS).toISOString();
  const then = (entry) => storage.appendLogEntry('cooldowns', { timestamp, op: 'SET', ...entry });
  await then({ key: 'stays', value: 1 });
  await then({ key: 'lives', value: 1, _expires: tomorrow });
  await then({ key: 'over', value: 1, _expires: yesterday });
  return { tomorrow, yesterday };
}

/** `[key, value, end]` of all keys, in the order of their names. */
export async function endsOf(storage, log = 'cooldowns') {
  const collection = storage.collection(log);
  const found = [];
  for (const [key, value] of await collection.entries())
    found.push([key, value, await collection.expiresAt(key)]);
  return found.sort(([one], [other]) => (one < other ? -1 : 1));
}

async function restoreKeepsEnds(t, place) {
  const { storage, run, text } = place;
  const { tomorrow, yesterday } = await aPast(storage);
  await storage.collection('cooldowns').set('lives', 2);
  await storage.compactLog('cooldowns');
  await storage.collection('cooldowns').set('stays', 2, { ttlMs: DAY_MS });
  const into = path.join(await temporaryFolder(t), 'restored');
  const { code, json } = await run('restore', '--at', '2d', '--into', into, '--yes', ...LOG);
  assert.equal(code, 0, JSON.stringify(json));
  assert.deepEqual(json.logs, [
    { name: 'cooldowns', keys: 2, ended: [{ key: 'over', expiresAt: yesterday }] },
  ]);
  const { storage: restored } = await openStorage(t, Storage, { dataDir: into });
  assert.deepEqual(await endsOf(restored), [
    ['lives', 1, tomorrow],
    ['stays', 1, null],
  ]);
  const { stdout } = await text('restore', '--at', '2d', '--into', `${into}2`, '--dry-run', ...LOG);
  assert.match(stdout, /cooldowns +2 keys, without 1 that ended by itself since/);
}

async function undoKeepsEnds(_, place) {
  const { storage, run, text } = place;
  const { tomorrow, yesterday } = await aPast(storage);
  const cooldowns = storage.collection('cooldowns');
  await cooldowns.set('lives', 2);
  const undo = (key, ...more) => run('undo', key, ...LOG, '--yes', ...more);
  const back = await undo('lives', '--to', '2d');
  assert.deepEqual([back.code, back.json.thenExpiresAt], [0, tomorrow], JSON.stringify(back.json));
  assert.deepEqual([await cooldowns.get('lives'), await cooldowns.expiresAt('lives')], [1, tomorrow]);
  for (const to of [['--to', '2d'], []]) {
    const over = await undo('over', ...to);
    assert.deepEqual([over.code, over.json.isOver, over.json.done], [1, true, false]);
    assert.equal(over.json.thenExpiresAt, yesterday);
  }
  assert.match((await text('undo', 'over', ...LOG, '--yes')).stdout, /ended by itself since/);
  assert.equal(await cooldowns.get('over'), undefined);
  // The same value, with another end.
  await cooldowns.set('lives', 1);
  assert.equal((await undo('lives')).code, 0);
  assert.equal(await cooldowns.expiresAt('lives'), tomorrow);
  assert.equal((await undo('lives')).code, 0);
  assert.deepEqual([await cooldowns.get('lives'), await cooldowns.expiresAt('lives')], [1, null]);
  await cooldowns.set('lives', 2, { expiresAt: tomorrow });
  assert.equal((await undo('lives')).code, 0);
  assert.deepEqual([await cooldowns.get('lives'), await cooldowns.expiresAt('lives')], [1, null]);
}

async function setGivesEnds(_, place) {
  const { storage, run, text } = place;
  const cooldowns = storage.collection('cooldowns');
  await cooldowns.set('daily', 1);
  const set = (value, ...more) => run('set', 'daily', value, ...LOG, ...more);
  const dry = await text('set', 'daily', '2', ...LOG, '--ttl', '10m', '--dry-run');
  assert.match(dry.stdout, /now +1\n +then +2, for 10m\n/);
  const before = Date.now();
  const first = await set('1', '--ttl', '10d', '--yes');
  assert.deepEqual([first.code, first.json.done], [0, true], 'the same value, and it ends');
  const end = await cooldowns.expiresAt('daily');
  assert.equal(first.json.thenExpiresAt, end);
  // The clocks of a server and of this machine may differ.
  assert.ok(Math.abs(end - before - 10 * DAY_MS) < DAY_MS, `${end}`);
  assert.equal((await set('2', '--yes')).json.thenExpiresAt, end);
  assert.equal(await cooldowns.expiresAt('daily'), end);
  const got = await run('get', 'daily', ...LOG);
  assert.deepEqual([got.json.value, got.json.expiresAt], [2, end]);
  const shown = await text('get', 'daily', ...LOG);
  assert.equal(shown.stdout, '2\n');
  assert.match(shown.stderr, new RegExp(`ends by itself at ${new Date(end).toISOString()}`));
  assert.equal((await set('2', '--ttl', 'never', '--yes')).code, 0);
  assert.deepEqual([await cooldowns.get('daily'), await cooldowns.expiresAt('daily')], [2, null]);
  const plain = await run('get', 'daily', ...LOG);
  assert.equal('expiresAt' in plain.json, false);
  assert.equal((await text('get', 'daily', ...LOG)).stderr, '');
  for (const wrong of ['10', '0m', '-5m', '10y', 'soon', `${'9'.repeat(20)}d`]) {
    const { code, json } = await set('3', `--ttl=${wrong}`, '--yes');
    assert.deepEqual([code, json.error?.code], [2, 'ERR_USAGE'], wrong);
  }
}

async function exportsAndImports(t, place) {
  const { storage, run, text } = place;
  const { tomorrow } = await aPast(storage);
  // A property of the name that the column has.
  await storage.collection('cooldowns').set('record', { expiresAt: 'soon', n: 1 }, { expiresAt: tomorrow });
  const wanted = [
    ['lives', 1, tomorrow],
    ['record', { expiresAt: 'soon', n: 1 }, tomorrow],
    ['stays', 1, null],
  ];
  const folder = await temporaryFolder(t);
  const plain = await text('export', ...LOG);
  assert.equal(plain.stderr, '2 keys end by themselves; --expires keeps when.\n');
  assert.deepEqual(JSON.parse(plain.stdout), Object.fromEntries(wanted));
  const kept = await text('export', ...LOG, '--expires');
  assert.equal(kept.stderr, '');
  assert.deepEqual(JSON.parse(kept.stdout), {
    lives: { value: 1, expiresAt: tomorrow },
    record: { value: { expiresAt: 'soon', n: 1 }, expiresAt: tomorrow },
    stays: { value: 1 },
  });
  for (const format of ['json', 'jsonl', 'csv']) {
    const file = path.join(folder, `all.${format}`);
    const log = ['--log', `of-${format}`];
    const imports = (...more) => run('import', file, ...log, '--yes', ...more);
    // In CSV, a column of one log is of one kind.
    if (format === 'csv') await storage.collection('cooldowns').set('stays', { n: 1 });
    if (format === 'csv')
      await storage.collection('cooldowns').set('lives', { n: 1 }, { expiresAt: tomorrow });
    const expected = format === 'csv' ? await endsOf(storage) : wanted;
    assert.equal((await run('export', ...LOG, '--expires', '-o', file)).code, 0);
    const first = await imports('--expires');
    assert.deepEqual([first.code, first.json.added], [0, 3], JSON.stringify(first.json));
    assert.deepEqual(await endsOf(storage, log[1]), expected, format);
    const again = await imports('--expires');
    assert.deepEqual([again.json.added, again.json.changed, again.json.same], [0, 0, 3], format);
    // An end that the log lacks is a difference, and so is one that the file lacks.
    const collection = storage.collection(log[1]);
    await collection.set('lives', expected[0][1]);
    await collection.set('stays', expected[2][1], { expiresAt: tomorrow });
    assert.equal((await imports('--expires')).json.changed, 2, format);
    assert.deepEqual(await endsOf(storage, log[1]), expected, format);
  }
}

async function importsNothingOver(t, place) {
  const { storage, run, text } = place;
  const { tomorrow, yesterday } = await aPast(storage);
  const file = path.join(await temporaryFolder(t), 'some.jsonl');
  const lines = [
    { key: 'lives', value: 1, expiresAt: tomorrow },
    { key: 'stays', value: 1, expiresAt: yesterday },
    { key: 'new', value: 1, expiresAt: tomorrow + 0.5 },
    { key: 'old', value: 1, expiresAt: yesterday },
  ];
  await writeFile(file, lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
  // Lines say their ends themselves.
  const { code, json } = await run('import', file, ...LOG, '--yes');
  assert.equal(code, 0, JSON.stringify(json));
  assert.deepEqual([json.added, json.changed, json.same], [1, 0, 1]);
  assert.deepEqual(json.ended, [
    { key: 'stays', expiresAt: yesterday },
    { key: 'old', expiresAt: yesterday },
  ]);
  const dry = await text('import', file, ...LOG, '--dry-run', '--replace');
  assert.match(dry.stdout, /removed +1\n +ended by itself +2, not written/);
  assert.deepEqual(await endsOf(storage), [
    ['lives', 1, tomorrow],
    ['new', 1, tomorrow + 1],
    ['stays', 1, null],
  ]);
  assert.equal((await run('import', file, ...LOG, '--yes', '--replace')).code, 0);
  assert.deepEqual(
    (await endsOf(storage)).map(([key]) => key),
    ['lives', 'new'],
  );
}

const TESTS = [
  ['restore: a key ends when it was to, and one that is over is named and left out', restoreKeepsEnds],
  ['undo: the end of that time comes back, and what is over does not', undoKeepsEnds],
  ['set --ttl gives an end, set alone keeps it, and get shows it', setGivesEnds],
  ['export --expires and import --expires: every form comes back with its ends', exportsAndImports],
  ['import: what is over is not written, and --replace removes it', importsNothingOver],
];

/**
 * `at(t)` gives a place: `{ storage, run, text }`. `run(...args)` and `text(...args)` run a command there, with --json and
 * without.
 */
export function testEnds(at, { skip } = {}) {
  for (const [title, work] of TESTS) test(title, { skip }, async (t) => work(t, await at(t)));
}
