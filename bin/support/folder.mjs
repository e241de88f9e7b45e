// A data folder as its files name it: which logs there are, and what stands beside each.
//
//   NAME.json                      logs/NAME.log                  logs/NAME.log.backup.N[.gz]
//   NAME.json.corrupt.N            logs/NAME.log.corrupt.N, .torn.N        logs/NAME.log.archive.N[.gz]
//
// Nothing here writes into the folder.

import {
  createReadStream,
  createWriteStream,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { Storage } from '../../index.js';
import { Stop, usageError } from './errors.mjs';
import { bytes } from './terminal.mjs';

export const BOT_LOGS = ['players', 'tokens', 'game_state'];
const LOG_FILE = /^(.+?)\.log(?:\.(backup|archive|corrupt|torn)\.(\d+)(\.gz)?)?$/;
const MIRROR_FILE = /^(.+?)\.json(?:\.corrupt\.(\d+))?$/;

const statOf = (file) => statSync(file, { throwIfNoEntry: false });
const namesIn = (folder) => (statOf(folder)?.isDirectory() ? readdirSync(folder) : []);

function looksLikeData(folder) {
  const names = namesIn(folder);
  return (
    names.includes('logs') ||
    names.includes('.progressive-storage') ||
    BOT_LOGS.some((name) => names.includes(`${name}.json`))
  );
}

// The data folder that a person means: the path itself, or `data` below it. Default: what the package takes.
export function dataFolder(given, cwd = process.cwd()) {
  if (given === undefined && process.env.PROGRESSIVE_STORAGE_DIR) {
    return path.resolve(cwd, process.env.PROGRESSIVE_STORAGE_DIR);
  }
  const base = path.resolve(cwd, given ?? '.');
  if (!statOf(base)?.isDirectory()) {
    throw usageError(
      `'${base}' is not a folder.`,
      'Give the data folder, or the folder of the bot that has it as `data`.',
    );
  }
  const candidates = [base, path.join(base, 'data')];
  const found = candidates.find(looksLikeData) ?? candidates[1];
  if (looksLikeData(found) || (given === undefined && statOf(found)?.isDirectory())) return found;
  throw usageError(
    `There is no data in '${base}' nor in its folder 'data': neither logs/ nor players.json, tokens.json or game_state.json.`,
    'Give the data folder as the argument.',
  );
}

// `[{ name, log, mirror, backups, archives, corrupt, torn, brokenMirrors }]`; a file is
// `{ path, number, sizeBytes, modifiedMs, isGzip }`, lists have the oldest first, `log` and `mirror` may be null.
export function logsIn(dataDir) {
  const logs = new Map();
  const entry = (name) => {
    if (!logs.has(name)) {
      logs.set(name, {
        name,
        log: null,
        mirror: null,
        backups: [],
        archives: [],
        corrupt: [],
        torn: [],
        brokenMirrors: [],
      });
    }
    return logs.get(name);
  };
  const lists = { backup: 'backups', archive: 'archives', corrupt: 'corrupt', torn: 'torn' };
  const logsDir = path.join(dataDir, 'logs');
  for (const file of namesIn(logsDir)) {
    const [, name, kind, number, gzip] = file.match(LOG_FILE) ?? [];
    if (name === undefined || name.startsWith('.')) continue;
    const found = describe(path.join(logsDir, file), number, gzip);
    if (!found) continue;
    if (kind === undefined) entry(name).log = found;
    else entry(name)[lists[kind]].push(found);
  }
  for (const file of namesIn(dataDir)) {
    const [, name, number] = file.match(MIRROR_FILE) ?? [];
    if (name === undefined || name.startsWith('.') || !(logs.has(name) || BOT_LOGS.includes(name))) continue;
    const found = describe(path.join(dataDir, file), number);
    if (!found) continue;
    if (number === undefined) entry(name).mirror = found;
    else entry(name).brokenMirrors.push(found);
  }
  const rank = ({ name }) => (BOT_LOGS.includes(name) ? BOT_LOGS.indexOf(name) : BOT_LOGS.length);
  for (const log of logs.values()) {
    for (const list of ['backups', 'archives', 'corrupt', 'torn', 'brokenMirrors']) {
      log[list].sort((one, other) => one.number - other.number);
    }
  }
  return [...logs.values()].sort((one, other) => rank(one) - rank(other) || (one.name < other.name ? -1 : 1));
}

function describe(file, number, gzip) {
  const stat = statOf(file);
  if (!stat?.isFile()) return undefined;
  return {
    path: file,
    number: number === undefined ? undefined : Number(number),
    sizeBytes: stat.size,
    modifiedMs: stat.mtimeMs,
    isGzip: gzip !== undefined,
  };
}

// The logs that were asked for with --log, or all.
export function chosenLogs(dataDir, names) {
  const all = logsIn(dataDir);
  if (names === undefined || names.length === 0) return all;
  return names.map((name) => {
    const found = all.find((log) => log.name === name);
    if (found) return found;
    throw usageError(
      `There is no log '${name}' in '${dataDir}'.`,
      `The logs there: ${all.map((log) => log.name).join(', ') || 'none'}.`,
    );
  });
}

// One log by its name; the default is players.
export function chosenLog(dataDir, name = 'players') {
  return chosenLogs(dataDir, [name])[0];
}

// Which backups are kept is the bot's choice, which the program does not know: it removes and compresses none.
export const KEEP_BACKUPS = { backups: 100_000, archives: 100_000, compressBackups: false };

// A Storage that is closed when the command ends.
export function openStorage(dataDir, atEnd, options = {}) {
  const storage = new Storage({ dataDir, ...KEEP_BACKUPS, ...options });
  atEnd(() => storage.close());
  return storage;
}

// A temporary folder that is removed when the command ends.
export function temporaryFolder(atEnd) {
  const folder = mkdtempSync(path.join(tmpdir(), 'progressive-storage-'));
  atEnd(() => rmSync(folder, { recursive: true, force: true, maxRetries: 3 }));
  return folder;
}

// Bytes that reading a log and its JSON file takes, with its backups and archives too if asked for.
export function bytesToRead({ log, mirror, backups, archives }, withOld = false) {
  const files = [log, mirror, ...(withOld ? [...backups, ...archives] : [])];
  return files.reduce((sum, file) => sum + (file?.sizeBytes ?? 0), 0);
}

// `[key, value]` of a log, as a bot would load it.
export async function entriesOf(terminal, storage, log) {
  const work = storage.collection(log.name).entries();
  return terminal.waiting(`Reading ${log.name}`, work, bytesToRead(log));
}

// The path of a file's plain content: itself, or what gunzip makes of it in a temporary folder. Rejects with
// ERR_BACKUP_CORRUPT where it makes nothing of it.
export async function plainFile(terminal, file, atEnd) {
  if (!file.isGzip) return file.path;
  const name = path.basename(file.path);
  const plain = path.join(temporaryFolder(atEnd), path.basename(name, '.gz'));
  const packed = createReadStream(file.path);
  const progress = terminal.progress(`Unpacking ${name}`, file.sizeBytes, bytes, () => packed.bytesRead);
  try {
    await pipeline(packed, createGunzip(), createWriteStream(plain));
  } catch (error) {
    if (!error.code?.startsWith('Z_')) throw error;
    throw new Stop(`'${file.path}' cannot be uncompressed: ${error.message}.`, {
      code: 'ERR_BACKUP_CORRUPT',
      hint: 'Remove it, or put a good copy in its place.',
    });
  } finally {
    progress.end();
  }
  return plain;
}

// The state that a log file alone comes to, replayed by the engine in a folder of its own: for backups and archives.
export async function stateOfFile(terminal, file, atEnd) {
  const folder = temporaryFolder(atEnd);
  mkdirSync(path.join(folder, 'logs'));
  const plain = await plainFile(terminal, file, atEnd);
  symlinkSync(plain, path.join(folder, 'logs', 'state.log'));
  const work = openStorage(folder, atEnd).rebuildStateFromLog('state');
  return terminal.waiting(`Reading ${path.basename(file.path)}`, work, statOf(plain).size);
}
