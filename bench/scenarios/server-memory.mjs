/** Memory of a process that opens one store and makes bursts of updates of 1,000 players of 5 KB. */

import { openStore } from '../server/stores.mjs';
import { KINDS } from '../server/values.mjs';

export async function run({ url, store: id, own, count, bursts }) {
  const { values, change } = KINDS.large;
  const records = values(count);
  const before = process.memoryUsage.rss();
  const store = await openStore(id, { url, own });
  for (let at = 0; at < records.length; at += 100) {
    await Promise.all(records.slice(at, at + 100).map(([key, value]) => store.put(key, value)));
  }
  let most = 0;
  for (let burst = 0; burst < bursts; burst++) {
    await Promise.all(records.map(([key]) => store.update(key, change)));
    most = Math.max(most, process.memoryUsage.rss());
  }
  await store.close();
  return { memoryBytes: most - before };
}
