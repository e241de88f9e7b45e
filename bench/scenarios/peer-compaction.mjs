/**
 * Awaited updates in a quiet time, and while the store is compacted.
 */

import { loadPeer } from '../peers/index.mjs';
import { playerId } from '../support/fixture.mjs';
import { delayDuring } from '../support/loop.mjs';
import { play } from '../support/play.mjs';
import { randomFrom, summary } from '../support/stats.mjs';

const QUIET_SECONDS_MAX = 4;

export async function run({ store, folder, players, quietSamples }) {
  const peer = await loadPeer(store);
  const data = await peer.open(folder);
  if (data.compact === undefined) {
    await data.close();
    return null;
  }
  const random = randomFrom(players);
  const update = async (times, begun = performance.now()) => {
    await data.update(playerId(Math.floor(random() * players)), play);
    times.push(performance.now() - begun);
    await new Promise(setImmediate);
  };
  const quiet = [];
  const until = performance.now() + QUIET_SECONDS_MAX * 1000;
  while (quiet.length < quietSamples && performance.now() < until) await update(quiet);

  const during = [];
  let compactionMs = null;
  const loop = await delayDuring(async () => {
    const begun = performance.now();
    const compaction = Promise.resolve(data.compact()).then(() => {
      compactionMs = performance.now() - begun;
    });
    // The first update counts from before the call: where compacting blocks the thread, a user waits that long.
    await update(during, begun);
    while (compactionMs === null) await update(during);
    await compaction;
  });
  await data.close();
  return { quiet: summary(quiet), during: summary(during), compactionMs, loop };
}
