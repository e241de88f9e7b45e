// Changes one key only if it still has the value that was shown: a bot may write at the same time.

import { equal } from '../../lib/values.mjs';

const CHANGED = new Error('the key has another value now');

// True when `value` was set; false when the key had another value than `expected`. `end` is when the key ends by itself:
// `{ ttlMs }` or `{ expiresAt }`, `null` for never; without it a key that ends goes on to do so.
export async function setUnlessChanged(storage, name, key, expected, value, end) {
  const collection = storage.collection(name);
  if (key === '') {
    // A collection refuses the empty key, so this check and the write are two steps. A change between them stays in
    // the log.
    if (!equal(Object.fromEntries(await collection.entries())[''], expected)) return false;
    await setAny(storage, name, key, value, end?.expiresAt);
    return true;
  }
  if (end === null && (await collection.expiresAt(key)) !== null) {
    // An update keeps the time, so these are two steps as well.
    if (!equal(await collection.get(key), expected)) return false;
    await collection.set(key, value);
    return true;
  }
  try {
    const change = (now) => {
      if (!equal(now, expected)) throw CHANGED;
      return value;
    };
    await collection.update(key, change, end ?? undefined);
    return true;
  } catch (error) {
    if (error === CHANGED) return false;
    throw error;
  }
}

// True when the key was removed; false when it had another value than `expected`.
export async function removeUnlessChanged(storage, name, key, expected) {
  try {
    await storage.collection(name).updateMany([key], (now) => {
      if (!equal(now[key], expected)) throw CHANGED;
      return { [key]: undefined };
    });
    return true;
  } catch (error) {
    if (error === CHANGED) return false;
    throw error;
  }
}

// Sets any key of JSON, the empty one too. Without `expiresAt` it never ends by itself.
export function setAny(storage, name, key, value, expiresAt) {
  if (key !== '') return storage.collection(name).set(key, value, { expiresAt });
  const end = expiresAt === undefined ? {} : { _expires: { '': expiresAt } };
  return storage.appendLogEntry(name, { op: 'SET', data: { '': value }, ...end });
}

// Removes any key of JSON, the empty one too.
export function deleteAny(storage, name, key) {
  return key === ''
    ? storage.appendLogEntry(name, { op: 'DELETE', key: '' })
    : storage.collection(name).delete(key);
}
