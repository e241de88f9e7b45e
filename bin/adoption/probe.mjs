// A child process that loads a pair of service files, old or new, reads the data through them, and writes the results
// to a file.
//
//   node probe.mjs STORAGE APPEND-LOG RESULT [write]
//
// The results are fingerprints: for each key a hash, for a player the numbers too. So the file stays small for a
// large bot. A call that fails is recorded as its error. With `write`, the child first stores one result of
// CHECK_PLAYER, a player that no bot has.

import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';

const LOGS = ['players', 'tokens', 'game_state'];
const CHECK_PLAYER = 'progressive-storage-check';

// The same text for equal values, whatever the order of their properties.
function canonical(value) {
  return JSON.stringify(value, (_, part) =>
    part !== null && typeof part === 'object' && !Array.isArray(part)
      ? Object.fromEntries(Object.entries(part).sort(([one], [other]) => (one < other ? -1 : 1)))
      : part,
  );
}

const hash = (value) =>
  createHash('sha256')
    .update(canonical(value) ?? '')
    .digest('hex')
    .slice(0, 16);

function fingerprint(state) {
  const keys = {};
  for (const [key, value] of Object.entries(state ?? {})) {
    const numbers =
      typeof value?.totalGames === 'number' ? ` ${value.totalGames} games, ${value.totalScore} points` : '';
    keys[`key ${key}`] = hash(value) + numbers;
  }
  return keys;
}

async function api(file) {
  const namespace = await import(pathToFileURL(file).href);
  const isCommonJs = namespace.default !== null && typeof namespace.default === 'object';
  return isCommonJs ? { ...namespace, ...namespace.default } : namespace;
}

async function attempt(read) {
  try {
    return { keys: await read() };
  } catch (error) {
    return { error: error.message };
  }
}

async function main([storageFile, logFile, resultFile, write]) {
  const storage = await api(storageFile);
  const log = await api(logFile);
  if (write) await storage.updatePlayerStats(CHECK_PLAYER, 'check', 1, true, 1, 0);
  const result = {
    exports: { storage: Object.keys(storage), 'append-log': Object.keys(log) },
    parts: {
      players: await attempt(async () => fingerprint(await storage.loadPlayers())),
      tokens: await attempt(async () => fingerprint(await storage.loadTokens())),
      'game states': await attempt(async () => fingerprint(await storage.getAllGameStates())),
      leaderboard: await attempt(async () => {
        const best = await storage.getLeaderboard('totalScore', 10);
        return Object.fromEntries(best.map((player, index) => [`place ${index + 1}`, String(player.userId)]));
      }),
    },
  };
  for (const name of LOGS) {
    result.parts[`log of ${name}`] = await attempt(async () =>
      fingerprint(await log.rebuildStateFromLog(name)),
    );
  }
  // `close` is not an export of these two files. The end of the process closes the storage.
  writeFileSync(resultFile, JSON.stringify(result));
}

if (process.argv.length > 4) {
  await main(process.argv.slice(2));
  // A module may have started timers when it was loaded.
  process.exit(0);
}
