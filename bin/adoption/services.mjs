// A bot's two service files and its data folder: where they are, whose they are, and what is to stand in them.
//
//   services/storage.js        old code, or ours            services/append-log.js   the same
//   services/storage.js.orig   the old code, once adopted   services/append-log.js.orig
//
// Invariant: a file is ours if and only if it begins with MARK; only such a file is ever replaced by `revert`,
// and only one that is not ours by `adopt`.

import { existsSync, lstatSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { placeError, usageError } from '../support/errors.mjs';
import { checkFolder } from '../support/folder.mjs';

export const PARTS = ['append-log', 'storage'];
export const PACKAGE = 'progressive-storage';
export const MARK = '// Written by `progressive-storage adopt`; `progressive-storage revert` takes it back.';

const USES_PACKAGE = new RegExp(`(from|import|require\\()\\s*['"]${PACKAGE}(/[^'"]*)?['"]`);
const ENDINGS = ['.js', '.mjs', '.cjs'];
const SEARCH_DEPTH = 4;
const DATA_FILES = ['players.json', 'tokens.json', 'game_state.json', 'logs'];

// `{ root, servicesDir, dataDir, files: [{ part, path, orig, isOurs, isByHand, isModule }] }`; by hand: a re-export that
// somebody else wrote.
export function findBot(root, { services, data } = {}) {
  checkFolder(root);
  const servicesDir = services ? path.resolve(root, services) : findServices(root);
  checkFolder(servicesDir);
  const files = PARTS.map((part) => serviceFile(servicesDir, part));
  const ours = files.find(({ isOurs }) => isOurs);
  const dataDir = data ? path.resolve(root, data) : ours ? dataDirOf(ours) : findData(root, servicesDir);
  // A bot that has not stored anything yet has no data folder; the first write makes it.
  if (lstatSync(dataDir, { throwIfNoEntry: false })) checkFolder(dataDir);
  return { root, servicesDir, dataDir, files };
}

// What is in a folder; one below the bot's that may not be read is none of the bot's code.
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

// Other files of the bot that load `part` and have the word `name` in them.
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
    throw placeError('ERR_NO_BOT', `'${file}' is not JSON: ${error.message}.`, 'Mend it, and try again.');
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

// --- The text of the two files ---

const isInside = (root, folder) => {
  const relative = path.relative(root, folder);
  return relative === '' || !(relative.startsWith('..') || path.isAbsolute(relative));
};

// The re-export, fixed to the data folder: relative to the file while that is in the bot's folder (which may
// then be moved), else absolute.
export function serviceText(file, { root, dataDir }) {
  const relative = path.relative(path.dirname(file.path), dataDir).split(path.sep).join('/');
  const isRelative = isInside(root, dataDir);
  if (file.isModule) {
    const url = isRelative
      ? encodeURI(relative.startsWith('.') ? relative : `./${relative}`).replace(/[?#]/g, encodeURIComponent)
      : pathToFileURL(dataDir).href;
    const base = isRelative ? ', import.meta.url' : '';
    return [
      MARK,
      "import { fileURLToPath } from 'node:url';",
      `import { configure } from '${PACKAGE}';`,
      '',
      `configure({ dataDir: fileURLToPath(new URL(${quote(url)}${base})) });`,
      '',
      `export * from '${PACKAGE}/${file.part}';`,
      '',
    ].join('\n');
  }
  const folder = isRelative ? `path.join(__dirname, ${quote(relative)})` : quote(dataDir);
  return [
    MARK,
    ...(isRelative ? ["const path = require('node:path');"] : []),
    `const { configure } = require('${PACKAGE}');`,
    '',
    `configure({ dataDir: ${folder} });`,
    '',
    `module.exports = require('${PACKAGE}/${file.part}');`,
    '',
  ].join('\n');
}

function quote(text) {
  return `'${text.replace(/[\\']/g, '\\$&')}'`;
}

// The folder that a file of ours is fixed to.
function dataDirOf(file) {
  const unquote = (text) => text.replace(/\\(.)/g, '$1');
  const url = file.text.match(/new URL\('((?:[^'\\]|\\.)*)'(, import\.meta\.url)?\)/);
  if (url)
    return fileURLToPath(
      url[2] ? new URL(unquote(url[1]), pathToFileURL(file.path)) : new URL(unquote(url[1])),
    );
  const joined = file.text.match(/path\.join\(__dirname, '((?:[^'\\]|\\.)*)'\)/);
  if (joined) return path.join(path.dirname(file.path), unquote(joined[1]));
  const plain = file.text.match(/dataDir: '((?:[^'\\]|\\.)*)'/);
  if (plain) return unquote(plain[1]);
  throw usageError(`'${file.path}' does not name its data folder any more.`, 'Name it with --data DIR.');
}

export { isInside };
