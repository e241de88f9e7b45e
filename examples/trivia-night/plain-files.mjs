/**
 * Reads the data folder with plain JavaScript, without the package: a second opinion on what is on disk.
 *
 * Replay: SET with a key sets it, SET with `data` merges it, DELETE removes a key, CHECKPOINT merges its state. A
 * line may end in `,"_crc":"89abcdef"}`, the CRC-32 of all bytes before it. A last line without a line break was cut
 * off by the kill and does not count. A group of lines (all but its last have `_more`) does not count either where
 * its last line is missing.
 */

import fs from 'node:fs';
import path from 'node:path';

/** The bot's three logs. */
export const LOGS = ['players', 'tokens', 'game_state'];

const CRC_SUFFIX = /^,"_crc":"([0-9a-f]{8})"\}$/;
const CRC_SUFFIX_BYTES = ',"_crc":"89abcdef"}'.length;
const LINE_BREAK = 0x0a;

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
  return value >>> 0;
});

function crc32(bytes) {
  let value = 0xffffffff;
  for (let index = 0; index < bytes.length; index++) {
    value = CRC_TABLE[(value ^ bytes[index]) & 0xff] ^ (value >>> 8);
  }
  return (value ^ 0xffffffff) >>> 0;
}

export function logPath(folder, name) {
  return path.join(folder, 'logs', `${name}.log`);
}

/**
 * Replays one log file: `{ exists, state, entries, withChecksum, damaged, tornBytes }`. `damaged` counts the
 * lines that are not a JSON object or have a wrong checksum.
 */
export function readLog(file) {
  const log = {
    exists: false,
    state: Object.create(null),
    entries: 0,
    withChecksum: 0,
    damaged: 0,
    tornBytes: 0,
  };
  let bytes;
  try {
    bytes = fs.readFileSync(file);
  } catch (error) {
    if (error.code === 'ENOENT') return log;
    throw error;
  }
  log.exists = true;
  let group = [];
  let groupStart = 0;
  let start = 0;
  for (let end = bytes.indexOf(LINE_BREAK); end !== -1; end = bytes.indexOf(LINE_BREAK, start)) {
    const line = bytes.subarray(start, end);
    if (group.length === 0) groupStart = start;
    start = end + 1;
    if (line.length === 0) continue;
    const entry = readLine(line, log);
    if (entry === null) continue;
    group.push(entry);
    if (entry._more === undefined) {
      for (const member of group) apply(log.state, member);
      log.entries += group.length;
      group = [];
    }
  }
  log.tornBytes = bytes.length - (group.length > 0 ? groupStart : start);
  return log;
}

function readLine(line, log) {
  const suffix = CRC_SUFFIX.exec(line.subarray(-CRC_SUFFIX_BYTES).toString('latin1'));
  let entry = null;
  if (suffix !== null) log.withChecksum += 1;
  if (suffix === null || crc32(line.subarray(0, -CRC_SUFFIX_BYTES)) === Number.parseInt(suffix[1], 16)) {
    try {
      entry = JSON.parse(line.toString('utf8'));
    } catch {
      // Counted below, with the lines that are no objects.
    }
  }
  if (entry === null || typeof entry !== 'object' || Array.isArray(entry)) {
    log.damaged += 1;
    return null;
  }
  return entry;
}

function apply(state, entry) {
  if (entry.op === 'SET' && entry.key) {
    if (entry.value === undefined) delete state[entry.key];
    else state[entry.key] = entry.value;
  } else if (entry.op === 'SET') {
    Object.assign(state, entry.data);
  } else if (entry.op === 'DELETE') {
    delete state[entry.key];
  } else if (entry.op === 'CHECKPOINT') {
    Object.assign(state, entry.state);
  }
}

/** The object in NAME.json; null when there is none or it is no JSON object. */
export function readMirror(folder, name) {
  try {
    const value = JSON.parse(fs.readFileSync(path.join(folder, `${name}.json`), 'utf8'));
    return value !== null && typeof value === 'object' && !Array.isArray(value) ? value : null;
  } catch (error) {
    if (error.code === 'ENOENT' || error instanceof SyntaxError) return null;
    throw error;
  }
}

/**
 * What a folder holds before the night: Map of key → the values that log and JSON file have for it (one value
 * when they agree or only one of them has the key).
 */
export function readBefore(folder, name) {
  const before = new Map();
  for (const source of [readLog(logPath(folder, name)).state, readMirror(folder, name) ?? {}]) {
    for (const [key, value] of Object.entries(source)) {
      const values = before.get(key) ?? [];
      if (!values.some((other) => sameJson(other, value))) before.set(key, [...values, value]);
    }
  }
  return before;
}

/** How many damaged lines each log has. */
export function damagedLines(folder) {
  return Object.fromEntries(LOGS.map((name) => [name, readLog(logPath(folder, name)).damaged]));
}

export function sameJson(one, other) {
  return JSON.stringify(one) === JSON.stringify(other);
}

/** Whether two states hold the same values in the same order of keys, compared one value at a time. */
export function sameState(one, other) {
  const keys = Object.keys(one);
  const otherKeys = Object.keys(other);
  return (
    keys.length === otherKeys.length &&
    keys.every((key, index) => key === otherKeys[index] && sameJson(one[key], other[key]))
  );
}

/** The backups of a log, newest first, with their sizes. */
export function backupsOf(folder, name) {
  const prefix = `${name}.log.backup.`;
  return fs
    .readdirSync(path.join(folder, 'logs'))
    .filter((file) => file.startsWith(prefix) && /^\d+$/.test(file.slice(prefix.length)))
    .sort((one, other) => Number(other.slice(prefix.length)) - Number(one.slice(prefix.length)))
    .map((file) => {
      const full = path.join(folder, 'logs', file);
      return { file, path: full, bytes: fs.statSync(full).size };
    });
}

export function sizeOf(file) {
  return fs.statSync(file, { throwIfNoEntry: false })?.size ?? 0;
}

/** The sizes of each log and its JSON file. */
export function fileSizes(folder) {
  return Object.fromEntries(
    LOGS.map((name) => [
      name,
      { log: sizeOf(logPath(folder, name)), json: sizeOf(path.join(folder, `${name}.json`)) },
    ]),
  );
}
