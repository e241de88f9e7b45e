// CompactionScheduler and streamLogEntries on files: logs that others wrote or replace, the backup of a compaction, a log
// that cannot be read. `api/scheduler-and-stream` tests what the calls do.

import assert from 'node:assert/strict';
import { mkdir, readdir, readFile, rename, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { Storage } from '../../index.js';
import { startOn } from '../support/scheduler.mjs';
import {
  collect,
  logPath,
  openStorage,
  packageUrl,
  readLogLines,
  runScript,
  temporaryFolder,
  waitUntil,
} from '../support/temp.mjs';

// Replaces a log by a rename: a running scheduler must never read half of it.
async function writeLog(dataDir, name, keyOf) {
  const lines = [];
  for (let i = 0; i < 1200; i++) {
    const entry = {
      timestamp: '2024-01-01T00:00:00.000Z',
      op: 'SET',
      key: keyOf(i),
      value: 'x'.repeat(1000),
    };
    lines.push(`${JSON.stringify(entry)}\n`);
  }
  const file = logPath(dataDir, name);
  await mkdir(path.dirname(file), { recursive: true });
  await writeFile(`${file}.new`, lines.join(''));
  await rename(`${file}.new`, file);
}

// A log over the threshold in which nearly all is dead.
async function writeDeadLog(dataDir, name) {
  await writeLog(dataDir, name, () => 'k');
}

// A log over the threshold in which everything is alive.
async function writeLiveLog(dataDir, name) {
  await writeLog(dataDir, name, (i) => `k${i}`);
}

async function isCompact(dataDir, name) {
  const lines = await readLogLines(dataDir, name);
  return lines.length === 1 && JSON.parse(lines[0]).op === 'CHECKPOINT';
}

async function backupsOf(dataDir, name) {
  return (await readdir(path.join(dataDir, 'logs'))).filter((file) => file.startsWith(`${name}.log.backup.`));
}

test('it compacts a log that is over the threshold and mostly dead', async (t) => {
  const { storage, dataDir } = await openStorage(t, Storage);
  await writeDeadLog(dataDir, 'game_state');
  const before = await readFile(logPath(dataDir, 'game_state'), 'utf8');
  startOn(t, storage);
  await waitUntil(() => isCompact(dataDir, 'game_state'), { what: 'a compaction' });
  const backups = await backupsOf(dataDir, 'game_state');
  assert.equal(backups.length, 1);
  assert.equal(await readFile(path.join(dataDir, 'logs', backups[0]), 'utf8'), before);
  assert.deepEqual(await storage.rebuildStateFromLog('game_state'), { k: 'x'.repeat(1000) });
});

test('it leaves live, small and missing logs alone, and compacts none twice', async (t) => {
  const { storage, dataDir } = await openStorage(t, Storage);
  await writeLiveLog(dataDir, 'alive');
  const alive = await readFile(logPath(dataDir, 'alive'), 'utf8');
  await storage.appendLogEntry('small', { op: 'SET', key: 'k', value: 1 });
  await writeDeadLog(dataDir, 'dead');
  startOn(t, storage, ['alive', 'small', 'absent', 'dead']);
  await waitUntil(() => isCompact(dataDir, 'dead'), { what: 'the compaction of the last in the list' });
  // A second log becomes due: when it is compacted, more rounds have passed.
  await writeDeadLog(dataDir, 'small');
  await waitUntil(() => isCompact(dataDir, 'small'), { what: 'a later round' });
  assert.equal((await backupsOf(dataDir, 'dead')).length, 1, 'compact already');
  assert.equal((await backupsOf(dataDir, 'alive')).length, 0);
  assert.equal(await readFile(logPath(dataDir, 'alive'), 'utf8'), alive);
  assert.equal(await storage.getLogSize('absent'), 0);
});

test('a failure on one log stops neither the others nor later rounds', async (t) => {
  const { storage, dataDir } = await openStorage(t, Storage);
  // A folder at the log's path: nobody can read or replace it, not even root.
  await mkdir(path.join(logPath(dataDir, 'broken'), 'in the way'), { recursive: true });
  await writeDeadLog(dataDir, 'dead');
  const scheduler = startOn(t, storage, ['broken', 'dead']);
  await waitUntil(() => isCompact(dataDir, 'dead'), { what: 'the log after the broken one' });
  await writeDeadLog(dataDir, 'dead');
  await waitUntil(() => isCompact(dataDir, 'dead'), { what: 'the next round' });
  assert.equal(scheduler.isRunning, true);
});

test('entries that arrive during scheduled compactions are kept', async (t) => {
  const { storage, dataDir } = await openStorage(t, Storage);
  startOn(t, storage, ['busy'], 5);
  const text = 'x'.repeat(20_000);
  let count = 0;
  await waitUntil(
    async () => {
      await Promise.all(
        Array.from({ length: 20 }, () =>
          storage.appendLogEntry('busy', { op: 'SET', key: `k${count++ % 7}`, value: [count, text] }),
        ),
      );
      return (await backupsOf(dataDir, 'busy')).length >= 3;
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
  await writeDeadLog(path.join(cwd, 'data'), 'game_state');
  const result = await runScript(t, {
    cwd,
    source: `
      import { readFileSync } from 'node:fs';
      import { startCompactionScheduler } from ${JSON.stringify(packageUrl)};
      const scheduler = startCompactionScheduler(200);
      // This timer does not keep the process alive. Only the scheduler does, until the timer stops it.
      setInterval(() => {
        if (readFileSync('data/logs/game_state.log', 'utf8').startsWith('{"op":"CHECKPOINT"')) {
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

test('lines of all lengths, and lines of other writers', async (t) => {
  const { storage, dataDir } = await openStorage(t, Storage);
  await mkdir(path.join(dataDir, 'logs'), { recursive: true });
  const entries = [0, 1, 65_000, 65_536, 131_072, 3_000_000, 5].map((length, i) => ({
    i,
    text: 'é'.repeat(length),
  }));
  await writeFile(logPath(dataDir, 'notes'), entries.map((entry) => `${JSON.stringify(entry)}\n`).join('\n'));
  assert.deepEqual(await collect(storage.streamLogEntries('notes')), entries);
});
