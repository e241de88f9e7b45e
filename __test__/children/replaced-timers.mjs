// Makes many calls at once (the argument), and some one after the other, with the timers of a test, which only fire on
// demand. With `before`, the test replaced them before the package was loaded.
const replace = () => {
  for (const name of ['setImmediate', 'setTimeout', 'setInterval', 'queueMicrotask'])
    globalThis[name] = () => {};
  process.nextTick = () => {};
};
const isBefore = process.argv[3] === 'before';
if (isBefore) replace();
const { updatePlayerStats, getPlayerStats } = await import('../../index.js');
if (!isBefore) replace();

const calls = Array.from({ length: Number(process.argv[2]) }, (_, i) => updatePlayerStats(`u${i}`, 'Ann', i));
const records = await Promise.all(calls);
for (let i = 0; i < 100; i++) {
  await updatePlayerStats('u0', 'Ann', 1);
  for (let read = 0; read < 20; read++) await getPlayerStats('u0');
}
const reads = await Promise.all(Array.from({ length: 1000 }, () => getPlayerStats('u0')));
process.stdout.write(`${records.length} ${reads.at(-1).totalGames}`);
