// The data folder that a command works on: the one that a person named, or the one that the package would use.

import { accessSync, closeSync, constants, openSync, readdirSync, readFileSync, readSync } from 'node:fs';
import path from 'node:path';
import { placeError, Stop, usageError } from './errors.mjs';
import { BOT_LOGS, LOG_FILE, MIRROR_FILE, namesIn, statOf } from './log-files.mjs';
import { isUrl } from './url.mjs';

// The given path itself, or `data` below it; by default, what the package would use. The command ends (exit code 5)
// where the folder is missing, unreadable or has no data of ours. With `mayBegin` it may be missing or empty: a
// command that writes can begin a store.
export function dataFolder(given, cwd = process.cwd(), options = {}) {
  const folder = foundFolder(given, cwd, options);
  checkFormat(folder);
  return folder;
}

// Ends the command where a newer version has made the folder its own. The store checks the same (src/files/folder_format.rs), and
// some commands read the files themselves.
function checkFormat(folder) {
  const file = path.join(folder, '.progressive-storage', 'format');
  if (!statOf(file) || /^1\s*$/.test(readFileSync(file, 'utf8'))) return;
  throw new Stop(`A newer version of progressive-storage has written '${file}'.`, {
    code: 'ERR_FOLDER_VERSION',
    hint: 'Nothing was changed. Use the version of the package that the bot has.',
  });
}

function foundFolder(given, cwd, { mayBegin = false }) {
  if (given !== undefined && isUrl(given))
    throw usageError('This works on a folder only, and a url is given.', 'Give a data folder.');
  if (given === undefined && process.env.PROGRESSIVE_STORAGE_URL)
    throw usageError(
      'This works on a folder only, and PROGRESSIVE_STORAGE_URL names a server.',
      'Give a data folder.',
    );
  const fromEnvironment = given === undefined ? process.env.PROGRESSIVE_STORAGE_DIR : undefined;
  const base = path.resolve(cwd, given ?? (fromEnvironment || '.'));
  const data = path.join(base, 'data');
  // Without an argument, only `data` below the current folder may begin: nobody named the current folder.
  const isNamed = given !== undefined || Boolean(fromEnvironment);
  if (mayBegin && isNamed && kindOf(base) === 'missing') return base;
  checkFolder(base);
  if (hasData(base)) return base;
  // The environment names the data folder itself, never the folder above it.
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

// Ends the command where the folder is missing, or this user may not read it.
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

// Whether a folder has data of ours: the store's own folder, a JSON file of the bot, or a log. Other programs have
// folders named logs too, so a log of another name counts only where a line of it looks like ours.
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
    // It may be ours. The command that reads it reports that it is unreadable.
    return true;
  } finally {
    if (handle !== undefined) closeSync(handle);
  }
}
