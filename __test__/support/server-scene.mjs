// What tests on real servers share: a thing that is removed with its test, and a Storage with what it notified of.

import { Storage } from '../../index.js';
import { atEnd, closeStorage } from './temp.mjs';

export const EVENTS = ['connectionLost', 'reconnect', 'notReplicated', 'lostWrites'];

let schemas = 0;

/** The name of a schema that no other test of this file has. */
export const newSchema = () => `s${++schemas}_${process.pid}`;

/** Starts something (a server, a standby, a proxy, a pooler) and removes it at the end of the test. */
export async function started(t, starting) {
  const thing = await starting;
  atEnd(t, () => thing.remove());
  return thing;
}

/** Opens a Storage and closes it at the end of the test. `events` grows with each event. */
export function opened(t, options) {
  const storage = new Storage({ schema: newSchema(), logger: null, ...options });
  const events = [];
  for (const name of EVENTS) storage.on(name, (event) => events.push(event));
  atEnd(t, () => closeStorage(storage).catch(() => {}));
  const named = (name) => events.filter(({ event }) => event === name);
  return { storage, events, named, counts: storage.collection('counts') };
}

/** Counts one more on a key. */
export const countUp = (counts, key) => counts.update(key, (value) => (value ?? 0) + 1);

/** What became of each promise, without waiting for those that are not settled. */
export function watched(promises) {
  const settled = { fulfilled: 0, rejected: 0 };
  for (const promise of promises) {
    promise.then(
      () => settled.fulfilled++,
      () => settled.rejected++,
    );
  }
  return settled;
}

// It ends a test that hangs; it measures nothing.
const HANG_MS = 60_000;

/** The error that a call is rejected with; fails where it is not, or hangs. */
export async function rejection(promise, what = 'the call') {
  let timer;
  const hang = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what} hangs`)), HANG_MS);
  });
  try {
    const result = await Promise.race([
      promise.then(
        (value) => ({ value }),
        (error) => ({ error }),
      ),
      hang,
    ]);
    if (!('error' in result)) throw new Error(`${what} was not rejected: ${JSON.stringify(result.value)}`);
    return result.error;
  } finally {
    clearTimeout(timer);
  }
}
