// Which of its licences a crate is used under, and the texts that have to travel with it. Where a crate leaves a choice, the
// first of `PREFERRED` that it offers is taken. Every file of the crate that belongs to these licences is a text; a crate
// without one is an error, unless `texts/` has it.

import { readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { root } from '../tools.mjs';

/** Licence → what its file is called in crates. Those in front are taken where there is a choice. */
const PREFERRED = {
  MIT: /mit/i,
  ISC: /isc/i,
  'BSD-3-Clause': /bsd/i,
  Zlib: /zlib/i,
  'BSL-1.0': /boost|bsl/i,
  'Unicode-3.0': /unicode/i,
  'CDLA-Permissive-2.0': /cdla/i,
  'Apache-2.0': /apache/i,
};
const OF_LICENCE = /^(licen[sc]e|copying|notice|copyright)/i;
/** Crates whose archives have no text, and where it is here. */
const TEXTS = [
  [/^napi(-sys)?$/, 'napi.txt'],
  [/^objc2-/, 'objc2.txt'],
];

/** The licences that one is bound to by an expression, after choosing: a list. */
export function chosen(expression) {
  const text = expression.replaceAll('/', ' OR ').trim();
  // `A AND (B OR C)`: the parts outside parentheses, then the choice in each.
  const parts = text.split(/ AND (?![^(]*\))/);
  return parts.map((part) => {
    const offered = part
      .replaceAll(/[()]/g, '')
      .split(' OR ')
      .map((each) => each.trim());
    const taken = Object.keys(PREFERRED).find((licence) => offered.includes(licence));
    if (!taken) throw new Error(`No licence of '${expression}' is known here.`);
    return taken;
  });
}

/** The files of a crate that hold texts of licences or notices, as paths in the crate. */
function filesOf(folder) {
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile() && OF_LICENCE.test(entry.name))
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name))
    .sort();
}

const read = (file) =>
  `${readFileSync(file, 'utf8')
    .replaceAll('\r\n', '\n')
    .split('\n')
    .map((line) => line.trimEnd())
    .join('\n')
    .trim()}\n`;

/** The texts that travel with a crate: `{ licences, texts }`. */
export function textsOf({ name, version, license, folder }) {
  if (!license) throw new Error(`${name} ${version} names no licence.`);
  const licences = chosen(license);
  const own = TEXTS.find(([pattern]) => pattern.test(name));
  const files = filesOf(folder);
  if (own) {
    if (files.length > 0)
      throw new Error(`${name} ${version} has a text of its own now; remove it from texts/.`);
    return { licences, texts: [read(join(root, 'scripts', 'supply', 'texts', own[1]))] };
  }
  const isOfOthers = (file) =>
    Object.entries(PREFERRED).some(
      ([licence, pattern]) => !licences.includes(licence) && pattern.test(basename(file)),
    );
  // A file that no licence's name is in counts: it is the only text, or it says which part is under which licence.
  const texts = files.filter((file) => !isOfOthers(file) && !isPointer(file));
  if (texts.length < new Set(licences).size && texts.length !== 1) {
    throw new Error(`${name} ${version} has no text of ${licences.join(' and ')}.`);
  }
  if (texts.length === 0) throw new Error(`${name} ${version} has no text of its licence.`);
  return { licences, texts: [...new Set(texts.map(read))] };
}

/** A file that only names the choice that was made here, and nobody's copyright. */
function isPointer(file) {
  return basename(file) === 'COPYING' && !/copyright/i.test(read(file));
}
