/** Fills a store for `server-process.mjs`, or adds up what is in it. */

import { openStore } from '../server/stores.mjs';
import { KINDS } from '../server/values.mjs';

export async function run({ url, store: id, own, names, fill }) {
  const store = await openStore(id, { url, own });
  const [[, value]] = KINDS.small.values(1);
  let sum = 0;
  for (const name of names) {
    if (fill) await store.put(name, value);
    else if (store.storage) sum += (await store.storage.collection('data').get(name)).n;
    else sum += (await store.get(name)).n;
  }
  await store.close();
  return { sum };
}
