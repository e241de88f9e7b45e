/**
 * One awaited update after another in one store, each of a random player: at most `samples` of them, and none after
 * `seconds`.
 */

import { loadPeer } from '../peers/index.mjs';
import { playerId } from '../support/fixture.mjs';
import { delayDuring } from '../support/loop.mjs';
import { play } from '../support/play.mjs';
import { randomFrom, summary } from '../support/stats.mjs';

const WARM_UP = 20;

export async function run({ store, folder, players, samples, seconds }) {
  const peer = await loadPeer(store);
  const data = await peer.open(folder);
  const random = randomFrom(samples);
  const times = [];
  const until = performance.now() + seconds * 1000;
  const loop = await delayDuring(async () => {
    for (let count = -WARM_UP; count < samples; count++) {
      const id = playerId(Math.floor(random() * players));
      const begun = performance.now();
      await data.update(id, play);
      // The first ones are a warm-up, unless they take all the time.
      if (count >= 0 || performance.now() > until) times.push(performance.now() - begun);
      if (performance.now() > until) break;
      await new Promise(setImmediate);
    }
  });
  const memoryBytes = process.memoryUsage.rss();
  await data.close();
  return { update: summary(times), loop, memoryBytes };
}
