// One key: its value, and its history as steps, newest first, each with what changed in it.
//
// Invariant: an answer is bounded: so many steps, of each so many changes, and of each value so many characters.

const { cut, jsonOf, textOf, turns } = require('./texts.js');

const STEPS = 30;
const VALUE_CHARACTERS = 100_000;
const STEP_CHARACTERS = 2000;
const CHANGES_MAX = 25;
const ITEMS_MAX = 3;
const CHANGE_CHARACTERS = 160;
/** Longer texts are not compared field by field. */
const COMPARED_MAX = 256 * 1024;

/**
 * `{ found, value, expiresAt, records, steps, older }` of a key. `before` is the number of a step: only older ones are
 * given. `older` is how many steps there are behind these.
 */
async function keyOf(log, { key, before }) {
  const history = await log.history(key);
  const value = await log.get(key);
  const found = value !== undefined;
  const end = Math.min(before ?? history.length, history.length);
  const begin = Math.max(0, end - STEPS);
  const { changes } = await import('../lib/structure.mjs');
  const turn = turns();
  const steps = [];
  for (let number = end - 1; number >= begin; number--) {
    steps.push(stepOf(changes, history, number));
    await turn();
  }
  return {
    found,
    value: textOf(value, VALUE_CHARACTERS, { isLaidOut: true }) ?? null,
    expiresAt: found ? await log.expiresAt(key) : null,
    // The newest record has another value where somebody edited the JSON file.
    isLogged: history.length > 0 && jsonOf(history.at(-1).value) === jsonOf(value),
    records: history.length,
    steps,
    older: begin,
  };
}

function stepOf(changes, history, number) {
  const { timestamp, op, value, expiresAt, source, isExternalEdit } = history[number];
  const before = history[number - 1];
  // A command names a time: that of an entry with several at one time is the last one.
  const isLastAtItsTime = timestamp !== null && history[number + 1]?.timestamp !== timestamp;
  return {
    ...{ number, timestamp, op, source, expiresAt: expiresAt ?? null },
    isExternalEdit: isExternalEdit === true,
    isFirst: before === undefined,
    isNew: before?.value === undefined,
    isLastAtItsTime,
    value: textOf(value, STEP_CHARACTERS, { isLaidOut: true }) ?? null,
    ...changesOf(changes, before?.value, value),
  };
}

/** `{ changes, more }`, or `{ note }` where the values are not compared. */
function changesOf(changes, before, after) {
  if (before === undefined || after === undefined) return { changes: [], more: 0 };
  const texts = [jsonOf(before), jsonOf(after)];
  if (texts.some((text) => text === undefined || text.length > COMPARED_MAX))
    return { note: 'The values are too large to be compared here.' };
  let all;
  try {
    all = changes(before, after);
  } catch (error) {
    if (error instanceof RangeError) return { note: 'The values are nested too deeply to be compared here.' };
    throw error;
  }
  return { changes: all.slice(0, CHANGES_MAX).map(shownChange), more: Math.max(0, all.length - CHANGES_MAX) };
}

const short = (value) => {
  const { text, isCut } = textOf(value, CHANGE_CHARACTERS);
  return isCut ? `${text}…` : text;
};

function shownChange({ path, from, to, added, removed }) {
  const shown = { path: path.length > CHANGE_CHARACTERS ? `${cut(path, CHANGE_CHARACTERS)}…` : path };
  if (added === undefined) {
    if (from !== undefined) shown.from = short(from);
    if (to !== undefined) shown.to = short(to);
    return shown;
  }
  return {
    ...shown,
    removed: { count: removed.length, items: removed.slice(0, ITEMS_MAX).map(short) },
    added: { count: added.length, items: added.slice(-ITEMS_MAX).map(short) },
  };
}

module.exports = { keyOf, STEPS };
