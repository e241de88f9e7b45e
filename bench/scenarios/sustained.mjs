/**
 * Sustained load from the measured thread: so many callers, each of which awaits a call and makes the next one. A
 * 1 ms timer tells how long the event loop was kept from its turns.
 *
 * Kinds: `append` is appendLogEntry; `update` is update() of a collection; `read` is get() of a collection that is in
 * memory. `bytes` is the size of an entry or value. What the callers themselves do (arguments, the function given to
 * update, and what a call does before it returns, JSON.stringify for the most part) is timed beside it: `beyondMs` is
 * the longest gap without it. The longest pause for garbage collection is told apart.
 */

import { PerformanceObserver } from 'node:perf_hooks';
import { loadPackage } from '../support/package.mjs';

/** Processor time of this thread, in which other programs have no part; Node.js 24 and newer know it. */
function processorMs() {
  const used = process.threadCpuUsage?.();
  return used ? (used.user + used.system) / 1000 : Number.NaN;
}

export async function run({ folder, kind, bytes, callers, seconds }) {
  const { Storage } = loadPackage();
  const storage = new Storage({ dataDir: folder });
  const collection = storage.collection('bench');
  const keys = Array.from({ length: kind === 'update' ? callers : 100 }, (_, index) => `key-${index}`);
  const text = 'x'.repeat(Math.max(bytes - 100, 10));
  for (const key of keys) await collection.set(key, { count: 0, text });
  const call = {
    append: (key) => storage.appendLogEntry('entries', { op: 'NOTE', key, text }),
    update: (key) => collection.update(key, (value) => ({ count: value.count + 1, text: value.text })),
    read: (key) => collection.get(key),
  }[kind];

  let calls = 0;
  let ownMs = 0;
  let isOver = false;
  const caller = async (number) => {
    const key = keys[number % keys.length];
    while (!isOver) {
      const begun = performance.now();
      const promise = call(key);
      const now = performance.now();
      ownMs += now - begun;
      isOver ||= now > until;
      await promise;
      calls += 1;
    }
  };
  let until = performance.now() + 1e9;
  const all = Promise.all(Array.from({ length: callers }, (_, number) => caller(number)));
  // The first calls, all made at once, are not what is measured.
  const begun = performance.now();
  until = begun + seconds * 1000;
  ownMs = 0;
  let last = begun;
  let timers = 0;
  const gap = { ms: 0, beyondMs: 0, processorMs: 0, collectionMs: 0 };
  let lastProcessor = processorMs();
  const look = () => {
    const now = performance.now();
    gap.ms = Math.max(gap.ms, now - last);
    gap.beyondMs = Math.max(gap.beyondMs, now - last - ownMs);
    last = now;
    const processor = processorMs();
    gap.processorMs = Math.max(gap.processorMs, processor - lastProcessor);
    lastProcessor = processor;
    ownMs = 0;
    timers += 1;
  };
  const observer = new PerformanceObserver((list) => {
    for (const { duration } of list.getEntries()) gap.collectionMs = Math.max(gap.collectionMs, duration);
  });
  observer.observe({ entryTypes: ['gc'] });
  const timer = setInterval(look, 1);
  // Without a turn of the loop nobody else ends it.
  await all;
  const took = (performance.now() - begun) / 1000;
  look();
  await new Promise(setImmediate);
  observer.disconnect();
  clearInterval(timer);
  await storage.close();
  return { callsPerSecond: calls / took, gap, timers };
}
