/**
 * Gives up root (if it has it) and reads a player again and again, while another process writes.
 * Arguments: data directory, how often. Prints one line of JSON: how often the number of games fell, the last number, and
 * the warnings.
 */
import { Storage } from '../../index.js';

const [dataDir, times] = process.argv.slice(2);
if (process.getuid() === 0) {
  const nobody = 65534;
  process.setgroups?.([]); // Deno has none.
  process.setgid(nobody);
  process.setuid(nobody);
}
const warnings = [];
process.removeAllListeners('warning');
process.on('warning', (warning) => warnings.push(warning.code));
const storage = new Storage({ dataDir });
let games = 0;
let falls = 0;
for (let i = 0; i < Number(times); i++) {
  const { totalGames } = await storage.getPlayerStats('user');
  if (totalGames < games) falls += 1;
  games = totalGames;
}
await storage.close();
await new Promise((resolve) => setTimeout(resolve, 20));
console.log(JSON.stringify({ falls, games, warnings }));
