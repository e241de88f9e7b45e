/**
 * Many appends in flight: `window` of them are open at any time, until `total` are on disk. Before each round, the
 * bare disk writes as many bytes in sequence and syncs once.
 *
 * Kinds: the value of a `text` entry is one long string, so JSON.stringify costs little and the way to the disk is
 * measured. The value of a `record` entry is a player with 50 games, as the bot's entries have it.
 */

import fs from 'node:fs';
import path from 'node:path';
import { sequentialWrite } from '../support/disk.mjs';
import { loadPackage } from '../support/package.mjs';
import { median } from '../support/stats.mjs';

const KEYS = 1000;
const LOG_NAME = 'bench';

export async function run({ folder, kind, entryBytes, total, window, rounds }) {
  const { Storage } = loadPackage();
  const entries = Array.from({ length: KEYS }, (_, index) => entryOf(kind, entryBytes, index));
  const stringifySeconds = timeStringify(entries, total);
  const results = [];
  for (let round = 0; round < rounds; round++) {
    const dataDir = path.join(folder, `round-${round}`);
    fs.mkdirSync(dataDir, { recursive: true });
    const storage = new Storage({ dataDir });
    await pump(storage, entries, window, window);
    const log = path.join(dataDir, 'logs', `${LOG_NAME}.log`);
    const before = fs.statSync(log).size;
    const bare = sequentialWrite(path.join(dataDir, 'sequential'), Math.round((before / window) * total));

    const begun = performance.now();
    await pump(storage, entries, total, window);
    const seconds = (performance.now() - begun) / 1000;
    const bytes = fs.statSync(log).size - before;
    results.push({ entriesPerSecond: total / seconds, bytesPerSecond: bytes / seconds, bare, bytes });
    await storage.close();
    fs.rmSync(dataDir, { recursive: true });
  }
  const middle = (field) => median(results.map((result) => result[field]));
  return {
    kind,
    window,
    total,
    entryBytes: results[0].bytes / total,
    entriesPerSecond: middle('entriesPerSecond'),
    bytesPerSecond: middle('bytesPerSecond'),
    bareBytesPerSecond: middle('bare'),
    share: median(results.map((result) => result.bytesPerSecond / result.bare)),
    stringifyPerSecond: total / stringifySeconds,
    results,
  };
}

function entryOf(kind, entryBytes, index) {
  const key = `key-${String(index).padStart(4, '0')}`;
  if (kind === 'record') return { op: 'SET', key, value: recordOf(key) };
  // The rest of the line: timestamp, op, key, checksum.
  const around =
    '{"timestamp":"2025-01-01T00:00:00.000Z","op":"SET","key":"key-0000","value":"","_crc":"01234567"}\n';
  return { op: 'SET', key, value: 'x'.repeat(entryBytes - around.length) };
}

function recordOf(userId) {
  const gamesHistory = Array.from({ length: 45 }, (_, index) => ({
    date: new Date(Date.UTC(2025, 0, 1 + index)).toISOString(),
    score: 500 + index,
    isWinner: index % 8 === 0,
    correctAnswers: index % 10,
    incorrectAnswers: 10 - (index % 10),
  }));
  return { userId, username: `Player ${userId}`, totalGames: 45, totalScore: 23_490, gamesHistory };
}

/** How long V8 alone takes to turn as many entries into text, on the one thread that all callers share. */
function timeStringify(entries, total) {
  let length = 0;
  const begun = performance.now();
  for (let count = 0; count < total; count++) length += JSON.stringify(entries[count % KEYS]).length;
  const seconds = (performance.now() - begun) / 1000;
  if (length === 0) throw new Error('nothing was written');
  return seconds;
}

/** Makes `total` appends, `window` of them open at any time; resolves when the last one is on disk. */
function pump(storage, entries, total, window) {
  return new Promise((resolve, reject) => {
    let started = 0;
    let finished = 0;
    const start = () => {
      const entry = entries[started % KEYS];
      started += 1;
      storage.appendLogEntry(LOG_NAME, entry).then(onDisk, reject);
    };
    const onDisk = () => {
      finished += 1;
      if (finished === total) resolve();
      else if (started < total) start();
    };
    for (let count = Math.min(total, window); count > 0; count--) start();
  });
}
