/**
 * Fills a store: `players` with 50 games each, or `entries` small changes of `keys` keys. Not measured.
 */

import { loadPeer } from '../peers/index.mjs';

export async function run({ store, folder, players, entries, keys }) {
  const peer = await loadPeer(store);
  if (entries === undefined) await peer.fill(folder, players);
  else await peer.fillEntries(folder, entries, keys);
  return { durability: peer.durability };
}
