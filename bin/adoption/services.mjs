// A bot's two service files and its data folder: where they are, and whether `adopt` wrote them.
//
//   services/storage.js        old code, or ours             services/append-log.js        the same
//   services/storage.js.orig   the old code, after `adopt`   services/append-log.js.orig   the same
//
// Invariant: a file is ours if and only if it begins with MARK. `revert` replaces only files that are ours, `adopt`
// only others.

import { existsSync, lstatSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { checkFolder } from '../support/data-folder.mjs';
import { placeError, usageError } from '../support/errors.mjs';
import { dataDirOf, MARK, PACKAGE } from './service-text.mjs';

const PARTS = ['append-log', 'storage'];

const USES_PACKAGE = new RegExp(`(from|import|require\\()\\s*['"]${PACKAGE}(/[^'"]*)?['"]`);
const ENDINGS = ['.js', '.mjs', '.cjs'];
const SEARCH_DEPTH = 4;
const DATA_FILES = ['players.json', 'tokens.json', 'game_state.json', 'logs'];

// `{ root, servicesDir, dataDir, files: [{ part, path, orig, text, isOurs, isByHand, isModule }] }`. `isByHand`: the
// file uses this package, but `adopt` did not write it.
export function findBot(root, { services, data } = {}) {
  checkFolder(root);
  const servicesDir = services ? path.resolve(root, services) : findServices(root);
  checkFolder(servicesDir);
  const files = PARTS.map((part) => serviceFile(servicesDir, part));
  const ours = files.find(({ isOurs }) => isOurs);
  const dataDir = data ? path.resolve(root, data) : ours ? dataDirOf(ours) : findData(root, servicesDir);
  // A bot that has stored nothing yet has no data folder. Its first write makes it.
  if (lstatSync(dataDir, { throwIfNoEntry: false })) checkFolder(dataDir);
  return { root, servicesDir, dataDir, files };
}

// A folder below the bot's that this user may not read holds none of the bot's code.
function entriesOf(folder) {
  try {
    return readdirSync(folder, { withFileTypes: true });
  } catch (error) {
    if (error.code === 'EACCES' || error.code === 'EPERM') return [];
    throw error;
  }
}

function findServices(root) {
  const found = [];
  const search = (folder, depth) => {
    const names = entriesOf(folder);
    const has = (part) => names.some((entry) => ENDINGS.some((ending) => entry.name === part + ending));
    if (PARTS.every(has)) found.push(folder);
    if (depth === 0) return;
    for (const entry of names) {
      const isSkipped = entry.name === 'node_modules' || entry.name.startsWith('.');
      if (entry.isDirectory() && !isSkipped) search(path.join(folder, entry.name), depth - 1);
    }
  };
  search(root, SEARCH_DEPTH);
  const named = found.filter((folder) => path.basename(folder) === 'services');
  const candidates = named.length > 0 ? named : found;
  if (candidates.length === 1) return candidates[0];
  if (candidates.length === 0) {
    throw placeError(
      'ERR_NO_BOT',
      `No folder with append-log.js and storage.js was found in '${root}' (four levels deep, without node_modules).`,
      "Give the bot's folder as the argument, or the folder with the two files as --services DIR.",
    );
  }
  throw usageError(
    `Several folders have append-log.js and storage.js: ${candidates.join(', ')}.`,
    'Name the right one with --services DIR.',
  );
}

// Other files of the bot that name `part` and have the word `name` in them.
export function filesUsing(bot, part, name) {
  const own = new Set(bot.files.map((file) => file.path));
  const word = new RegExp(`(?<![\\w$])${name.replace(/\$/g, '\\$')}(?![\\w$])`);
  const found = [];
  const search = (folder) => {
    for (const entry of entriesOf(folder)) {
      const file = path.join(folder, entry.name);
      if (entry.name === 'node_modules' || entry.name.startsWith('.') || file === bot.dataDir) continue;
      if (entry.isDirectory()) search(file);
      else if (/\.[cm]?[jt]sx?$/.test(entry.name) && !own.has(file)) {
        const text = readFileSync(file, 'utf8');
        if (text.includes(part) && word.test(text)) found.push(file);
      }
    }
  };
  search(bot.root);
  return found;
}

function serviceFile(folder, part) {
  const file = ENDINGS.map((ending) => path.join(folder, part + ending)).find((name) => existsSync(name));
  if (!file) {
    throw placeError(
      'ERR_NO_BOT',
      `There is no ${part}.js (nor .mjs, .cjs) in '${folder}'.`,
      'Both files are needed: append-log and storage.',
    );
  }
  const text = readFileSync(file, 'utf8');
  return {
    part,
    path: file,
    orig: `${file}.orig`,
    text,
    isOurs: text.startsWith(MARK),
    isByHand: !text.startsWith(MARK) && USES_PACKAGE.test(text),
    isModule: isModule(file, text),
  };
}

// Whether Node would load the file as an ES module.
function isModule(file, text) {
  if (file.endsWith('.mjs')) return true;
  if (file.endsWith('.cjs')) return false;
  for (let folder = path.dirname(file); ; folder = path.dirname(folder)) {
    const manifest = path.join(folder, 'package.json');
    if (existsSync(manifest)) {
      const { type } = manifestOf(manifest);
      if (type !== undefined) return type === 'module';
      break;
    }
    if (folder === path.dirname(folder)) break;
  }
  return /^\s*(export|import)\b/m.test(text);
}

function manifestOf(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) ?? {};
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw placeError('ERR_NO_BOT', `'${file}' is not JSON: ${error.message}.`, 'Correct it, and try again.');
  }
}

function findData(root, servicesDir) {
  const candidates = [...new Set([path.join(root, 'data'), path.join(path.dirname(servicesDir), 'data')])];
  const withData = candidates.filter((folder) =>
    DATA_FILES.some((name) => existsSync(path.join(folder, name))),
  );
  if (withData.length > 1) {
    throw usageError(
      `There are two data folders: ${withData.join(' and ')}.`,
      'Name the right one with --data DIR.',
    );
  }
  return withData[0] ?? candidates[0];
}
