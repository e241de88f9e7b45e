/**
 * Gives up root (if it has it) and then reads or writes in a directory without the right to write.
 * Arguments: data directory, read | write. Prints one line of JSON.
 */
import { Storage } from '../../index.js';

const [dataDir, what] = process.argv.slice(2);
if (process.getuid() === 0) {
  const nobody = 65534;
  process.setgroups?.([]); // Deno has none.
  process.setgid(nobody);
  process.setuid(nobody);
}

let unhandled = 0;
process.on('unhandledRejection', () => {
  unhandled += 1;
});
const storage = new Storage({ dataDir });
const report = {};

async function attempt(name, call) {
  try {
    report[name] = { value: await call() };
  } catch (error) {
    const { code, syscall, path, message } = error;
    report[name] = { error: { code, syscall, path, message } };
  }
}

if (what === 'read') {
  await attempt('players', () => storage.loadPlayers());
  await attempt('tokens', () => storage.loadTokens());
  await attempt('states', () => storage.getAllGameStates());
  await attempt('leaderboard', () => storage.getLeaderboard());
  await attempt('entries', () => storage.readLogEntries('players'));
} else {
  await attempt('append', () => storage.appendLogEntry('events', { op: 'SET', key: 'k', value: 1 }));
  await attempt('update', () => storage.updatePlayerStats('user', 'name', 1));
  await attempt('set', () => storage.collection('coins').set('user', 1));
  await attempt('compact', () => storage.compactLog('players'));
  await attempt('players', () => storage.loadPlayers());
}
await attempt('close', () => storage.close());
await new Promise((resolve) => setTimeout(resolve, 20));
console.log(JSON.stringify({ ...report, unhandled }));
