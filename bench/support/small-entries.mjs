/**
 * Many small entries for few keys, as in a log that was never compacted.
 */

import fs from 'node:fs';
import path from 'node:path';
import { crc32 } from './fixture.mjs';

const CHUNK_ENTRIES = 20_000;

/** `[key, value]` of `total` changes, spread evenly over `keys` keys. */
export function* smallEntries(total, keys) {
  for (let count = 0; count < total; count++) {
    yield [
      `key-${String(count % keys).padStart(4, '0')}`,
      { score: count, name: 'A small value', open: true },
    ];
  }
}

/** Writes them as a log of this package. The old module can read it too. */
export function writeEntries(folder, logName, total, keys) {
  fs.mkdirSync(path.join(folder, 'logs'), { recursive: true });
  const fd = fs.openSync(path.join(folder, 'logs', `${logName}.log`), 'w');
  const from = Date.UTC(2025, 0, 1);
  let lines = [];
  const write = () => {
    fs.writeSync(fd, lines.join(''));
    lines = [];
  };
  let count = 0;
  for (const [key, value] of smallEntries(total, keys)) {
    const timestamp = new Date(from + count++ * 1000).toISOString();
    const text = JSON.stringify({ timestamp, op: 'SET', key, value }).slice(0, -1);
    lines.push(`${text},"_crc":"${crc32(Buffer.from(text)).toString(16).padStart(8, '0')}"}\n`);
    if (lines.length === CHUNK_ENTRIES) write();
  }
  write();
  fs.fsyncSync(fd);
  fs.closeSync(fd);
}
