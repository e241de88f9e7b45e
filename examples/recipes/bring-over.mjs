// Brings the data of another store into a collection, for `from-quick-db.mjs` and `from-lowdb.mjs`.
//
// A key that is there with another value stays as it is, because the bot may have changed it since the last run. It is named
// in the result, and nothing else is left out. So a second run is safe, and an interrupted one goes on.

import { isDeepStrictEqual } from 'node:util';

const KEYS_PER_STEP = 500;

// As it comes back from the store: what JSON cannot hold is gone, and -0 is 0.
const asStored = (value) => JSON.parse(JSON.stringify(value));
const isSame = (one, other) => other !== undefined && isDeepStrictEqual(asStored(one), asStored(other));

/**
 * Sets the keys of `entries`, pairs of a key and a value, in steps of which each is all or nothing. With `overwrite`, keys
 * with other values get those of `entries`. Then every key is read and compared. Resolves to
 * `{ total, written, same, kept, overwritten }`: numbers, and in the last two the keys themselves.
 */
export async function bringOver(collection, entries, { overwrite = false } = {}) {
  if (entries.some(([key]) => key === '')) throw new Error('A collection has no empty key. Rename it first.');
  const report = { total: entries.length, written: 0, same: 0, kept: [], overwritten: [] };
  for (let at = 0; at < entries.length; at += KEYS_PER_STEP) {
    const step = entries.slice(at, at + KEYS_PER_STEP);
    let found;
    await collection.updateMany(
      step.map(([key]) => key),
      (values) => {
        // It may be called again, so the counting waits.
        found = step.map(([key, value]) => ({ key, value, old: values[key] }));
        const isWanted = ({ value, old }) => old === undefined || (overwrite && !isSame(value, old));
        return Object.fromEntries(found.filter(isWanted).map(({ key, value }) => [key, value]));
      },
    );
    for (const { key, value, old } of found) {
      if (old === undefined) report.written += 1;
      else if (isSame(value, old)) report.same += 1;
      else report[overwrite ? 'overwritten' : 'kept'].push(key);
    }
    await verify(collection, step, new Set(report.kept));
  }
  return report;
}

async function verify(collection, step, kept) {
  const stored = await collection.getMany(step.map(([key]) => key));
  for (const [key, value] of step) {
    if (!kept.has(key) && !isSame(value, stored.get(key)))
      throw new Error(`The key ${shown(key)} is not what it should be. Does the bot still run?`);
  }
}

/** A key as text that no terminal obeys. */
export const shown = (key) =>
  JSON.stringify(key).replace(/[\p{Cc}\p{Bidi_Control}\p{Zl}\p{Zp}]/gu, (character) => {
    return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
  });

/** The report as one line for people. */
export function inWords(name, { total, written, same, kept, overwritten }) {
  const list = (keys) => keys.slice(0, 20).map(shown).join(', ') + (keys.length > 20 ? ', …' : '');
  const parts = [`${written} written`, `${same} the same already`];
  if (kept.length > 0) parts.push(`${kept.length} changed since, which stay as they are here: ${list(kept)}`);
  if (overwritten.length > 0) parts.push(`${overwritten.length} overwritten: ${list(overwritten)}`);
  return `${name}: of ${total}, ${parts.join(', ')}`;
}
