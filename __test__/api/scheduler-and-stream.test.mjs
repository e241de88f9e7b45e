// CompactionScheduler: which logs it compacts, and that it keeps its process alive only until it is stopped.
// streamLogEntries: a log read entry by entry. `files/scheduler-and-stream` tests both on files.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CompactionScheduler, Storage, startCompactionScheduler } from '../../index.js';
import { environmentAt } from '../support/place.mjs';
import { startOn } from '../support/scheduler.mjs';
import {
  collect,
  collectGarbage,
  openStorage,
  packageUrl,
  runScript,
  startScript,
  temporaryFolder,
  waitUntil,
} from '../support/temp.mjs';

// Three of these are over the threshold and two are not, so a log becomes due with its third entry.
const VALUE_BYTES = 400_000;

async function writeLog(storage, name, keyOf) {
  for (let i = 0; i < 3; i++) {
    await storage.appendLogEntry(name, { op: 'SET', key: keyOf(i), value: 'x'.repeat(VALUE_BYTES) });
  }
}

// A log over the threshold in which most is dead.
async function writeDeadLog(storage, name) {
  await writeLog(storage, name, () => 'k');
}

// A log over the threshold in which everything is alive.
async function writeLiveLog(storage, name) {
  await writeLog(storage, name, (i) => `k${i}`);
}

async function isCompact(storage, name) {
  const entries = await storage.readLogEntries(name);
  return entries.length === 1 && entries[0].op === 'CHECKPOINT';
}

// Appends to a compact log until it is compacted once more.
async function seeOneMoreRound(storage, name) {
  const compactedAt = async () => (await storage.readLogEntries(name))[0].compactedAt;
  const before = await compactedAt();
  await writeDeadLog(storage, name);
  await waitUntil(async () => (await compactedAt()) !== before, { what: `one more round on ${name}` });
}

// --- the scheduler ---

test('a new scheduler has its interval and does not run', () => {
  const scheduler = new CompactionScheduler();
  assert.equal(scheduler.intervalMs, 3_600_000);
  assert.equal(scheduler.isRunning, false);
  assert.equal(new CompactionScheduler(5000).intervalMs, 5000);
});

test('start and stop are synchronous, and may be called twice', () => {
  const scheduler = new CompactionScheduler(60_000);
  assert.equal(scheduler.start(), undefined);
  assert.equal(scheduler.isRunning, true);
  scheduler.start();
  assert.equal(scheduler.isRunning, true);
  assert.equal(scheduler.stop(), undefined);
  assert.equal(scheduler.isRunning, false);
  scheduler.stop();
  assert.equal(scheduler.isRunning, false);
  scheduler.start(['players']);
  assert.equal(scheduler.isRunning, true);
  scheduler.stop();
  assert.equal(scheduler.isRunning, false);
});

test('startCompactionScheduler returns a running CompactionScheduler', () => {
  const scheduler = startCompactionScheduler(60_000, ['players']);
  assert.ok(scheduler instanceof CompactionScheduler);
  assert.equal(scheduler.intervalMs, 60_000);
  assert.equal(scheduler.isRunning, true);
  scheduler.stop();
  const hourly = startCompactionScheduler();
  assert.equal(hourly.intervalMs, 3_600_000);
  hourly.stop();
});

test('it compacts a log that is over the threshold and mostly dead', async (t) => {
  const { storage } = await openStorage(t, Storage);
  await writeDeadLog(storage, 'game_state');
  startOn(t, storage);
  await waitUntil(() => isCompact(storage, 'game_state'), { what: 'a compaction' });
  assert.deepEqual(await storage.rebuildStateFromLog('game_state'), { k: 'x'.repeat(VALUE_BYTES) });
});

test('it leaves live, small and missing logs alone, and compacts none twice', async (t) => {
  const { storage } = await openStorage(t, Storage);
  await writeLiveLog(storage, 'alive');
  const alive = await storage.readLogEntries('alive');
  await storage.appendLogEntry('small', { op: 'SET', key: 'k', value: 1 });
  await writeDeadLog(storage, 'dead');
  startOn(t, storage, ['alive', 'small', 'absent', 'dead']);
  await waitUntil(() => isCompact(storage, 'dead'), { what: 'the compaction of the last in the list' });
  const compacted = await storage.readLogEntries('dead');
  // A second log becomes due: when it is compacted, more rounds have passed.
  await writeDeadLog(storage, 'small');
  await waitUntil(() => isCompact(storage, 'small'), { what: 'a later round' });
  assert.deepEqual(await storage.readLogEntries('dead'), compacted, 'compact already');
  assert.deepEqual(await storage.readLogEntries('alive'), alive);
  assert.equal(await storage.getLogSize('absent'), 0);
});

test('a second start while it runs does nothing', async (t) => {
  const { storage } = await openStorage(t, Storage);
  await writeDeadLog(storage, 'second');
  const scheduler = startOn(t, storage, ['first']);
  scheduler.start(['second']);
  await writeDeadLog(storage, 'first');
  await waitUntil(() => isCompact(storage, 'first'), { what: 'the compaction of the first list' });
  await seeOneMoreRound(storage, 'first');
  assert.equal(await isCompact(storage, 'second'), false);
  scheduler.stop();
  scheduler.start(['second']);
  await waitUntil(() => isCompact(storage, 'second'), { what: 'the second list, started anew' });
});

test('after stop there is no compaction any more', async (t) => {
  const { storage } = await openStorage(t, Storage);
  const stopped = startOn(t, storage, ['stopped']);
  stopped.stop();
  await writeDeadLog(storage, 'stopped');
  await writeDeadLog(storage, 'running');
  startOn(t, storage, ['running']);
  await waitUntil(() => isCompact(storage, 'running'), { what: 'another scheduler' });
  await seeOneMoreRound(storage, 'running');
  assert.equal(await isCompact(storage, 'stopped'), false);
});

test('entries that arrive during scheduled compactions are kept', async (t) => {
  const { storage } = await openStorage(t, Storage);
  startOn(t, storage, ['busy'], 5);
  const text = 'x'.repeat(20_000);
  let count = 0;
  const compactions = new Set();
  await waitUntil(
    async () => {
      await Promise.all(
        Array.from({ length: 20 }, () =>
          storage.appendLogEntry('busy', { op: 'SET', key: `k${count++ % 7}`, value: [count, text] }),
        ),
      );
      const [{ compactedAt }] = await storage.readLogEntries('busy');
      if (compactedAt) compactions.add(compactedAt);
      return compactions.size >= 3;
    },
    { what: 'three compactions under load', everyMs: 0 },
  );
  const state = await storage.rebuildStateFromLog('busy');
  const newest = Object.values(state)
    .map(([n]) => n)
    .sort((a, b) => a - b);
  assert.deepEqual(
    newest,
    Array.from({ length: 7 }, (_, i) => count - 6 + i),
  );
});

test('it keeps its process alive until it is stopped', async (t) => {
  const cwd = await temporaryFolder(t);
  const result = await runScript(t, {
    cwd,
    env: await environmentAt(cwd),
    source: `
      import { appendLogEntry, readLogEntries, startCompactionScheduler } from ${JSON.stringify(packageUrl)};
      const value = 'x'.repeat(${VALUE_BYTES});
      for (let i = 0; i < 3; i++) await appendLogEntry('game_state', { op: 'SET', key: 'k', value });
      const scheduler = startCompactionScheduler(200);
      // This timer does not keep the process alive. Only the scheduler does, until the timer stops it.
      setInterval(async () => {
        if ((await readLogEntries('game_state'))[0].op === 'CHECKPOINT' && scheduler.isRunning) {
          console.log('compacted');
          scheduler.stop();
        }
      }, 20).unref();
      process.on('exit', () => console.log('running at exit:', scheduler.isRunning));
    `,
  });
  assert.equal(result.code, 0, result.stderr);
  assert.match(result.stdout, /^compacted\n/);
  assert.match(result.stdout, /running at exit: false\n$/);
});

test('process.exit ends a process with a running scheduler', async (t) => {
  const cwd = await temporaryFolder(t);
  const result = await runScript(t, {
    cwd,
    env: await environmentAt(cwd),
    source: `
      import { startCompactionScheduler, updatePlayerStats } from ${JSON.stringify(packageUrl)};
      startCompactionScheduler();
      await updatePlayerStats('u', 'Ann', 1);
      process.exit(3);
    `,
  });
  assert.equal(result.code, 3, result.stderr);
});

test('a process that only stores something ends by itself', async (t) => {
  const cwd = await temporaryFolder(t);
  const { ended } = await startScript(t, {
    cwd,
    env: await environmentAt(cwd),
    source: `
      import { updatePlayerStats } from ${JSON.stringify(packageUrl)};
      await updatePlayerStats('u', 'Ann', 1);
    `,
  });
  const result = await ended;
  assert.equal(result.code, 0, result.stderr);
});

// --- streamLogEntries ---

test('a stream yields the entries that readLogEntries returns', async (t) => {
  const { storage } = await openStorage(t, Storage);
  assert.deepEqual(await collect(storage.streamLogEntries('notes')), []);
  const promises = [];
  for (let i = 0; i < 3000; i++) {
    promises.push(
      storage.appendLogEntry('notes', { op: 'SET', key: `k${i}`, value: { i, text: 'é'.repeat(i % 50) } }),
    );
  }
  await Promise.all(promises);
  const entries = await collect(storage.streamLogEntries('notes'));
  assert.equal(entries.length, 3000);
  assert.deepEqual(entries, await storage.readLogEntries('notes'));
  assert.ok(entries.every((entry) => !('_crc' in entry)));
});

test('a stream is an async iterator before its first entry', async (t) => {
  const { storage } = await openStorage(t, Storage);
  for (const i of [1, 2, 3]) await storage.appendLogEntry('notes', { op: 'NOTE', i });
  const stream = storage.streamLogEntries('notes');
  assert.equal(typeof stream.next, 'function');
  assert.equal(typeof stream[Symbol.asyncIterator], 'function');
  const first = await stream.next();
  assert.equal(first.done, false);
  assert.equal(first.value.i, 1);
  assert.deepEqual(
    (await collect(stream)).map((entry) => entry.i),
    [2, 3],
  );
  assert.equal((await stream.next()).done, true);
});

test('entries of all lengths', async (t) => {
  const { storage } = await openStorage(t, Storage);
  const entries = [0, 1, 65_000, 65_536, 131_072, 3_000_000, 5].map((length, i) => ({
    timestamp: '2024-01-01T00:00:00.000Z',
    i,
    text: 'é'.repeat(length),
  }));
  for (const entry of entries) await storage.appendLogEntry('notes', entry);
  assert.deepEqual(await collect(storage.streamLogEntries('notes')), entries);
});

test('a stream may be left early, and two may run at once', async (t) => {
  const { storage } = await openStorage(t, Storage);
  await Promise.all(
    Array.from({ length: 500 }, (_, i) => storage.appendLogEntry('notes', { op: 'NOTE', i })),
  );
  for await (const entry of storage.streamLogEntries('notes')) if (entry.i === 10) break;
  const one = storage.streamLogEntries('notes');
  const two = storage.streamLogEntries('notes');
  for (let i = 0; i < 500; i++) {
    assert.equal((await one.next()).value.i, i);
    assert.equal((await two.next()).value.i, i);
  }
  assert.equal((await one.next()).done, true);
  await storage.appendLogEntry('notes', { op: 'NOTE', i: 500 });
  assert.equal((await collect(storage.streamLogEntries('notes'))).length, 501);
});

test('a stream goes on while the log is appended to and compacted', async (t) => {
  const { storage } = await openStorage(t, Storage);
  await Promise.all(
    Array.from({ length: 2000 }, (_, i) =>
      storage.appendLogEntry('notes', { op: 'SET', key: `k${i % 3}`, value: i }),
    ),
  );
  const seen = [];
  for await (const entry of storage.streamLogEntries('notes')) {
    if (seen.length === 5) await storage.appendLogEntry('notes', { op: 'SET', key: 'late', value: -1 });
    if (seen.length === 10) await storage.compactLog('notes');
    seen.push(entry);
    if (seen.length > 2100) break;
  }
  // Each entry from before the start comes once and in order; the late one may come.
  assert.deepEqual(
    seen.slice(0, 2000).map((entry) => entry.value),
    Array.from({ length: 2000 }, (_, i) => i),
  );
  assert.ok(seen.length <= 2001);
});

test('a bad name is refused at once', async (t) => {
  const { storage } = await openStorage(t, Storage);
  for (const name of ['', '../x', 'a/b', 5, undefined, null]) {
    assert.throws(() => storage.streamLogEntries(name), TypeError, String(name));
  }
});

test('an abandoned stream releases its memory', {
  skip: !collectGarbage && 'no garbage collector to be called',
}, async (t) => {
  const { storage } = await openStorage(t, Storage);
  for (let i = 0; i < 3; i++) await storage.appendLogEntry('events', { i });
  const first = await (async () => {
    const { value } = await storage.streamLogEntries('events').next();
    assert.equal(value.i, 0);
    return new WeakRef(value);
  })();
  await waitUntil(
    () => {
      collectGarbage();
      return first.deref() === undefined;
    },
    { what: 'the entries to be garbage' },
  );
});
