/**
 * A start: opens a store and loads all of it as plain objects; then single reads. The files are in the page cache.
 */

import { loadPeer } from '../peers/index.mjs';
import { playerId } from '../support/fixture.mjs';
import { delayDuring } from '../support/loop.mjs';
import { median } from '../support/stats.mjs';

const TIMES = { one: 200, top: 5, rank: 5 };
const SECONDS_MAX = 1;

export async function run({ store, folder, players, name }) {
  const peer = await loadPeer(store);
  const bareBytes = process.memoryUsage.rss();
  let data;
  let all;
  let openMs;
  let allMs;
  const loop = await delayDuring(async () => {
    const begun = performance.now();
    data = await peer.open(folder, { name });
    openMs = performance.now() - begun;
    all = await data.all();
    allMs = performance.now() - begun;
  });
  const expected = name === undefined ? players : 1000;
  const count = all === undefined ? expected : Object.keys(all).length;
  if (count !== expected) throw new Error(`${store}: ${count} records were loaded, ${expected} were written`);
  const memoryBytes = process.memoryUsage.rss() - bareBytes;
  // Not with all records as objects in memory: a bot reads single ones.
  all = undefined;

  const reads = {};
  if (name === undefined && data.one !== undefined) {
    const id = (count) => playerId((count * 7919) % players);
    const calls = {
      one: (at) => data.one(id(at)),
      top: () => data.top(10),
      rank: (at) => data.rank?.(id(at)),
    };
    for (const [what, call] of Object.entries(calls)) {
      const times = [];
      const until = performance.now() + SECONDS_MAX * 1000;
      for (let at = 0; at < TIMES[what] && (at === 0 || performance.now() < until); at++) {
        const begun = performance.now();
        const answer = await call(at);
        if (answer !== undefined) times.push(performance.now() - begun);
      }
      reads[what] = times.length > 0 ? median(times) : null;
    }
  }
  await data.close();
  return { openMs, allMs, loop, memoryBytes, ...reads };
}
