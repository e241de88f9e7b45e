/**
 * Measures how long the event loop of this thread is delayed by some work.
 */

import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';

const SAMPLE_MS = 1;

/** `{ median, p99, max }` of the delay in milliseconds while `work` runs. */
export async function delayDuring(work) {
  const histogram = monitorEventLoopDelay({ resolution: SAMPLE_MS });
  histogram.enable();
  // The clock starts with the first turn, and work that never lets the loop turn only shows in the turn after it.
  await sleep(3);
  await work();
  await sleep(3);
  histogram.disable();
  const milliseconds = (nanoseconds) => nanoseconds / 1e6;
  return {
    median: milliseconds(histogram.percentile(50)),
    p99: milliseconds(histogram.percentile(99)),
    max: milliseconds(histogram.max),
  };
}
