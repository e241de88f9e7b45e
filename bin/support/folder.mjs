// A data folder as its files name it: which logs there are, and what stands beside each.
//
//   NAME.json                      logs/NAME.log                  logs/NAME.log.backup.N[.gz]
//   NAME.json.corrupt.N            logs/NAME.log.corrupt.N, .torn.N        logs/NAME.log.archive.N[.gz]
//
// Nothing here writes into the folder.

import {
  accessSync,
  closeSync,
  constants,
  createReadStream,
  createWriteStream,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readSync,
  rmSync,
  statSync,
  symlinkSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { Storage } from '../../index.js';
import { placeError, Stop } from './errors.mjs';
import { bytes } from './format.mjs';
import { nearest } from './nearest.mjs';

export const BOT_LOGS = ['players', 'tokens', 'game_state'];
const LOG_FILE = /^(.+?)\.log(?:\.(backup|archive|corrupt|torn)\.(\d+)(\.gz)?)?$/;
const MIRROR_FILE = /^(.+?)\.json(?:\.corrupt\.(\d+))?$/;

const statOf = (file) => statSync(file, { throwIfNoEntry: false });
const namesIn = (folder) => (statOf(folder)?.isDirectory() ? readdirSync(folder) : []);

// The data folder that a person means: the path itself, or `data` below it. Default: what the package takes. It is there,
// may be read, and has data of ours, or the command ends (exit code 5). With `mayBegin` it may also be missing or empty:
// for what begins a store.
export function dataFolder(given, cwd = process.cwd(), { mayBegin = false } = {}) {
  const fromEnvironment = given === undefined ? process.env.PROGRESSIVE_STORAGE_DIR : undefined;
  const base = path.resolve(cwd, given ?? (fromEnvironment || '.'));
  const data = path.join(base, 'data');
  // Without an argument, `data` is what the package would take, and nobody named the folder above it.
  const isNamed = given !== undefined || Boolean(fromEnvironment);
  if (mayBegin && isNamed && kindOf(base) === 'missing') return base;
  checkFolder(base);
  if (hasData(base)) return base;
  // What the environment names is the data folder itself.
  if (!fromEnvironment && kindOf(data) === 'folder') {
    checkFolder(data);
    if (hasData(data) || (mayBegin && readdirSync(data).length === 0)) return data;
  }
  if (mayBegin && !isNamed && kindOf(data) === 'missing') return data;
  if (mayBegin && readdirSync(base).length === 0) return base;
  throw placeError(
    'ERR_NO_DATA',
    `There is no data in '${base}'${fromEnvironment ? '' : " nor in its folder 'data'"}: no log, and neither players.json, tokens.json nor game_state.json.`,
    fromEnvironment
      ? 'PROGRESSIVE_STORAGE_DIR names that folder; give the data folder as the argument.'
      : 'Give the data folder as the argument.',
  );
}

function kindOf(place) {
  try {
    const stat = statOf(place);
    if (!stat) return 'missing';
    return stat.isDirectory() ? 'folder' : 'other';
  } catch (error) {
    if (error.code === 'ENOTDIR') return 'missing';
    return 'unreadable';
  }
}

const WHO_MAY = 'Run this as the user that the bot runs as, or let this user read it (chown, chmod).';

// Ends the command where there is no folder, or one whose files this user may not see.
export function checkFolder(folder) {
  const kind = kindOf(folder);
  if (kind === 'missing') {
    throw placeError(
      'ERR_NO_PLACE',
      `There is no folder '${folder}'.`,
      'Give the data folder, or the folder of the bot that has it as `data`.',
    );
  }
  if (kind === 'other') {
    throw placeError(
      'ERR_NOT_A_FOLDER',
      `'${folder}' is not a folder.`,
      'Give the data folder, or the folder of the bot that has it as `data`.',
    );
  }
  checkReadable(folder, constants.R_OK | constants.X_OK);
  const logs = path.join(folder, 'logs');
  if (kindOf(logs) === 'folder') checkReadable(logs, constants.R_OK | constants.X_OK);
}

// Ends the command where this user may not read a file or folder.
export function checkReadable(place, mode = constants.R_OK) {
  try {
    accessSync(place, mode);
  } catch (error) {
    if (error.code === 'ENOENT') return;
    throw placeError('ERR_PLACE_UNREADABLE', `This user may not read '${place}' (${error.code}).`, WHO_MAY);
  }
}

// Whether a folder has anything of ours: what the store keeps beside the data, a JSON file of the bot, or a log.
// Others have folders named logs, too: a log of a name that no bot has counts where it has a line like ours.
export function hasData(folder) {
  const names = namesIn(folder);
  if (names.includes('.progressive-storage')) return true;
  if (names.some((name) => BOT_LOGS.includes(name.match(MIRROR_FILE)?.[1]))) return true;
  const logsDir = path.join(folder, 'logs');
  return namesIn(logsDir).some((file) => {
    const [, name, kind] = file.match(LOG_FILE) ?? [];
    if (name === undefined) return false;
    return BOT_LOGS.includes(name) || kind !== undefined || looksLikeLog(path.join(logsDir, file));
  });
}

const HEAD_BYTES = 64 * 1024;

function looksLikeLog(file) {
  if (!statOf(file)?.isFile()) return false;
  let handle;
  try {
    handle = openSync(file, 'r');
    const head = Buffer.alloc(HEAD_BYTES);
    const text = head.toString('latin1', 0, readSync(handle, head, 0, HEAD_BYTES, 0));
    return /(^|\n)\s*\{[^\n]*"(op|timestamp)"\s*:/.test(text);
  } catch {
    // Ours or not: that it may not be read is told where it is to be read.
    return true;
  } finally {
    if (handle !== undefined) closeSync(handle);
  }
}

// `[{ name, log, mirror, backups, archives, corrupt, torn, brokenMirrors, odd }]`; a file is
// `{ path, number, sizeBytes, modifiedMs, isGzip }`, lists have the oldest first, `log` and `mirror` may be null. `odd` are
// paths at which a log or JSON file should stand and something else does: a folder, a device, a link to nothing.
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
        odd: [],
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
    if (!found) {
      if (isOdd(path.join(logsDir, file))) entry(name).odd.push(path.join(logsDir, file));
      continue;
    }
    if (kind === undefined) entry(name).log = found;
    else entry(name)[lists[kind]].push(found);
  }
  for (const file of namesIn(dataDir)) {
    const [, name, number] = file.match(MIRROR_FILE) ?? [];
    if (name === undefined || name.startsWith('.') || !(logs.has(name) || BOT_LOGS.includes(name))) continue;
    const found = describe(path.join(dataDir, file), number);
    if (!found) {
      if (isOdd(path.join(dataDir, file))) entry(name).odd.push(path.join(dataDir, file));
      continue;
    }
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

// Logs that the store kept a record of, and of which neither log nor JSON file is left.
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

// There, and neither a file nor one that went away meanwhile.
const isOdd = (file) => lstatSync(file, { throwIfNoEntry: false }) !== undefined && !statOf(file)?.isFile();

// The logs that were asked for with --log, or all. Ends the command (exit code 5) where one is not there, or is nothing
// that can be read.
export function chosenLogs(dataDir, names) {
  const all = logsIn(dataDir);
  const chosen =
    names === undefined || names.length === 0 ? all : names.map((name) => named(all, name, dataDir));
  for (const { log, mirror, odd } of chosen) {
    if (odd.length > 0) {
      throw placeError(
        'ERR_NOT_A_FILE',
        `'${odd[0]}' is not a file.`,
        'A folder, a device or a link to nothing stands there; move it away.',
      );
    }
    for (const file of [log, mirror]) if (file) checkReadable(file.path);
  }
  return chosen;
}

function named(all, name, dataDir) {
  const found = all.find((log) => log.name === name);
  if (found) return found;
  const names = all.map((log) => log.name);
  const meant = nearest(name, names);
  throw placeError(
    'ERR_NO_LOG',
    `There is no log '${name}' in '${dataDir}'.${meant ? ` Did you mean '${meant}'?` : ''}`,
    `The logs there: ${names.join(', ') || 'none'}.`,
  );
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
  // What it tells, it would tell of the temporary folder.
  const inPlace = (text) =>
    text.replaceAll(path.join(folder, 'logs', 'state.log'), file.path).replaceAll(plain, file.path);
  const noted = new Set();
  const warn = (text) => {
    if (!noted.has(text)) terminal.note(`note: ${inPlace(text)}`);
    noted.add(text);
  };
  try {
    const work = openStorage(folder, atEnd, { logger: { warn } }).rebuildStateFromLog('state');
    return await terminal.waiting(`Reading ${path.basename(file.path)}`, work, statOf(plain).size);
  } catch (error) {
    error.message = inPlace(error.message);
    if (error.path) error.path = file.path;
    throw error;
  }
}
