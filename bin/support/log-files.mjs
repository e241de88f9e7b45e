// The files of a data folder, by their names: which logs there are, and which files each has.
//
//   NAME.json                logs/NAME.log              logs/NAME.log.backup.N[.gz]    logs/NAME.log.corrupt.N
//   NAME.json.corrupt.N                                 logs/NAME.log.archive.N[.gz]   logs/NAME.log.torn.N
//
// Nothing here opens or writes a file.

import { lstatSync, readdirSync, statSync } from 'node:fs';
import path from 'node:path';

export const BOT_LOGS = ['players', 'tokens', 'game_state'];
export const LOG_FILE = /^(.+?)\.log(?:\.(backup|archive|corrupt|torn)\.(\d+)(\.gz)?)?$/;
export const MIRROR_FILE = /^(.+?)\.json(?:\.corrupt\.(\d+))?$/;

export const statOf = (file) => statSync(file, { throwIfNoEntry: false });
export const namesIn = (folder) => (statOf(folder)?.isDirectory() ? readdirSync(folder) : []);

// `[{ name, log, mirror, backups, archives, corrupt, torn, brokenMirrors, odd }]`. The bot's logs come first.
//   A file is `{ path, number, sizeBytes, modifiedMs, isGzip }`. Lists have the oldest first.
//   `log` and `mirror` are null where there is no such file.
//   `odd` are paths where a log or JSON file should be, but a folder, a device or a link to nothing is.
export function logsIn(dataDir) {
  const logs = new Map();
  const logsDir = path.join(dataDir, 'logs');
  for (const file of namesIn(logsDir)) {
    const [, name, kind, number, gzip] = file.match(LOG_FILE) ?? [];
    if (name === undefined || name.startsWith('.')) continue;
    addFile(logs, name, kind ? LISTS[kind] : 'log', describe(path.join(logsDir, file), number, gzip));
  }
  for (const file of namesIn(dataDir)) {
    const [, name, number] = file.match(MIRROR_FILE) ?? [];
    if (name === undefined || name.startsWith('.') || !(logs.has(name) || BOT_LOGS.includes(name))) continue;
    const part = number === undefined ? 'mirror' : 'brokenMirrors';
    addFile(logs, name, part, describe(path.join(dataDir, file), number));
  }
  const rank = ({ name }) => (BOT_LOGS.includes(name) ? BOT_LOGS.indexOf(name) : BOT_LOGS.length);
  for (const log of logs.values()) {
    for (const list of [...Object.values(LISTS), 'brokenMirrors']) {
      log[list].sort((one, other) => one.number - other.number);
    }
  }
  return [...logs.values()].sort((one, other) => rank(one) - rank(other) || (one.name < other.name ? -1 : 1));
}

const LISTS = { backup: 'backups', archive: 'archives', corrupt: 'corrupt', torn: 'torn' };

// Adds a file to `part` of its log; one that went away meanwhile is not added.
function addFile(logs, name, part, file) {
  if (!file) return;
  const empty = { backups: [], archives: [], corrupt: [], torn: [], brokenMirrors: [], odd: [] };
  const log = logs.get(name) ?? { name, log: null, mirror: null, ...empty };
  logs.set(name, log);
  if (file.isOdd) log.odd.push(file.path);
  else if (Array.isArray(log[part])) log[part].push(file);
  else log[part] = file;
}

// `{ path, isOdd: true }` where the path is no file; undefined where nothing is there any more.
function describe(file, number, gzip) {
  const stat = statOf(file);
  if (!stat?.isFile()) return lstatSync(file, { throwIfNoEntry: false }) && { path: file, isOdd: true };
  return {
    path: file,
    number: number === undefined ? undefined : Number(number),
    sizeBytes: stat.size,
    modifiedMs: stat.mtimeMs,
    isGzip: gzip !== undefined,
  };
}

// Names of logs that the store has a record of, but no log and no JSON file.
export function vanishedLogs(dataDir) {
  const found = logsIn(dataDir);
  const isLeft = (name) => found.some((log) => log.name === name && (log.log || log.mirror));
  const records = namesIn(path.join(dataDir, '.progressive-storage')).filter((file) =>
    file.endsWith('.mirror'),
  );
  return records
    .map((file) => file.slice(0, -'.mirror'.length))
    .filter((name) => !isLeft(name) && !statOf(path.join(dataDir, `${name}.json`)))
    .sort();
}

// Bytes of a log and its JSON file: what reading its state reads.
export function bytesToRead({ log, mirror }) {
  return (log?.sizeBytes ?? 0) + (mirror?.sizeBytes ?? 0);
}

// The same with its backups and archives: what reading its history reads.
export function bytesOfHistory(log) {
  return [...log.backups, ...log.archives].reduce((sum, file) => sum + file.sizeBytes, bytesToRead(log));
}
