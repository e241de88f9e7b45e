/**
 * The disk alone: an append with its sync, and a sequential write with one sync at the end.
 */

import path from 'node:path';
import { BareLog, sequentialWrite } from '../support/disk.mjs';
import { summary } from '../support/stats.mjs';

const SEQUENTIAL_BYTES = 256 << 20;

export async function run({ folder, samples }) {
  const append = {};
  for (const size of [150, 5400]) {
    const log = new BareLog(path.join(folder, `bare-${size}.log`));
    const times = Array.from({ length: samples }, () => log.append(size));
    log.close();
    append[size] = summary(times);
  }
  const file = path.join(folder, 'sequential');
  const sequential = summary([1, 2, 3, 4, 5].map(() => sequentialWrite(file, SEQUENTIAL_BYTES)));
  return { append, sequential };
}
