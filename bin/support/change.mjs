// Changing one key only if it still has the value that was shown, beside whoever else writes.

import { equal } from './values.mjs';

const CHANGED = new Error('the key has another value now');

// True when `value` was set; false when the key had another value than `expected` by then.
export async function setUnlessChanged(collection, key, expected, value) {
  try {
    await collection.update(key, (now) => {
      if (!equal(now, expected)) throw CHANGED;
      return value;
    });
    return true;
  } catch (error) {
    if (error === CHANGED) return false;
    throw error;
  }
}
