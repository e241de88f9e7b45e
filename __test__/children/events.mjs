// Listens to the module's events in a process of its own: before the storage is opened, in a worker thread, with a listener
// that throws, and while nothing happens. The variable WHAT names the case.

import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { isMainThread, parentPort, Worker } from 'node:worker_threads';

const ps = createRequire(import.meta.url)('../../index.js');
const dataDir = process.argv[2];
const say = (line) => process.stdout.write(`${line}\n`);
const eventOf = (source, event) => new Promise((resolve) => source.once(event, resolve));

async function byModule() {
  ps.on('compaction', ({ log }) => say(`compaction ${log}`));
  const backup = eventOf(ps, 'backup');
  ps.configure({ dataDir });
  const worker = new Worker(fileURLToPath(import.meta.url), { argv: [dataDir] });
  await eventOf(worker, 'message');
  const heardThere = eventOf(worker, 'message');
  await ps.updatePlayerStats('ann', 'Ann', 1);
  await ps.compactLog('players');
  say(`backup ${(await backup).log}`);
  say(`thread ${await heardThere}`);
  await ps.close();
  await worker.terminate();
  say('closed');
}

async function inThread() {
  ps.on('compaction', ({ event, log }) => parentPort.postMessage(`${event} ${log}`));
  await ps.getPlayerStats('ann');
  parentPort.postMessage('ready');
  parentPort.on('message', () => {});
}

async function withThrowing() {
  const uncaught = eventOf(process, 'uncaughtException');
  ps.configure({ dataDir });
  ps.on('compaction', () => {
    throw new Error('on purpose');
  });
  const other = new Promise((resolve) => ps.on('compaction', resolve));
  await ps.updatePlayerStats('ann', 'Ann', 1);
  await ps.compactLog('players');
  say(`uncaught ${(await uncaught).message}`);
  await other;
  say('other listener');
  say(`still ${(await ps.updatePlayerStats('ann', 'Ann', 1)).totalGames} games`);
}

async function whileIdle() {
  ps.configure({ dataDir });
  ps.on('compaction', () => say('compaction'));
  await ps.getPlayerStats('ann');
  say('listening');
}

if (!isMainThread) await inThread();
else if (process.env.WHAT === 'module') await byModule();
else if (process.env.WHAT === 'throws') await withThrowing();
else await whileIdle();
