/**
 * The cost of an update in counts that are the same on every machine: system calls, syncs, bytes written, wake-ups of the
 * event loop. The bounds are a little above these counts, so a change that makes updates more expensive fails here.
 *
 * The counts are those of the thread that writes the log. They come from a trace of a child process.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { fileURLToPath } from 'node:url';
import { whyNoStrace } from '../support/strace.mjs';
import { temporaryFolder } from '../support/temp.mjs';

const UPDATES = 40;
const BURST = 1000;
/** Of the thread that writes the log: a large JSON file that is due, and one that is put in its place. */
const BACKGROUND_MIRROR_CALLS = 40;
const CHILD = fileURLToPath(new URL('../children/few-updates.mjs', import.meta.url));

/** Memory and waiting: how often depends on sizes and on the machine. */
const UNCOUNTED = ['futex', 'mmap', 'munmap', 'mprotect', 'mremap', 'madvise', 'brk', 'sched_yield'];

const skip = whyNoStrace('trace=fsync');

/** `{ thread, call, line }` of each system call, by the part between two marks in which it began. */
function partsOf(trace) {
  const parts = new Map();
  let part = [];
  for (const line of trace.split('\n')) {
    const [, thread, call] = /^(\d+) +(\w+)\(/.exec(line) ?? [];
    const mark = /"MARK ([^"\\]+)/.exec(line)?.[1];
    if (mark) {
      part = [];
      parts.set(mark, part);
    } else if (call) part.push({ thread, call, line });
  }
  return parts;
}

async function traced(t) {
  const folder = await temporaryFolder(t);
  const file = path.join(folder, 'trace');
  const data = path.join(folder, 'data');
  const result = spawnSync(
    'strace',
    ['-f', '-y', '-s', '64', '-o', file, process.execPath, CHILD, data, String(UPDATES), String(BURST)],
    { encoding: 'utf8' },
  );
  assert.equal(result.status, 0, result.stderr);
  const parts = partsOf(fs.readFileSync(file, 'utf8'));
  const isLogWrite = ({ call, line }) => call === 'write' && line.includes('players.log>, "{');
  const writer = parts.get('one by one').find(isLogWrite).thread;
  return { parts, writer, isLogWrite };
}

test('system calls and wake-ups for each update', { skip }, async (t) => {
  const { parts, writer, isLogWrite } = await traced(t);
  const ofWriter = (name) => parts.get(name).filter(({ thread }) => thread === writer);
  const count = (calls, name) => calls.filter(({ call }) => call === name).length;
  const isWakeUp = ({ call, line }) => call === 'write' && line.includes('anon_inode:[eventfd]');

  const alone = ofWriter('one by one');
  const each = (number) => number / UPDATES;
  assert.equal(alone.filter(isLogWrite).length, UPDATES, 'one write of the log for each awaited update');
  const syncs = alone.filter(({ call, line }) => call === 'fdatasync' && line.includes('players.log'));
  assert.equal(syncs.length, UPDATES, 'and one sync');
  const isCounted = ({ call }) => !UNCOUNTED.includes(call);
  const work = alone.filter(isCounted);
  assert.ok(each(work.length) <= 20, `${each(work.length)} system calls an update`);
  // A few more, of all of them together, where the large JSON file becomes due meanwhile.
  assert.ok(each(count(alone, 'statx')) <= 9.1, `${each(count(alone, 'statx'))} stats an update`);
  assert.ok(each(count(alone, 'flock')) <= 4.5, `${each(count(alone, 'flock'))} locks an update`);
  assert.ok(each(alone.filter(isWakeUp).length) <= 1.1, 'one wake-up of the event loop for each answer');

  // Group commit: the size of the batches depends on the machine, the cost of a batch does not.
  const together = ofWriter('at once');
  const writes = together.filter(isLogWrite).length;
  assert.ok(writes < BURST / 2, `${BURST} updates at once in ${writes} writes`);
  const batchWork = together.filter(isCounted).length;
  // On a slow machine the large JSON file becomes due meanwhile: the worker's calls or the rename show that.
  const isOfMirror = ({ thread, call, line }) =>
    line.includes('players.json') && (thread !== writer || call.startsWith('rename'));
  const isMirrored = parts.get('at once').some(isOfMirror);
  const allowed = 24 * writes + (isMirrored ? BACKGROUND_MIRROR_CALLS : 0);
  assert.ok(batchWork <= allowed, `${batchWork} system calls in ${writes} batches`);
  assert.ok(together.filter(isWakeUp).length <= writes + 1, 'one wake-up of the event loop for each batch');
  const synced = together.filter(({ call, line }) => call === 'fdatasync' && line.includes('players.log'));
  assert.equal(synced.length, writes, 'one sync for each batch');

  // With a JSON file of up to 64 KiB. ext4 writes a truncated file to the disk when it is closed. So only the new JSON
  // file, which is empty anyway, may be opened with O_TRUNC.
  const small = ofWriter('small JSON file');
  const smallWork = small.filter(isCounted);
  // One of them checks, just before the write, that the lock file is still the one at its path.
  assert.ok(each(smallWork.length) <= 53, `${each(smallWork.length)} system calls an update`);
  // One more for a JSON file that was not written when the updates began.
  assert.ok(each(count(small, 'rename')) <= 1.1, `${each(count(small, 'rename'))} renames an update`);
  const emptied = small.filter(({ call, line }) => /O_TRUNC/.test(line) || call === 'ftruncate');
  const ofOldFiles = emptied.filter(({ line }) => !line.includes('.tmp"'));
  // The first write of the record sets its length.
  assert.ok(ofOldFiles.length <= 1, ofOldFiles.map(({ line }) => line).join('\n'));

  // A transaction over two logs: one sync for each, and one for the note that makes them one.
  const transactions = ofWriter('transactions');
  for (const file of ['/coins.log>', '/items.log>', '/.progressive-storage/transaction>']) {
    const ofFile = transactions.filter(({ call, line }) => call === 'fdatasync' && line.includes(file));
    assert.equal(ofFile.length, UPDATES, `syncs of ${file}`);
  }
  assert.equal(count(transactions, 'fsync'), 0, 'no folder is synced');
  const transactionWork = transactions.filter(isCounted);
  assert.ok(
    each(transactionWork.length) <= 175,
    `${each(transactionWork.length)} system calls a transaction`,
  );
});

test('bytes written for each update', async (t) => {
  const { default: ours } = await import('../../index.js');
  const folder = await temporaryFolder(t);
  const storage = new ours.Storage({ dataDir: folder });
  const log = path.join(folder, 'logs', 'players.log');
  for (let count = 0; count < 50; count++) await storage.updatePlayerStats('one', 'One', 10, true, 1, 1);
  const before = fs.statSync(log).size;
  const record = await storage.updatePlayerStats('one', 'One', 10, true, 1, 1);
  const added = fs.statSync(log).size - before;
  const value = Buffer.byteLength(JSON.stringify(record));
  // Timestamp, op, key and checksum: 93 bytes around key and value.
  assert.ok(added <= value + '"one"'.length + 93, `${added} bytes for a record of ${value}`);
  await storage.close();
});
