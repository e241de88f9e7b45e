// A stream has its log open from its first entry to its end: until the last entry was given, or the stream was left. Then
// it is closed, also while somebody keeps the iterator.

import assert from 'node:assert/strict';
import { existsSync, readdirSync, readlinkSync } from 'node:fs';
import { test } from 'node:test';
import { LogEntryStream, Storage } from '../../index.js';
import { logPath, openStorage, waitUntil } from '../support/temp.mjs';

const FOLDER = '/proc/self/fd';
const skip = !existsSync(FOLDER) && `there is no ${FOLDER} that shows the open files`;
const COUNT = 6;
// Each entry is a piece of its own.
const TEXT = 'x'.repeat(600_000);

function opened(file) {
  const links = readdirSync(FOLDER).map((descriptor) => {
    try {
      return readlinkSync(`${FOLDER}/${descriptor}`);
    } catch {
      // It was that of the folder itself.
      return '';
    }
  });
  return links.filter((link) => link === file).length;
}

// A stream behind its first entry, and how often its log is open beside it.
async function begun(t) {
  const { storage, dataDir } = await openStorage(t, Storage);
  await Promise.all(
    Array.from({ length: COUNT }, (_, i) => storage.appendLogEntry('notes', { i, text: TEXT })),
  );
  // Nothing beside the writer looks into the log any more.
  await storage.flush();
  const log = logPath(dataDir, 'notes');
  const before = opened(log);
  const stream = storage.streamLogEntries('notes');
  assert.equal(opened(log), before, 'nothing is opened before the first entry');
  assert.equal((await stream.next()).value.i, 0);
  // The writer may have a second look at it for a moment.
  await waitUntil(() => opened(log) === before + 1, { what: 'the log to be open once more' });
  return { storage, stream, countOpen: () => opened(log), isClosed: () => opened(log) === before };
}

test('a log is closed when its last entry was given', { skip }, async (t) => {
  const { stream, isClosed } = await begun(t);
  let count = 1;
  for await (const _ of { [Symbol.asyncIterator]: () => ({ next: () => stream.next() }) }) count++;
  assert.equal(count, COUNT);
  assert.ok(isClosed());
  assert.equal((await stream.next()).done, true);
});

test('a log is closed when its stream is left', { skip }, async (t) => {
  const { stream, isClosed } = await begun(t);
  for await (const { i } of stream) if (i === 5) break;
  assert.ok(isClosed());
  assert.equal((await stream.next()).done, true);
});

test('a log is closed by return() before that resolves', { skip }, async (t) => {
  const { stream, isClosed } = await begun(t);
  const returned = stream.return();
  assert.ok(isClosed());
  assert.deepEqual(await returned, { value: undefined, done: true });
  assert.deepEqual(await stream.return(), { value: undefined, done: true });
});

test('return() does not wait for an entry that is being read; the log is closed behind that', {
  skip,
}, async (t) => {
  const { stream, isClosed } = await begun(t);
  const order = [];
  const waiting = stream.next().then((answer) => {
    order.push('next');
    return answer;
  });
  // Until it reads, which ends in a later turn of the event loop.
  for (let i = 0; i < 10; i++) await undefined;
  await stream.return();
  order.push('return');
  assert.ok(!isClosed(), 'a piece is being read');
  assert.equal((await waiting).done, true);
  assert.deepEqual(order, ['return', 'next']);
  assert.ok(isClosed());
  assert.equal((await stream.next()).done, true);
});

test('a stream that is left before its first entry opens nothing', { skip }, async (t) => {
  const { storage, isClosed, stream } = await begun(t);
  await stream.return();
  const other = storage.streamLogEntries('notes');
  await other.return();
  assert.equal((await other.next()).done, true);
  assert.ok(isClosed());
});

test('a stream closes its log at its end where its storage was closed before', { skip }, async (t) => {
  const { storage, stream, countOpen } = await begun(t);
  await storage.close();
  assert.ok(countOpen() > 0, 'the stream has it open');
  let count = 1;
  for await (const _ of { [Symbol.asyncIterator]: () => ({ next: () => stream.next() }) }) count++;
  assert.equal(count, COUNT);
  // The writer ends with the last stream, beside this thread.
  await waitUntil(() => countOpen() === 0, { what: 'the log to be closed' });
  assert.equal((await stream.next()).done, true);
});

test('a stream is made by streamLogEntries() alone', () => {
  for (const reader of [undefined, null, {}, { read: async () => [], close() {} }, 5]) {
    assert.throws(() => new LogEntryStream(reader), { name: 'TypeError', code: 'ERR_INVALID_ARG_TYPE' });
  }
});
