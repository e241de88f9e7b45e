// What `migrate` reads of a folder: all entries of backups and log in one sequence. None is lost, also where two are the
// same, and those that a compaction copied are there once.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { checkLog } from '../../bin/migration/check.mjs';
import { equalRuns } from '../../bin/migration/copies.mjs';
import { copyLog } from '../../bin/migration/copy.mjs';
import { FolderSource } from '../../bin/migration/folder-source.mjs';
import { markFolder, movedTo, removeUnfinished } from '../../bin/migration/mark.mjs';
import { FolderTarget } from '../../bin/migration/target.mjs';
import { Stop } from '../../bin/support/errors.mjs';
import { logsIn } from '../../bin/support/log-files.mjs';
import { FolderPlace } from '../../bin/support/place.mjs';
import { Storage } from '../../index.js';
import { closeStorage, openStorage, temporaryFolder } from '../support/temp.mjs';

const at = (second) => new Date(1_700_000_000_000 + second * 1000).toISOString();
const set = (second, key, value) => ({ op: 'SET', key, value, timestamp: at(second) });
const note = (second, text) => ({ text, timestamp: at(second) });
const checkpoint = (second, state) => ({ op: 'CHECKPOINT', state, compactedAt: at(second) });

// A data folder with a log that has these files, oldest first; the last one is the log itself.
async function folderOf(t, files) {
  const dataDir = await temporaryFolder(t);
  await mkdir(path.join(dataDir, 'logs'));
  for (const [index, entries] of files.entries()) {
    const name = index === files.length - 1 ? 'notes.log' : `notes.log.backup.${index + 1}`;
    const lines = entries.map((entry) => `${JSON.stringify(entry)}\n`);
    await writeFile(path.join(dataDir, 'logs', name), lines.join(''));
  }
  return dataDir;
}

// The source, and the entries that it gives.
async function read(t, files) {
  const dataDir = await folderOf(t, files);
  const { storage } = await openStorage(t, Storage, { dataDir });
  const source = new FolderSource({ atEnd: () => {} }, storage, async () => {});
  const [log] = logsIn(dataDir);
  const entries = [];
  for await (const { entry } of source.entries(log)) entries.push(entry);
  return { source, log, entries };
}

// Here only the reading of `migrate` knows how many of the equal entries there are.
const UNDECIDED = 'several of them in one millisecond, of which one was there before';
const PLAIN = 'plain entries with times of their own, from before the compaction';

// Each: what it is, the files, and which entries there are, as `[file, entry]`.
const CASES = [
  [
    'entries that came during the compaction are in both files, and count once',
    [
      [set(1, 'a', 1), set(2, 'b', 1), set(3, 'a', 2)],
      [checkpoint(2, { a: 1, b: 1 }), set(3, 'a', 2), set(4, 'b', 2)],
    ],
    [
      [0, 0],
      [0, 1],
      [0, 2],
      [1, 2],
    ],
  ],
  [
    'an entry with a time of its own that equals one before the compaction',
    [[set(1, 'a', 1)], [checkpoint(5, { a: 1 }), set(1, 'a', 1)]],
    [
      [0, 0],
      [1, 1],
    ],
  ],
  [
    UNDECIDED,
    [
      [set(1, 'a', 1), set(1, 'a', 1)],
      [checkpoint(1, { a: 1 }), set(1, 'a', 1), set(1, 'a', 1), set(2, 'a', 3)],
    ],
    [
      [0, 0],
      [0, 1],
      [1, 1],
      [1, 2],
      [1, 3],
    ],
  ],
  [
    'an entry that equals one before the compaction, behind another value',
    [
      [set(1, 'a', 1), set(1, 'a', 2), set(1, 'a', 1)],
      [checkpoint(1, { a: 1 }), set(1, 'a', 1), set(1, 'a', 2)],
    ],
    [
      [0, 0],
      [0, 1],
      [0, 2],
      [1, 1],
      [1, 2],
    ],
  ],
  [
    'plain entries: those of before the compaction stay, those of during it count once',
    [
      [note(1, 'x'), note(1, 'x'), note(3, 'y'), note(3, 'y')],
      [checkpoint(2, {}), note(3, 'y'), note(3, 'y'), note(3, 'y')],
    ],
    [
      [0, 0],
      [0, 1],
      [0, 2],
      [0, 3],
      [1, 3],
    ],
  ],
  [
    PLAIN,
    [[note(1, 'x')], [checkpoint(5, {}), note(1, 'x')]],
    [
      [0, 0],
      [1, 1],
    ],
  ],
  [
    'a copied entry that was called before the compaction began: the state says that it is a copy',
    [
      [set(1, 'a', 1), set(2, 'a', 2)],
      [checkpoint(3, { a: 1 }), set(2, 'a', 2), set(4, 'a', 3)],
    ],
    [
      [0, 0],
      [0, 1],
      [1, 2],
    ],
  ],
];

for (const [what, files, wanted] of CASES)
  test(what, async (t) => {
    const expected = wanted.map(([file, index]) => files[file][index]);
    const { source, entries } = await read(t, files);
    assert.deepEqual(entries, expected);
    await closeStorage(source.storage);
  });

test('the check finds an entry that the copy lacks, also where the states are the same', async (t) => {
  const progress = () => ({ add: () => {}, end: () => {} });
  const check = async ({ source, log }, entries) => {
    const place = new FolderPlace(await temporaryFolder(t));
    const target = new FolderTarget(place, (end) => t.after(end));
    for (const entry of entries) await target.storage.appendLogEntry('notes', entry);
    await target.flush();
    // As a reader would report it that had not seen the others.
    const hash = createHash('sha256');
    for await (const entry of target.stored('notes')) hash.update(JSON.stringify(entry)).update('\n');
    const seen = { entries: entries.length, hash: hash.digest('hex'), times: [], edits: 0, editTime: null };
    await checkLog({ terminal: { progress }, source, target, log, seen });
  };
  for (const [what, files] of CASES) {
    if (what === UNDECIDED || what === PLAIN) continue;
    const { source, log, entries } = await read(t, files);
    await check({ source, log }, entries);
    for (let lost = 0; lost < entries.length; lost++) {
      const isPlain = entries[lost].op === undefined;
      // Of plain entries only the log's own are known by another reading.
      if (isPlain && lost < entries.length - files.at(-1).length + 1) continue;
      const left = entries.filter((_, index) => index !== lost);
      await assert.rejects(
        check({ source, log }, left),
        ({ code }) => code === 'ERR_CHECK_FAILED',
        `${what}: entry ${lost}`,
      );
    }
    await closeStorage(source.storage);
  }
});

test('all runs that end one list and begin another are found', () => {
  for (const [before, own, wanted] of [
    ['abcd', 'cdef', [0, 2]],
    ['abcd', 'efgh', [0]],
    ['abab', 'abab', [0, 2, 4]],
    ['xaab', 'aabaab', [0, 3]],
    ['aaa', 'aa', [0, 1, 2]],
    ['', 'ab', [0]],
    ['ab', '', [0]],
    ['abcabd', 'abd', [0, 3]],
  ])
    assert.deepEqual(equalRuns([...before], [...own]), wanted, `${before} ${own}`);
});

test('a mark of a folder stops a bot that has it open', async (t) => {
  const { storage: bot, dataDir } = await openStorage(t, Storage);
  await bot.collection('notes').set('a', 1);
  await markFolder(new FolderPlace(dataDir), 'the server', {
    checkUnchanged: async () => {},
    atEnd: () => {},
  });
  await assert.rejects(bot.collection('notes').set('a', 2), { code: 'ERR_MOVED' });
  await bot.close().catch(() => {});
});

test('a folder that was written to before its mark is not marked', async (t) => {
  const { storage: bot, dataDir } = await openStorage(t, Storage);
  await bot.collection('notes').set('a', 1);
  const changed = async () => {
    throw new Stop('changed', { code: 'ERR_CHANGED' });
  };
  const place = new FolderPlace(dataDir);
  const changes = { checkUnchanged: changed, atEnd: () => {} };
  await assert.rejects(markFolder(place, 'the server', changes), { code: 'ERR_CHANGED' });
  assert.equal(await movedTo(place), null);
  await bot
    .collection('notes')
    .set('a', 2)
    .catch(({ code }) => assert.equal(code, 'ERR_MOVED'));
  await bot.collection('notes').set('a', 3);
  await closeStorage(bot);
});

test('a mark that is not certain goes with the run that made it, or with the next run', async (t) => {
  const { storage: bot, dataDir } = await openStorage(t, Storage);
  await bot.collection('notes').set('a', 1);
  const place = new FolderPlace(dataDir);
  for (const isKilled of [false, true]) {
    const endings = [];
    let isAtCheck;
    const atCheck = new Promise((resolve) => {
      isAtCheck = resolve;
    });
    const checkUnchanged = () => {
      isAtCheck();
      return new Promise(() => {});
    };
    markFolder(place, 'the server', { checkUnchanged, atEnd: (end) => endings.push(end) });
    await atCheck;
    assert.match(await movedTo(place), /^not certain yet: the server/);
    if (isKilled) removeUnfinished(place);
    else for (const end of endings) end();
    assert.equal(await movedTo(place), null);
  }
  const endings = [];
  await closeStorage(bot);
  const checked = { checkUnchanged: async () => {}, atEnd: (end) => endings.push(end) };
  await markFolder(place, 'the server', checked);
  for (const end of endings) end();
  removeUnfinished(place);
  assert.match(await movedTo(place), /^the server/, 'a mark that is certain stays');
});

test('a call that fails ends the copy; nothing is rejected beside it, and a gap is named', async (t) => {
  const terminal = { progress: () => ({ to: () => {}, end: () => {} }) };
  const log = { name: 'notes', log: null, mirror: null, backups: [], archives: [] };
  const copy = async ({ isWritten, endsWith }) => {
    const source = {
      async *entries() {
        for (let number = 0; number < 10; number++) yield { entry: note(number, String(number)) };
        if (endsWith) throw endsWith;
      },
    };
    let number = 0;
    const appendLogEntry = async () => {
      if (!isWritten(number++)) throw Object.assign(new Error('no'), { code: 'ERR_TIMEOUT' });
    };
    const target = { place: {}, storage: { appendLogEntry }, async *stored() {} };
    await copyLog({ terminal, source, target, log });
  };
  const unhandled = [];
  const listener = (error) => unhandled.push(error);
  process.on('unhandledRejection', listener);
  t.after(() => process.off('unhandledRejection', listener));
  await copy({ isWritten: () => true });
  await assert.rejects(copy({ isWritten: (number) => number < 5 }), { code: 'ERR_TIMEOUT', message: 'no' });
  await assert.rejects(copy({ isWritten: (number) => number !== 5 }), ({ hint }) => /gap/.test(hint));
  await assert.rejects(copy({ isWritten: () => false, endsWith: new Error('read') }), { message: 'no' });
  await assert.rejects(copy({ isWritten: () => true, endsWith: new Error('read') }), { message: 'read' });
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(unhandled, []);
});
