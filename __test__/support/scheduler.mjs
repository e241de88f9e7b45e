// A compaction scheduler of a test.

import { atEnd } from './temp.mjs';

// Shorter than a compaction, so that rounds come while one is running.
const INTERVAL_MS = 2;

// Starts a scheduler on a storage, and stops it at the end of the test.
export function startOn(t, storage, logNames, intervalMs = INTERVAL_MS) {
  const scheduler = storage.startCompactionScheduler(intervalMs, logNames);
  atEnd(t, () => scheduler.stop());
  return scheduler;
}
