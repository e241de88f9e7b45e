// A line of a log means the same to the old module, to the store and to every tool. Both modules replay random logs of
// either one, with odd keys and values. Joined lines, and lines after garbage, are the same to all readers.
//
// A failure names its seed; MEANING_SEED=n runs only that seed.

import assert from 'node:assert/strict';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { readLogLines, Storage } from '../../index.js';
import * as oldModule from '../old-module/append-log.mjs';
import { runCli, runCliJson } from '../support/cli.mjs';
import { Random } from '../support/random-calls.mjs';
import {
  closeStorage,
  logPath,
  openStorage,
  repositoryRoot,
  temporaryFolder,
  withCrc,
} from '../support/temp.mjs';

const SEEDS = process.env.MEANING_SEED
  ? [Number(process.env.MEANING_SEED)]
  : Array.from({ length: 120 }, (_, i) => i + 1);

// JSON text, some of which JSON.stringify would never write.
const ODD_KEYS = [
  'null',
  'true',
  'false',
  '0',
  '-0',
  '-0.0',
  '1e-400',
  '7',
  '7.0',
  '-7',
  '1.5',
  '1e21',
  '123456789012345680000',
  '1e-7',
  '1e400',
  '""',
  '"a"',
  '"7"',
  '"\\u0061"',
  '"\\ud83d"',
  '"null"',
  '"undefined"',
  '"constructor"',
  '"toString"',
  '[]',
  '[null]',
  '["a"]',
  '[7,[null,"b"],{"x":1}]',
  '[[],[]]',
  '{}',
  '{"valueOf":1}',
];
const ODD_VALUES = [
  ...ODD_KEYS,
  '{"a":1,"b":[1, 2]}',
  '{"b":1,"10":2,"9":3}',
  '{"a":1,"a":2}',
  '["x","y"]',
  '"xyz"',
  '"é😀"',
];

function randomLine(random) {
  const pick = (list) => list[random.below(list.length)];
  const op = pick([
    '"SET"',
    '"SET"',
    '"SET"',
    '"DELETE"',
    '"CHECKPOINT"',
    '"NOTE"',
    '"S\\u0045T"',
    'null',
    '1',
  ]);
  const members = [];
  if (random.below(4) > 0) members.push(`"timestamp":"2026-01-01T00:00:00.${100 + random.below(900)}Z"`);
  if (random.below(20) > 0) members.push(`"op":${op}`);
  if (random.below(4) > 0) members.push(`${pick(['"key"', '"key"', '"k\\u0065y"'])}:${pick(ODD_KEYS)}`);
  if (random.below(4) > 0) members.push(`"value":${pick(ODD_VALUES)}`);
  if (random.below(2) > 0) members.push(`"data":${pick(ODD_VALUES)}`);
  if (random.below(2) > 0) members.push(`"state":${pick(ODD_VALUES)}`);
  if (random.below(6) === 0) members.push(`"key":${pick(ODD_KEYS)}`);
  if (random.below(3) === 0) members.reverse();
  const line = `{${members.join(random.below(5) === 0 ? ' , ' : ',')}}`;
  return random.below(2) === 0 && members.length > 0 ? withCrc(JSON.stringify(JSON.parse(line))) : line;
}

async function oldState(dataDir, name) {
  process.env.OLD_DATA_DIR = dataDir;
  return oldModule.rebuildStateFromLog(name);
}

// The state after the changes of all lines, in order.
function stateOfChanges(file) {
  const state = {};
  for (let from; ; ) {
    const { lines, next, isEnd } = readLogLines(file, from, { entries: false, changes: true });
    for (const { state: kind, changes = [] } of lines) {
      if (kind === 'damaged') continue;
      for (const [key, ...value] of changes) {
        if (value.length > 0) state[key] = value[0];
        else delete state[key];
      }
    }
    if (isEnd) return state;
    from = next;
  }
}

async function folderWithLog(t, lines) {
  const dataDir = await temporaryFolder(t);
  await mkdir(path.join(dataDir, 'logs'));
  await writeFile(logPath(dataDir, 'odd'), lines.map((line) => `${line}\n`).join(''));
  return dataDir;
}

test('a line means the same as in the old module, whatever its key and its value', async (t) => {
  for (const seed of SEEDS) {
    const random = new Random(seed);
    const lines = Array.from({ length: 1 + random.below(25) }, () => randomLine(random));
    const dataDir = await folderWithLog(t, lines);
    const file = logPath(dataDir, 'odd');
    const expected = JSON.stringify(await oldState(dataDir, 'odd'));
    const note = `MEANING_SEED=${seed}\n${lines.join('\n')}`;
    assert.equal(JSON.stringify(stateOfChanges(file)), expected, note);
    const { storage } = await openStorage(t, Storage, { dataDir });
    assert.equal(JSON.stringify(await storage.rebuildStateFromLog('odd')), expected, note);
    const at = await storage.rebuildStateFromLog('odd', { at: new Date('2027-01-01') });
    assert.equal(JSON.stringify(at), expected, note);
    // The last record of a key is its value; the last record of a removed key is a removal.
    const state = JSON.parse(expected);
    const keys = new Set([...Object.keys(state), 'a', '7', 'null', 'undefined', 'true', '0', '', '1.5']);
    for (const key of keys) {
      if (key === '') continue;
      const last = (await storage.history('odd', key)).at(-1);
      assert.equal(JSON.stringify(last?.value), JSON.stringify(state[key]), `${key}: ${note}`);
    }
    // After a compaction the old module reads the same.
    await storage.compactLog('odd');
    assert.equal(JSON.stringify(await oldState(dataDir, 'odd')), expected, note);
    assert.equal(JSON.stringify(await storage.rebuildStateFromLog('odd')), expected, note);
    await closeStorage(storage);
  }
});

test('both modules understand entries with odd keys', async (t) => {
  const { storage, dataDir } = await openStorage(t, Storage);
  process.env.OLD_DATA_DIR = dataDir;
  const random = new Random(7);
  for (let i = 0; i < 60; i++) {
    const { timestamp, ...entry } = JSON.parse(randomLine(random).replace(/,"_crc":"[^"]*"/, ''));
    const module = i % 2 === 0 ? storage : oldModule;
    await module.appendLogEntry('odd', entry);
    const expected = JSON.stringify(await oldModule.rebuildStateFromLog('odd'));
    assert.equal(JSON.stringify(await storage.rebuildStateFromLog('odd')), expected, JSON.stringify(entry));
    const entries = await storage.collection('odd').entries();
    assert.equal(JSON.stringify(Object.fromEntries(entries)), expected, JSON.stringify(entry));
  }
});

const OLD = (key, value) =>
  `{"timestamp":"2026-01-01T00:00:00.000Z","op":"SET","key":"${key}","value":${value}}`;
const OURS = (key, value) => withCrc(OLD(key, value));

// Each row: the bytes of a log, its state, and the bytes that are set aside.
const JOINED = {
  'zeros before a line of ours': [`\0\0\0\0${OURS('a', 1)}\n${OURS('b', 2)}\n`, { a: 1, b: 2 }, '\0\0\0\0\n'],
  'zeros before a line of the old module': [
    `${OURS('a', 1)}\n\0\0${OLD('b', 2)}\n`,
    { a: 1, b: 2 },
    '\0\0\n',
  ],
  'a torn line and the next one': [
    `{"timestamp":"2026-01-01T00:00:00.000Z","op":"SE${OLD('a', 1)}\n${OLD('b', 2)}\n`,
    { a: 1, b: 2 },
    '{"timestamp":"2026-01-01T00:00:00.000Z","op":"SE\n',
  ],
  'two lines of ours': [`${OURS('a', 1)}${OURS('b', 2)}\n`, { a: 1, b: 2 }, ''],
  'three lines of the old module': [`${OLD('a', 1)}${OLD('b', 2)}${OLD('c', 3)}\n`, { a: 1, b: 2, c: 3 }, ''],
  'another byte in the place of a line break': [`${OURS('a', 1)}x${OURS('b', 2)}\n`, { a: 1, b: 2 }, 'x\n'],
  'a value that looks like an entry': [
    `${OURS('a', 1)}\n{"timestamp":"2026-01-01T00:00:00.000Z","op":"SET","key":"b","value":${OLD('inner', 9)}\n`,
    { a: 1 },
    `{"timestamp":"2026-01-01T00:00:00.000Z","op":"SET","key":"b","value":${OLD('inner', 9)}\n`,
  ],
};

for (const [name, [bytes, state, aside]] of Object.entries(JOINED)) {
  test(`all readers see the same: ${name}`, async (t) => {
    const { storage, dataDir } = await openStorage(t, Storage);
    await mkdir(path.join(dataDir, 'logs'), { recursive: true });
    const file = logPath(dataDir, 'players');
    await writeFile(file, bytes);
    const keys = Object.keys(state);

    assert.deepEqual(stateOfChanges(file), state);
    assert.deepEqual(await storage.rebuildStateFromLog('players'), state);
    assert.deepEqual(await storage.rebuildStateFromLog('players', { at: Date.now() }), state);
    assert.deepEqual(
      (await storage.readLogEntries('players')).map(({ key }) => key),
      keys,
    );
    const streamed = [];
    for await (const { key } of storage.streamLogEntries('players')) streamed.push(key);
    assert.deepEqual(streamed, keys);
    for (const key of keys) {
      const [record] = await storage.history('players', key);
      assert.equal(record?.value, state[key], key);
    }
    assert.deepEqual(await storage.history('players', 'inner'), []);

    const { lines } = readLogLines(file);
    const damaged = lines.filter((line) => line.state === 'damaged').length;
    assert.equal(damaged, aside === '' ? 0 : 1);
    const verified = await runCliJson(t, ['verify', dataDir]);
    assert.deepEqual(
      [verified.json.files[0].entries, verified.json.files[0].damaged.length],
      [keys.length, damaged],
    );
    const inspected = await runCliJson(t, ['inspect', dataDir]);
    assert.deepEqual(
      [inspected.json.logs[0].keys, inspected.json.logs[0].log.entries],
      [keys.length, keys.length],
    );
    const tailed = await runCli(t, ['tail', dataDir, '--json']);
    assert.deepEqual(
      tailed.stdout
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line).key),
      keys,
    );
    const { Growth } = (await import(pathToFileURL(path.join(repositoryRoot, 'dashboard', 'growth.js')).href))
      .default;
    const growth = new Growth({ dataDir, readLogLines });
    growth.update();
    assert.equal(growth.entries, 0, 'earlier entries are no growth');
    await writeFile(file, bytes + bytes);
    growth.update();
    assert.equal(growth.entries, keys.length);
    await writeFile(file, bytes);

    // The next write repairs the log; then the old module reads it too.
    await storage.appendLogEntry('players', { op: 'SET', key: 'z', value: 26 });
    await closeStorage(storage);
    const all = await readdir(path.join(dataDir, 'logs'));
    const kept = all.filter((one) => one.includes('.corrupt.'));
    assert.equal(kept.length, damaged);
    for (const one of kept) assert.equal(await readFile(path.join(dataDir, 'logs', one), 'utf8'), aside);
    assert.deepEqual(await oldState(dataDir, 'players'), { ...state, z: 26 });
    assert.ok(readLogLines(file).lines.every((line) => line.state === 'checked' || line.state === 'plain'));
  });
}
