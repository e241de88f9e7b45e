// streamLogEntries for a consumer that pauses between entries: all entries arrive, other calls go on beside it, and it
// can be left at any time. A stream gives timers and sockets their turn, and nothing else may be under way then: that
// turn must come all the same.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { Storage } from '../../index.js';
import { openStorage } from '../support/temp.mjs';

const COUNT = 12;
// Ends a test that hangs; it measures nothing.
const DEADLINE_MS = 60_000;

async function soon(promise, what) {
  const stop = new AbortController();
  const deadline = pause(DEADLINE_MS, undefined, { signal: stop.signal }).then(() => {
    throw new Error(`waited in vain for ${what}`);
  });
  deadline.catch(() => {});
  try {
    return await Promise.race([promise, deadline]);
  } finally {
    stop.abort();
  }
}

async function withEntries(t) {
  const { storage } = await openStorage(t, Storage);
  await Promise.all(Array.from({ length: COUNT }, (_, i) => storage.appendLogEntry('notes', { i })));
  return storage;
}

/** A stream whose first entry has arrived. */
async function begun(t) {
  const storage = await withEntries(t);
  const stream = storage.streamLogEntries('notes');
  assert.equal((await stream.next()).value.i, 0);
  return { storage, stream };
}

const all = Array.from({ length: COUNT }, (_, i) => i);

async function numbersOf(stream, pauseMs) {
  const numbers = [];
  for await (const { i } of stream) {
    numbers.push(i);
    await pause(pauseMs);
  }
  return numbers;
}

for (const pauseMs of [1, 4, 10]) {
  test(`all entries arrive where the consumer pauses for ${pauseMs} ms after each`, async (t) => {
    const storage = await withEntries(t);
    assert.deepEqual(await soon(numbersOf(storage.streamLogEntries('notes'), pauseMs), 'the stream'), all);
  });
}

test('several streams that pause at once', async (t) => {
  const storage = await withEntries(t);
  const streams = [1, 3, 4, 7].map((pauseMs) => numbersOf(storage.streamLogEntries('notes'), pauseMs));
  for (const numbers of await soon(Promise.all(streams), 'four streams')) assert.deepEqual(numbers, all);
});

test('reads are answered beside a stream that pauses', async (t) => {
  const storage = await withEntries(t);
  const things = storage.collection('things');
  await things.set('a', 1);
  const numbers = numbersOf(storage.streamLogEntries('notes'), 4);
  let isDone = false;
  const reads = (async () => {
    while (!isDone) {
      assert.equal(await things.get('a'), 1);
      await assert.rejects(things.get(5), TypeError);
      await pause(1);
    }
  })();
  assert.deepEqual(await soon(numbers, 'the stream'), all);
  isDone = true;
  await soon(reads, 'the reads');
});

test('reads are answered while an entry is waited for after a pause', async (t) => {
  const storage = await withEntries(t);
  const things = storage.collection('things');
  await things.set('a', 1);
  const stream = storage.streamLogEntries('notes');
  for (const i of all) {
    await pause(5);
    const next = stream.next();
    assert.equal(await soon(things.get('a'), 'a value'), 1);
    await soon(assert.rejects(things.get(5), TypeError), 'a refusal');
    assert.equal((await soon(next, 'an entry')).value.i, i);
  }
  assert.equal((await soon(stream.next(), 'the end')).done, true);
});

test('return() ends a stream after a pause', async (t) => {
  const { stream } = await begun(t);
  await pause(5);
  assert.equal((await soon(stream.return(), 'return()')).done, true);
  assert.equal((await soon(stream.next(), 'the end')).done, true);
});

test('return() ends a stream while an entry is waited for', async (t) => {
  const { stream } = await begun(t);
  await pause(5);
  const waiting = stream.next();
  assert.equal((await soon(stream.return(), 'return()')).done, true);
  await soon(waiting, 'the call before it');
  assert.equal((await soon(stream.next(), 'the end')).done, true);
});

test('a stream that pauses comes to its end when its storage is closed', async (t) => {
  const { storage, stream } = await begun(t);
  await storage.close();
  assert.deepEqual(await soon(numbersOf(stream, 4), 'the stream'), all.slice(1));
});

test('a call after a pause is refused at once where the storage is closed', async (t) => {
  const { storage, stream } = await begun(t);
  await storage.close();
  await pause(5);
  const next = stream.next();
  await soon(assert.rejects(storage.readLogEntries('notes'), { code: 'ERR_STORAGE_CLOSED' }), 'the refusal');
  assert.equal((await soon(next, 'an entry')).value.i, 1);
  await soon(stream.return(), 'return()');
});
