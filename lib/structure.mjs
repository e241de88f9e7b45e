// What changed from one value to the next: which properties, at which path, and which items a list gained or lost. Of a
// list of fifty games with a new one, only the new one is shown.

import { equal, isRecord } from './values.mjs';

// Lists longer than this are not compared item by item.
const ITEMS_MAX = 10_000;

// `[{ path, from, to }]` for a changed value, `[{ path, added, removed }]` for a list that gained or lost items.
// `path` is '' for the value itself, else like `stats.best` or `games[3].score`.
export function changes(before, after, path = '') {
  if (equal(before, after)) return [];
  if (isRecord(before) && isRecord(after)) {
    const names = [...new Set([...Object.keys(before), ...Object.keys(after)])];
    return names.flatMap((name) => changes(own(before, name), own(after, name), below(path, name)));
  }
  const areLists = Array.isArray(before) && Array.isArray(after);
  if (areLists && Math.max(before.length, after.length) <= ITEMS_MAX) return ofLists(before, after, path);
  return [{ path, from: before, to: after }];
}

const own = (object, name) => (Object.hasOwn(object, name) ? object[name] : undefined);

function below(path, name) {
  const isPlain = /^[\p{L}_$][\p{L}\p{N}_$-]*$/u.test(name);
  if (!isPlain) return `${path}[${JSON.stringify(name)}]`;
  return path === '' ? name : `${path}.${name}`;
}

function ofLists(before, after, path) {
  const [old, fresh] = [
    before.map((item) => JSON.stringify(item)),
    after.map((item) => JSON.stringify(item)),
  ];
  // A list that keeps its newest items loses some at its beginning and gains some at its end.
  const shift = shiftOf(old, fresh);
  if (shift !== undefined) {
    return [{ path, removed: before.slice(0, shift), added: after.slice(old.length - shift) }];
  }
  let start = 0;
  while (start < Math.min(old.length, fresh.length) && old[start] === fresh[start]) start += 1;
  let end = 0;
  while (end < Math.min(old.length, fresh.length) - start && old.at(-1 - end) === fresh.at(-1 - end))
    end += 1;
  const removed = before.slice(start, before.length - end);
  const added = after.slice(start, after.length - end);
  if (removed.length === added.length) {
    return removed.flatMap((item, at) => changes(item, added[at], `${path}[${start + at}]`));
  }
  return [{ path, removed, added }];
}

// How many items the list lost at its beginning, if it now begins with all others; else undefined.
function shiftOf(old, fresh) {
  for (let shift = 0; shift < old.length; shift++) {
    if (old.length - shift > fresh.length) continue;
    let at = shift;
    while (at < old.length && old[at] === fresh[at - shift]) at += 1;
    if (at === old.length) return shift;
  }
  return old.length === 0 ? 0 : undefined;
}
