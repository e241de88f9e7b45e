// The disk under the folder: which file system, whether it outlives a restart, whether a sync reaches it, and how
// much is free.

import { randomBytes } from 'node:crypto';
import fs, {
  closeSync,
  existsSync,
  fdatasyncSync,
  fsyncSync,
  openSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs';
import path from 'node:path';
import { failureText } from '../support/errors.mjs';
import { logsIn } from '../support/folder.mjs';
import { bytes } from '../support/format.mjs';
import { fail, info, ok, skipped, unchecked, warn } from './finding.mjs';
import { nearestFolder } from './folder.mjs';

const NETWORK =
  /^(nfs\d?|cifs|smb\w*|smbfs|9p|afs|ceph|glusterfs|lustre|ncpfs|davfs|fuse\.(sshfs|s3fs|rclone|gcsfuse|davfs2?|glusterfs|ceph.*))$/;
const MEMORY = /^(tmpfs|ramfs|devtmpfs)$/;
const OVERLAY = /^(overlay|overlayfs|aufs|unionfs|fuse\.fuse-overlayfs|squashfs)$/;
const LOCAL = /^(ext[234]|xfs|btrfs|zfs|f2fs|jfs|reiserfs|bcachefs|apfs|hfs|hfsplus|ufs|ntfs3?|fuseblk)$/;

const FREE_BYTES_MIN = 64 * 1024 * 1024;
const SYNCS = 15;
// No drive that keeps what it reports answers faster than this.
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

// `{ type, at, options }` of the mount under a folder; undefined where the system does not tell.
export function mountOf(folder, text = mountInfo()) {
  const real = realpathSync(folder);
  const mounts = text
    .split('\n')
    .filter(Boolean)
    .map((line) => {
      const [left, right] = line.split(' - ');
      const [, , , , at, options] = left.split(' ');
      const [type, , superOptions = ''] = right.split(' ');
      const unescaped = at.replace(/\\(\d{3})/g, (_, digits) =>
        String.fromCharCode(Number.parseInt(digits, 8)),
      );
      return { type, at: unescaped, options: [...options.split(','), ...superOptions.split(',')] };
    });
  const isUnder = ({ at }) => at === '/' || real === at || real.startsWith(`${at}/`);
  // Of several mounts at one place the last is the one that is seen.
  return mounts
    .filter(isUnder)
    .reduce((best, mount) => (!best || mount.at.length >= best.at.length ? mount : best), undefined);
}

function mountInfo() {
  try {
    return readFileSync('/proc/self/mountinfo', 'utf8');
  } catch {
    return '';
  }
}

export function fileSystemFindings(mount, isInContainer = inContainer()) {
  if (!mount)
    return [
      unchecked(
        'file-system',
        'The file system: this system does not tell which it is',
        'It must be a local one: the lock between processes does not reach other machines.',
        'See for yourself that it is no network disk, and not in memory.',
      ),
    ];
  const { type, at, options } = mount;
  const what = `file system ${type}, mounted at ${at}`;
  const findings = [];
  if (NETWORK.test(type)) {
    findings.push(
      fail(
        'file-system',
        `${what}: a network file system`,
        'Its locks and syncs cannot be relied on, so updates of two processes may be lost, and a power cut of the server may take acknowledged ones.',
        'Put the data folder on a local disk, and copy backups to the network.',
      ),
    );
  } else if (MEMORY.test(type)) {
    findings.push(
      fail(
        'file-system',
        `${what}: it is in memory`,
        'Everything is gone at a restart; nothing there can be synced to a disk.',
        'Put the data folder on a disk.',
      ),
    );
  } else if (OVERLAY.test(type)) {
    findings.push(
      warn(
        'file-system',
        `${what}: a layer of a container`,
        'What is written there is thrown away when the container is made anew (an update, a deploy).',
        'Mount a volume, and put the data folder on it (docker run -v bot-data:/app/data …).',
      ),
    );
  } else if (LOCAL.test(type)) findings.push(ok('file-system', `${what}: a local disk`));
  else
    findings.push(
      unchecked(
        'file-system',
        what,
        'It is not among those that are known here.',
        'See for yourself that it is on a local disk.',
      ),
    );
  if (isInContainer && at === '/' && LOCAL.test(type)) {
    findings.push(
      info(
        'container',
        'This is a container, and the folder is on its own file system',
        'It may be thrown away with the container. A volume outlives it.',
      ),
    );
  }
  const unsafe = options.filter((option) => /^(nobarrier|barrier=0|barrier=none)$/.test(option));
  if (unsafe.length > 0) {
    findings.push(
      fail(
        'barriers',
        `It is mounted with ${unsafe.join(', ')}`,
        'A sync does not reach the drive, so a power cut takes what was acknowledged.',
        'Mount it without that option.',
      ),
    );
  }
  if (options.includes('ro')) {
    findings.push(
      fail(
        'read-only',
        'It is mounted read-only',
        'Every write is rejected with EROFS.',
        'Mount it writable; if the system did that by itself, the disk has errors (see dmesg).',
      ),
    );
  }
  return findings;
}

function inContainer() {
  return process.platform === 'linux' && (existsSync('/.dockerenv') || existsSync('/run/.containerenv'));
}

function spaceFindings(folder, dataDir) {
  // Node 18.15 and newer.
  if (typeof fs.statfsSync !== 'function')
    return [
      unchecked(
        'space',
        'Free space: this version of Node does not tell it',
        'Where the disk is full, every write is rejected with ENOSPC.',
        'Look with df, or use Node 18.15 or newer.',
      ),
    ];
  const { bavail, bsize, ffree, files } = fs.statfsSync(folder);
  const freeBytes = bavail * bsize;
  const largest = Math.max(
    0,
    ...logsIn(dataDir).flatMap(({ log, mirror }) => [log?.sizeBytes ?? 0, mirror?.sizeBytes ?? 0]),
  );
  // A compaction writes a new log and a new mirror before the old ones go.
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
        `A compaction of the largest log needs room for a second copy; have at least ${bytes(neededBytes)}.`,
        'Free some space.',
      ),
    );
  } else findings.push(ok('space', what));
  if (files > 0 && ffree === 0) {
    findings.push(
      fail(
        'inodes',
        'The file system has no room for another file',
        'New files cannot be made (ENOSPC).',
        'Delete files that are not needed.',
      ),
    );
  }
  return findings;
}

// Writes, syncs and renames a file of its own.
function syncFindings(folder, mount, atEnd) {
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
  } catch (error) {
    return [
      fail(
        'write',
        `Writing failed: ${failureText(error)}`,
        'The bot cannot store anything.',
        'See to the cause; the code says which it is.',
      ),
    ];
  } finally {
    remove();
  }
  times.sort((one, other) => one - other);
  const medianUs = times[times.length >> 1];
  const what = `a write with sync takes ${medianUs < 1000 ? `${Math.round(medianUs)} µs` : `${(medianUs / 1000).toFixed(1)} ms`} (median of ${SYNCS})`;
  if (medianUs < SYNC_US_SUSPICIOUS && !(mount && MEMORY.test(mount.type))) {
    return [
      warn(
        'sync',
        what,
        'No drive answers that fast: the sync goes to memory, and a power cut may take what was acknowledged.',
        'See whether this is a virtual disk whose host ignores syncs.',
      ),
    ];
  }
  if (medianUs > SYNC_US_SLOW) {
    return [
      warn(
        'sync',
        what,
        'Each awaited update takes at least that long; many at once share a sync.',
        "Use a faster disk, or fsync: 'interval' if the loss of a second is acceptable.",
      ),
    ];
  }
  return [ok('sync', what)];
}

function syncFolder(folder) {
  const handle = openSync(folder, 'r');
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}
