// Callers that each await a call, work for some milliseconds, and make the next call, until enough calls are settled:
// `KIND CALLERS WORK_MS CALLS`. Prints the highest number of calls that settled without a turn of the event loop between,
// and how often a timer fired.
import { Storage } from '../../index.js';

const kind = process.argv[2];
const [callers, workMs, total] = process.argv.slice(3).map(Number);
const storage = new Storage({ dataDir: process.env.PROGRESSIVE_STORAGE_DIR, fsync: 'never', logger: null });
const coins = storage.collection('coins');
const calls = {
  append: (key) => storage.appendLogEntry('events', { op: 'NOTE', key }),
  updatePlayerStats: (key) => storage.updatePlayerStats(key, 'Ann', 1),
  update: (key) => coins.update(key, (value) => ({ count: (value?.count ?? 0) + 1 })),
  read: (key) => coins.get(key),
  getPlayerStats: (key) => storage.getPlayerStats(key),
  refused: () => storage.appendLogEntry('', {}).catch(() => {}),
  stream: async () => {
    stream ??= storage.streamLogEntries('events');
    if ((await stream.next()).done) stream = undefined;
  },
};
let stream;
if (kind === 'stream') {
  await Promise.all(
    Array.from({ length: 20_000 }, (_, i) => storage.appendLogEntry('events', { op: 'NOTE', i })),
  );
}
await coins.set('key-0', { count: 0 });
await storage.updatePlayerStats('key-0', 'Ann', 1);
// The callers begin in a turn without other answers.
await new Promise((resolve) => setTimeout(resolve, 5));

let settled = 0;
let sinceTurn = 0;
let most = 0;
let turns = 0;
let timers = 0;
const turn = () => {
  turns += 1;
  sinceTurn = 0;
  immediate = setImmediate(turn);
};
let immediate = setImmediate(turn);
const timer = setInterval(() => {
  timers += 1;
}, 1);
// A bot has functions around the call too.
const inner = async (key) => await calls[kind](key);
const call = async (key) => inner(key);
const nobody = new Int32Array(new SharedArrayBuffer(4));
const caller = async (number) => {
  while (settled < total) {
    await call(`key-${number}`);
    settled += 1;
    sinceTurn += 1;
    most = Math.max(most, sinceTurn);
    // The thread is busy, and other answers arrive meanwhile.
    if (workMs > 0) Atomics.wait(nobody, 0, 0, workMs);
  }
};
await Promise.all(Array.from({ length: callers }, (_, number) => caller(number)));
clearImmediate(immediate);
clearInterval(timer);
await storage.close();
process.stdout.write(JSON.stringify({ settled, most, turns, timers }));
