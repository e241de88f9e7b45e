/**
 * Awaited updates for `untilMs`, while the parent kills the primary and promotes the standby. Returns the longest call, and
 * how many updates were acknowledged and how many are there.
 */

import { loadPackage } from '../support/package.mjs';

export async function run({ url, schema, untilMs }) {
  const { Storage } = loadPackage();
  const storage = new Storage({ url, schema, logger: null });
  const data = storage.collection('data');
  await data.set('counter', { n: 0 });
  let reconnects = 0;
  storage.on('reconnect', () => {
    reconnects += 1;
  });
  let acked = 0;
  let longestMs = 0;
  const end = Date.now() + untilMs;
  while (Date.now() < end) {
    const begun = performance.now();
    await data.update('counter', ({ n }) => ({ n: n + 1 }));
    acked += 1;
    longestMs = Math.max(longestMs, performance.now() - begun);
  }
  const { n } = await data.get('counter');
  await storage.close();
  if (reconnects === 0) throw new Error('Nothing failed over meanwhile');
  return { longestMs, acked, there: n };
}
