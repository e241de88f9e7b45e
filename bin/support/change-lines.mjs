// What changed from one value to the next, as lines for people: `+` for what came, `-` for what went, `~` for an old value
// and a new one.
//
// Invariant: a line takes at most the columns that it may, and has nothing that a terminal obeys.

import { changes } from '../../lib/structure.mjs';
import { isRecord } from '../../lib/values.mjs';
import { plural } from './format.mjs';
import { columnsOf, fit, visible } from './visible.mjs';

// Of more items than these, the last one stands for all.
const ITEMS_SHOWN = 3;
// What is equal at the beginning of both values, and is left before what differs.
const CONTEXT = 8;
const NAME_COLUMNS_MIN = 8;
const ARROW = ' → ';

export const SIGN_COLOURS = { '+': 'green', '-': 'red', '~': 'yellow' };

// `[{ sign, text }]`. A whole object that came or went is shown field by field.
export function changeLines(before, after, columnsMax = Number.POSITIVE_INFINITY) {
  const [old, fresh] = [before, after].map((value) => (value === undefined ? {} : value));
  const isOfFields = [old, fresh].every(isRecord) && Object.keys({ ...old, ...fresh }).length > 0;
  const found = isOfFields ? changes(old, fresh) : changes(before, after);
  return found.flatMap((change) => linesOfChange(change, columnsMax));
}

// The same for one change, as `changes` gives it.
export function linesOfChange({ path, from, to, added, removed }, columnsMax = Number.POSITIVE_INFINITY) {
  const one = (sign, name, value) => ({
    sign,
    text: fit(named(name, textOf(value), columnsMax), columnsMax),
  });
  if (added !== undefined) {
    const items = (sign, list) =>
      list.length <= ITEMS_SHOWN
        ? list.map((item) => one(sign, `${path}[]`, item))
        : [{ sign, text: fit(manyItems(path, list, columnsMax), columnsMax) }];
    return [...items('-', removed), ...items('+', added)];
  }
  if (from === undefined) return [one('+', path, to)];
  if (to === undefined) return [one('-', path, from)];
  if (Array.isArray(from) && Array.isArray(to)) {
    const text = named(
      path,
      `${plural(from.length, 'item')}${ARROW}${plural(to.length, 'item')}`,
      columnsMax,
    );
    return [{ sign: '~', text: fit(text, columnsMax) }];
  }
  return [{ sign: '~', text: pair(path, textOf(from), textOf(to), columnsMax) }];
}

const textOf = (value) => visible(JSON.stringify(value));

// A long name is cut, so that something of the value is seen.
function named(path, text, columnsMax) {
  if (path === '') return text;
  return `${fit(visible(path), Math.max(NAME_COLUMNS_MIN, Math.floor(columnsMax / 2)))}: ${text}`;
}

const manyItems = (path, list, columnsMax) =>
  named(`${path}[]`, `${plural(list.length, 'item')}, the last: ${textOf(list.at(-1))}`, columnsMax);

// Both values, each cut where they are too long together.
function pair(path, from, to, columnsMax) {
  const left = columnsMax - columnsOf(named(path, '', columnsMax)) - columnsOf(ARROW);
  const put = (one, other) => fit(named(path, `${one}${ARROW}${other}`, columnsMax), columnsMax);
  if (fits(`${from}${to}`, left)) return put(from, to);
  const half = Math.floor(left / 2);
  const [one, other] = fits(from, half) || fits(to, half) ? [from, to] : differingPart(from, to);
  if (fits(one, half)) return put(one, fit(other, left - columnsOf(one)));
  if (fits(other, half)) return put(fit(one, left - columnsOf(other)), other);
  return put(fit(one, half), fit(other, left - half));
}

const fits = (text, columnsMax) => fit(text, columnsMax) === text;

// Two long values, without what both begin with.
function differingPart(from, to) {
  let same = 0;
  while (same < from.length && from[same] === to[same]) same += 1;
  let start = same - CONTEXT;
  if (start <= 0) return [from, to];
  // Not in the middle of a character.
  if (/[\udc00-\udfff]/.test(from[start])) start -= 1;
  return [from, to].map((text) => `…${text.slice(start)}`);
}
