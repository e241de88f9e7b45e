/**
 * One of several processes that update the same keys, or keys of its own, with 20 calls under way at any time. Says
 * nothing of the others: the parent adds up.
 */

import { openStore } from '../server/stores.mjs';
import { KINDS } from '../server/values.mjs';

const CALLERS = 20;

export async function run({ url, store: id, own, prefix, keys, calls }) {
  const { change } = KINDS.small;
  const store = await openStore(id, { url, own });
  let left = calls;
  const begun = performance.now();
  const caller = async (number) => {
    while (left > 0) {
      left -= 1;
      await store.update(`${prefix}${(left + number) % keys}`, change);
    }
  };
  await Promise.all(Array.from({ length: CALLERS }, (_, number) => caller(number)));
  const ms = performance.now() - begun;
  await store.close();
  return { ms };
}
