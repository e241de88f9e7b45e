// Changes one key only if it still has the value that was shown: a bot may write at the same time.

import { equal } from './values.mjs';

const CHANGED = new Error('the key has another value now');

// True when `value` was set; false when the key had another value than `expected`.
export async function setUnlessChanged(storage, name, key, expected, value) {
  const collection = storage.collection(name);
  if (key === '') {
    // A collection refuses the empty key, so this check and the write are two steps. A change between them stays in
    // the log.
    if (!equal(Object.fromEntries(await collection.entries())[''], expected)) return false;
    await setAny(storage, name, key, value);
    return true;
  }
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

// Sets any key of JSON, the empty one too.
export function setAny(storage, name, key, value) {
  return key === ''
    ? storage.appendLogEntry(name, { op: 'SET', data: { '': value } })
    : storage.collection(name).set(key, value);
}

// Removes any key of JSON, the empty one too.
export function deleteAny(storage, name, key) {
  return key === ''
    ? storage.appendLogEntry(name, { op: 'DELETE', key: '' })
    : storage.collection(name).delete(key);
}
