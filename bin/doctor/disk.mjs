// The disk under the folder: how much of it is free, and whether a write and a sync work.

import { randomBytes } from 'node:crypto';
import fs, { closeSync, fdatasyncSync, fsyncSync, openSync, renameSync, rmSync, writeSync } from 'node:fs';
import path from 'node:path';
import { failureText } from '../support/errors.mjs';
import { bytes } from '../support/format.mjs';
import { logsIn } from '../support/log-files.mjs';
import { fileSystemFindings, isInMemory, mountOf } from './file-system.mjs';
import { fail, ok, skipped, unchecked, warn } from './finding.mjs';
import { nearestFolder } from './folder.mjs';

const FREE_BYTES_MIN = 64 * 1024 * 1024;
const SYNCS = 15;
// A drive that really syncs takes longer than this.
const SYNC_US_SUSPICIOUS = 15;
const SYNC_US_SLOW = 50_000;

export function diskFindings({ dataDir, isReadOnly, atEnd }) {
  const folder = nearestFolder(dataDir);
  const mount = mountOf(folder);
  return [
    ...fileSystemFindings(mount),
    ...spaceFindings(folder, dataDir),
    ...(isReadOnly
      ? [skipped('sync', 'writing and syncing (--read-only)')]
      : syncFindings(folder, mount, atEnd)),
  ];
}

function spaceFindings(folder, dataDir) {
  // Node 18.15 and newer.
  if (typeof fs.statfsSync !== 'function')
    return [
      unchecked(
        'space',
        'Free space: this version of Node does not show it',
        'Where the disk is full, every write is rejected with ENOSPC.',
        'Check with df, or use Node 18.15 or newer.',
      ),
    ];
  const { bavail, bsize, ffree, files } = fs.statfsSync(folder);
  const freeBytes = bavail * bsize;
  const largest = Math.max(
    0,
    ...logsIn(dataDir).flatMap(({ log, mirror }) => [log?.sizeBytes ?? 0, mirror?.sizeBytes ?? 0]),
  );
  // A compaction writes a new log and a new mirror before the old ones are removed.
  const neededBytes = Math.max(FREE_BYTES_MIN, 3 * largest);
  const findings = [];
  const what = `${bytes(freeBytes)} free`;
  if (freeBytes === 0)
    findings.push(
      fail(
        'space',
        'The disk is full',
        'Every write is rejected with ENOSPC.',
        'Free some space; the next write then works.',
      ),
    );
  else if (freeBytes < neededBytes) {
    findings.push(
      warn(
        'space',
        what,
        `A compaction of the largest log needs room for a second copy: at least ${bytes(neededBytes)}.`,
        'Free some space.',
      ),
    );
  } else findings.push(ok('space', what));
  if (files > 0 && ffree === 0) {
    findings.push(
      fail(
        'inodes',
        'The file system has no inode left for another file',
        'New files cannot be created (ENOSPC).',
        'Delete files that are not needed.',
      ),
    );
  }
  return findings;
}

// Writes, syncs and renames a file of its own.
function syncFindings(folder, mount, atEnd) {
  let medianUs;
  try {
    medianUs = measureSync(folder, atEnd);
  } catch (error) {
    return [
      fail(
        'write',
        `Writing failed: ${failureText(error)}`,
        'The bot cannot store anything.',
        'Remove the cause: the code names it.',
      ),
    ];
  }
  const time = medianUs < 1000 ? `${Math.round(medianUs)} µs` : `${(medianUs / 1000).toFixed(1)} ms`;
  const what = `a write with sync takes ${time} (median of ${SYNCS})`;
  if (medianUs < SYNC_US_SUSPICIOUS && !(mount && isInMemory(mount))) {
    return [
      warn(
        'sync',
        what,
        'No drive answers that fast: the sync goes to memory, and a power cut may lose what was acknowledged.',
        'Check whether this is a virtual disk whose host ignores syncs.',
      ),
    ];
  }
  if (medianUs > SYNC_US_SLOW) {
    return [
      warn(
        'sync',
        what,
        'Each awaited update takes at least that long; concurrent updates share a sync.',
        "Use a faster disk, or fsync: 'interval' if you can accept to lose a second.",
      ),
    ];
  }
  return [ok('sync', what)];
}

// The median time of a write with sync, in microseconds.
function measureSync(folder, atEnd) {
  const file = path.join(folder, `.progressive-storage-doctor-${randomBytes(8).toString('hex')}`);
  const remove = () => {
    rmSync(file, { force: true });
    rmSync(`${file}.renamed`, { force: true });
  };
  atEnd(remove);
  const times = [];
  try {
    const handle = openSync(file, 'wx');
    try {
      for (let i = 0; i < SYNCS; i++) {
        const began = process.hrtime.bigint();
        writeSync(handle, 'x'.repeat(512));
        fdatasyncSync(handle);
        times.push(Number(process.hrtime.bigint() - began) / 1000);
      }
    } finally {
      closeSync(handle);
    }
    renameSync(file, `${file}.renamed`);
    if (process.platform !== 'win32') syncFolder(folder);
  } finally {
    remove();
  }
  return times.sort((one, other) => one - other)[times.length >> 1];
}

function syncFolder(folder) {
  const handle = openSync(folder, 'r');
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}
