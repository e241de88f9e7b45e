/**
 * Updates of values seen before, on all stores in turn: one of this, one of that, so that whatever else the machine does
 * hits them alike. First awaited one by one, then so many at once.
 */

import { performance } from 'node:perf_hooks';
import { openStore } from '../server/stores.mjs';
import { KINDS } from '../server/values.mjs';
import { median, summary } from '../support/stats.mjs';

const AWAITED = [
  'this-package',
  'same-statement',
  'unnamed-statement',
  'upsert',
  'keyv',
  'prisma',
  'row-lock',
];
const AT_ONCE = ['this-package', 'pool', 'keyv', 'prisma'];
const KEYS = 200;

export async function run({ url, kind, samples, bursts, count, without }) {
  const [awaitedStores, atOnceStores] = [AWAITED, AT_ONCE].map((ids) =>
    ids.filter((id) => !without.includes(id)),
  );
  const { values, change } = KINDS[kind];
  const records = values(Math.max(KEYS, count));
  const stores = new Map();
  for (const id of new Set([...awaitedStores, ...atOnceStores])) {
    const store = await openStore(id, { url, own: `u_${kind}_${id.replace('-', '_')}` });
    for (let at = 0; at < records.length; at += 100) {
      await Promise.all(records.slice(at, at + 100).map(([key, value]) => store.put(key, value)));
    }
    await store.warm?.();
    stores.set(id, store);
  }
  const keys = records.map(([key]) => key);
  const awaited = await oneByOne({ stores, ids: awaitedStores, keys, change, samples });
  const atOnce = await manyAtOnce({ stores, ids: atOnceStores, keys, change, bursts, count });
  for (const store of stores.values()) await store.close();
  return { awaited, atOnce };
}

async function oneByOne({ stores, ids, keys, change, samples }) {
  const times = Object.fromEntries(ids.map((id) => [id, []]));
  for (let sample = -20; sample < samples; sample++) {
    const key = keys[(sample + 20) % KEYS];
    for (const id of ids) {
      const begun = performance.now();
      await stores.get(id).update(key, change);
      if (sample >= 0) times[id].push(performance.now() - begun);
    }
  }
  return Object.fromEntries(ids.map((id) => [id, summary(times[id])]));
}

/** The time of a burst, and how long the event loop was busy with it. */
async function manyAtOnce({ stores, ids, keys, change, bursts, count }) {
  const runs = Object.fromEntries(ids.map((id) => [id, []]));
  for (let burst = -1; burst < bursts; burst++) {
    for (const id of ids) {
      const store = stores.get(id);
      const before = performance.eventLoopUtilization();
      const begun = performance.now();
      await Promise.all(keys.slice(0, count).map((key) => store.update(key, change)));
      const ms = performance.now() - begun;
      const { active } = performance.eventLoopUtilization(before);
      if (burst >= 0) runs[id].push({ ms, activeMs: active });
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }
  return Object.fromEntries(
    ids.map((id) => [
      id,
      {
        perSecond: (count * 1000) / median(runs[id].map(({ ms }) => ms)),
        activeMs: median(runs[id].map(({ activeMs }) => activeMs)),
        share: median(runs[id].map(({ ms, activeMs }) => Math.min(1, activeMs / ms))),
      },
    ]),
  );
}
