/**
 * Runs with a low limit of open files. Uses all of them up, writes, releases them, and writes again.
 * Arguments: data directory, before | after: whether the storage is first used before or after that.
 * Prints one line of JSON.
 */
import fs from 'node:fs';
import { Storage } from '../../index.js';

const [dataDir, firstUse] = process.argv.slice(2);
let unhandled = 0;
process.on('unhandledRejection', () => {
  unhandled += 1;
});

async function attempt(call) {
  try {
    return { value: await call() };
  } catch (error) {
    const { code, syscall, path, message } = error;
    return { error: { code, syscall, path, message } };
  }
}

const storage = new Storage({ dataDir });
const report = { acked: 0 };
const update = () => storage.updatePlayerStats('user', 'name', 1);
if (firstUse === 'before') {
  await update();
  report.acked += 1;
}

const taken = [];
try {
  for (;;) taken.push(fs.openSync('/dev/null'));
} catch (error) {
  report.limitReached = error.code;
}
report.during = await Promise.all([attempt(update), attempt(update), attempt(update)]);
report.acked += report.during.filter((result) => !result.error).length;
for (const descriptor of taken) fs.closeSync(descriptor);

report.afterwards = await attempt(update);
report.acked += report.afterwards.error ? 0 : 1;
report.totalGames = (await storage.getPlayerStats('user')).totalGames;
await storage.close();
report.unhandled = unhandled;
console.log(JSON.stringify(report));
