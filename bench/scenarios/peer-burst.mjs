/**
 * Many calls in flight: `count` calls are made at once, then all are awaited; several times. `kind` is `update` (of
 * as many different players) or `append` (of a small entry, 150 bytes in this package's log). Then the store is
 * closed.
 */

import { loadPeer } from '../peers/index.mjs';
import { playerId } from '../support/fixture.mjs';
import { delayDuring } from '../support/loop.mjs';
import { play } from '../support/play.mjs';
import { median } from '../support/stats.mjs';

export async function run({ store, folder, players, kind, count, bursts, seconds }) {
  const peer = await loadPeer(store);
  const data = await peer.open(folder);
  const call = {
    update: (index) => data.update(playerId(index % players), play),
    append: (index) => data.append({ op: 'NOTE', channel: 'channel-7', number: index, text: 'x'.repeat(30) }),
  }[kind];
  const burst = async () => {
    if (data.burst !== undefined) return data.burst(kind, count);
    await Promise.all(Array.from({ length: count }, (_, index) => call(index)));
  };

  const until = performance.now() + seconds * 1000;
  const times = [];
  const loop = await delayDuring(async () => {
    for (let round = -1; round < bursts; round++) {
      const begun = performance.now();
      await burst();
      const late = performance.now() > until;
      if (round >= 0 || late) times.push(performance.now() - begun);
      if (late) break;
      await new Promise(setImmediate);
    }
  });
  const memoryBytes = process.memoryUsage.rss();
  const begun = performance.now();
  await data.close();
  return { perSecond: (count * 1000) / median(times), loop, memoryBytes, closeMs: performance.now() - begun };
}
