/**
 * Sustained load from the measured thread: each of `callers` awaits a call, then makes the next one. A 1 ms timer
 * measures the gaps between turns of the event loop.
 *
 * Kinds: `append` is appendLogEntry, `update` is update() of a collection, `read` is get() of a collection in memory.
 * `bytes` is the size of an entry or value. `beyondMs` is the longest gap without the callers' own work: arguments,
 * the function given to update, and what a call does before it returns (mostly JSON.stringify). `collectionMs` is the
 * longest garbage collection.
 */

import { PerformanceObserver } from 'node:perf_hooks';
import { loadPackage } from '../support/package.mjs';

/** Processor time of this thread, without other programs; NaN before Node.js 24. */
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
  // Not measured: the first calls, which are all made at once.
  const begun = performance.now();
  until = begun + seconds * 1000;
  ownMs = 0;
  let last = begun;
  let timers = 0;
  const gap = { ms: 0, beyondMs: 0, processorMs: 0, collectionMs: 0 };
  let lastProcessor = processorMs();
  const measure = () => {
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
  const timer = setInterval(measure, 1);
  // Let the loop turn, so that the other callers see the end.
  await all;
  const took = (performance.now() - begun) / 1000;
  measure();
  await new Promise(setImmediate);
  observer.disconnect();
  clearInterval(timer);
  await storage.close();
  return { callsPerSecond: calls / took, gap, timers };
}
