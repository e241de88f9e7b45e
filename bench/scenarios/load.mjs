/**
 * A start: the first read replays the log into the store's state, then loadPlayers gives all of it to V8. Also the
 * memory of the process after the replay, beyond that of Node.js.
 *
 * The files are in the page cache, because the fixture has just been written.
 */

import fs from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { playerId } from '../support/fixture.mjs';
import { loadPackage } from '../support/package.mjs';

export async function run({ folder, players }) {
  const logBytes = fs.statSync(path.join(folder, 'logs', 'players.log')).size;
  const bareBytes = process.memoryUsage.rss();
  const { Storage } = loadPackage();
  const storage = new Storage({ dataDir: folder });

  let begun = performance.now();
  const record = await storage.getPlayerStats(playerId(players - 1));
  const replayMs = performance.now() - begun;
  if (record.totalGames < 50)
    throw new Error(`the last player has ${record.totalGames} games, 50 were written`);
  // Wait until the memory of the replay is released.
  await sleep(1000);
  const engineBytes = process.memoryUsage.rss() - bareBytes;
  const peakBytes = process.resourceUsage().maxRSS * 1024 - bareBytes;

  begun = performance.now();
  const count = Object.keys(await storage.loadPlayers()).length;
  const loadPlayersMs = performance.now() - begun;
  if (count !== players) throw new Error(`${count} players were loaded, ${players} were written`);

  begun = performance.now();
  await storage.getLeaderboard('totalScore', 10);
  const leaderboardMs = performance.now() - begun;
  begun = performance.now();
  await storage.getPlayerRank(playerId(0));
  const rankMs = performance.now() - begun;
  await storage.close();
  return { players, logBytes, replayMs, engineBytes, peakBytes, loadPlayersMs, leaderboardMs, rankMs };
}
