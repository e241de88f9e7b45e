// Pages of the keys of a log: those whose name contains or begins with a text, or whose value has something in a field.
//
// Invariants: an answer is bounded, and so is the work for it. What a search has not reached yet is behind the cursor.

const { cut, textOf, turns } = require('./texts.js');

const PAGE_KEYS = 50;
/** A search that reads so many members without filling a page answers with what it has. */
const SCANNED_MAX = 20_000;
const SCAN_MS = 1500;
/** Longer keys are shown cut, and cannot be asked for in an address. */
const KEY_CHARACTERS_MAX = 4000;
const SHOWN_CHARACTERS = 160;
const HOW = ['contains', 'begins', 'field'];

const wrong = (message) => Object.assign(new Error(message), { status: 400 });

/** `{ prefix, isMatch }` of a search. */
async function searchOf(how, text) {
  if (!HOW.includes(how)) throw wrong(`Search with how=${HOW.join(', ')}.`);
  if (text === '') return { isMatch: () => true };
  if (how === 'begins') return { prefix: text, isMatch: () => true };
  if (how === 'contains') {
    const wanted = text.toLowerCase();
    return { isMatch: (key) => key.toLowerCase().includes(wanted) };
  }
  const { matcherOf } = await import('../lib/find.mjs');
  const isMatch = matcherOf(text);
  if (!isMatch) throw wrong('Give FIELD=VALUE, such as username=Ann or settings.language="en".');
  return { isMatch: (_, value) => isMatch(value) };
}

/** A cursor is the last key that was read, and how many were: the key may be gone when the next page is asked for. */
function cursorOf(text) {
  if (text === null) return { read: 0 };
  try {
    const [read, after] = JSON.parse(text);
    if (Number.isSafeInteger(read) && read >= 0 && typeof after === 'string' && after !== '')
      return { read, after };
  } catch {
    // No cursor of ours.
  }
  throw wrong('This is no cursor of a page.');
}

/** The members from a cursor on. */
async function* membersFrom(log, prefix, { read, after }) {
  const options = prefix === undefined ? {} : { prefix };
  if (after === undefined) return yield* log.members(options);
  const behind = log.members({ ...options, after });
  let first;
  try {
    first = await behind.next();
  } catch (error) {
    if (error.code !== 'ERR_INVALID_ARG_VALUE') throw error;
    // The key was removed meanwhile: about as many are skipped.
    let skipped = 0;
    for await (const member of log.members(options)) if (skipped++ >= read) yield member;
    return;
  }
  if (first.done) return;
  try {
    yield first.value;
    yield* behind;
  } finally {
    // Also where nobody reads behind the first one.
    await behind.return();
  }
}

/**
 * `{ keys, next, scanned, total }`: `next` is the cursor of the page behind, or null at the end. `isGone` says whether
 * nobody waits for the answer any more.
 */
async function pageOf(log, { how = 'contains', text = '', cursor = null, isGone = () => false }) {
  const { prefix, isMatch } = await searchOf(how, text);
  const from = cursorOf(cursor);
  const total = await log.count();
  const begun = Date.now();
  const turn = turns();
  const keys = [];
  let [scanned, next] = [0, null];
  let last;
  for await (const [key, value] of membersFrom(log, prefix, from)) {
    const isFull = keys.length === PAGE_KEYS;
    if (isFull || scanned === SCANNED_MAX || (scanned > 0 && Date.now() - begun > SCAN_MS)) {
      next = JSON.stringify([from.read + scanned, last]);
      break;
    }
    if (isGone()) break;
    scanned++;
    last = key;
    if (isMatch(key, value)) keys.push(shownKey(key, value));
    await turn();
  }
  return { keys, next, scanned: from.read + scanned, total };
}

function shownKey(key, value) {
  const { text, bytes, isCut } = textOf(value, SHOWN_CHARACTERS);
  const isLong = key.length > KEY_CHARACTERS_MAX;
  return { key: isLong ? cut(key, SHOWN_CHARACTERS) : key, isLong, length: key.length, text, isCut, bytes };
}

module.exports = { KEY_CHARACTERS_MAX, PAGE_KEYS, pageOf, SCANNED_MAX };
