/**
 * A main thread with worker threads on one directory. Prints one line of JSON with what it saw.
 * Arguments: data directory, way. Ways: `count` (all threads update and end by themselves), or how the threads end with calls
 * under way: natural, exit, throw, terminate, terminate-at-once. `main-exit` ends the process while threads are working.
 */
import { Worker } from 'node:worker_threads';
import { Storage } from '../../index.js';

const [dataDir, way] = process.argv.slice(2);
const storage = new Storage({ dataDir });
const script = new URL('./thread-worker.mjs', import.meta.url);

function startThread(name, wayOfThread) {
  const worker = new Worker(script, { workerData: { dataDir, name, way: wayOfThread }, stderr: true });
  const thread = { name, called: 0, acked: 0, settled: false };
  thread.hasCalled = new Promise((resolve) => {
    worker.on('message', (message) => {
      Object.assign(thread, message);
      if (message.called) resolve();
    });
  });
  thread.ended = new Promise((resolve) => {
    worker.on('error', (error) => {
      thread.error = error.message;
    });
    worker.on('exit', (code) => resolve(Object.assign(thread, { code })));
  });
  thread.terminate = () => worker.terminate();
  return thread;
}

async function playInMain(games) {
  for (let i = 0; i < games; i++) await storage.updatePlayerStats('main', 'main', 1);
}

const report = { threads: [] };

if (way === 'count') {
  const threads = ['one', 'two', 'three', 'four'].map((name) => startThread(name, 'await'));
  await playInMain(100);
  report.threads = await Promise.all(threads.map((thread) => thread.ended));
} else if (way === 'main-exit') {
  const threads = ['one', 'two'].map((name) => startThread(name, 'stay'));
  await Promise.all(threads.map((thread) => thread.hasCalled));
  await playInMain(10);
  process.stdout.write(
    `${JSON.stringify({ acked: 10, called: threads.map((thread) => thread.called) })}\n`,
    () => process.exit(3),
  );
  await new Promise(() => {});
} else {
  for (let round = 0; round < 4; round++) {
    const threads = [`${way}-${round}-a`, `${way}-${round}-b`].map((name) => startThread(name, way));
    for (const thread of threads) {
      if (way === 'terminate') thread.hasCalled.then(() => thread.terminate());
      if (way === 'terminate-at-once') setTimeout(() => thread.terminate(), 30 + 10 * round);
    }
    await playInMain(5);
    report.threads.push(...(await Promise.all(threads.map((thread) => thread.ended))));
    await playInMain(5);
  }
}

report.main = (await storage.getPlayerStats('main')).totalGames;
report.players = Object.fromEntries(
  Object.entries(await storage.loadPlayers()).map(([id, player]) => [id, player.totalGames]),
);
console.log(JSON.stringify(report));
