// A data folder with a past, for the tests of commands about the past.

import { Storage } from '../../index.js';
import { closeStorage, openStorage } from './temp.mjs';

// Three values of `ann`, with a compaction between the second and the third. Returns the time before the third.
export async function folderWithHistory(t) {
  const { storage, dataDir } = await openStorage(t, Storage);
  await storage.updatePlayerStats('ann', 'Ann', 10);
  await storage.updatePlayerStats('ben', 'Ben', 5);
  await storage.updatePlayerStats('ann', 'Ann', 20);
  await storage.compactLog('players');
  await pause();
  const between = new Date().toISOString();
  await pause();
  await storage.updatePlayerStats('ann', 'Ann', 40);
  await storage.updatePlayerStats('cat', 'Cat', 1);
  await closeStorage(storage);
  return { dataDir, between };
}

// Waits, so that the times before and after differ.
export const pause = () => new Promise((resolve) => setTimeout(resolve, 5));

export async function playersOf(t, dataDir) {
  const { storage } = await openStorage(t, Storage, { dataDir });
  const players = await storage.loadPlayers();
  await closeStorage(storage);
  return players;
}

export const scoreOf = async (t, dataDir, key) => (await playersOf(t, dataDir))[key]?.totalScore;
