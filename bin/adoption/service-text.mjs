// The text that `adopt` writes into a service file: a re-export of this package, with the bot's data folder.
//
// Invariant: `dataDirOf` reads the folder that `serviceText` wrote.

import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { usageError } from '../support/errors.mjs';

export const PACKAGE = 'progressive-storage';
export const MARK = '// Written by `progressive-storage adopt`; `progressive-storage revert` takes it back.';

// Whether a folder is inside another one, or is that one.
export const isInside = (root, folder) => {
  const relative = path.relative(root, folder);
  return relative === '' || !(relative.startsWith('..') || path.isAbsolute(relative));
};

// The re-export and its data folder. A data folder inside the bot's folder is named relative to the file, so the
// bot's folder can be moved; any other one by its absolute path.
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

// The data folder that a file of ours names.
export function dataDirOf(file) {
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
  throw usageError(`'${file.path}' no longer names its data folder.`, 'Name it with --data DIR.');
}
