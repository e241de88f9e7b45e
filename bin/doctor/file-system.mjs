// The file system that the data folder is on: whether it is local, survives a restart, and syncs to the drive.

import { existsSync, readFileSync, realpathSync } from 'node:fs';
import { fail, info, ok, unchecked, warn } from './finding.mjs';

const NETWORK =
  /^(nfs\d?|cifs|smb\w*|smbfs|9p|afs|ceph|glusterfs|lustre|ncpfs|davfs|fuse\.(sshfs|s3fs|rclone|gcsfuse|davfs2?|glusterfs|ceph.*))$/;
const MEMORY = /^(tmpfs|ramfs|devtmpfs)$/;
const OVERLAY = /^(overlay|overlayfs|aufs|unionfs|fuse\.fuse-overlayfs|squashfs)$/;
const LOCAL = /^(ext[234]|xfs|btrfs|zfs|f2fs|jfs|reiserfs|bcachefs|apfs|hfs|hfsplus|ufs|ntfs3?|fuseblk)$/;

export const isInMemory = ({ type }) => MEMORY.test(type);

// `{ type, at, options }` of the mount that a folder is on; undefined where the system does not show it.
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
  // Where several are mounted at one place, the last one hides the others.
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
        'The file system: this system does not show which it is',
        'It must be local: the lock between processes does not reach other machines.',
        'Check that it is not a network disk, and not in memory.',
      ),
    ];
  return [typeFinding(mount), ...containerFindings(mount, isInContainer), ...optionFindings(mount)];
}

function typeFinding({ type, at }) {
  const what = `file system ${type}, mounted at ${at}`;
  if (NETWORK.test(type)) {
    return fail(
      'file-system',
      `${what}: a network file system`,
      'Its locks and syncs are not reliable: updates of two processes may be lost, and a power cut of the server may lose acknowledged ones.',
      'Put the data folder on a local disk, and copy backups to the network.',
    );
  }
  if (MEMORY.test(type)) {
    return fail(
      'file-system',
      `${what}: it is in memory`,
      'A restart loses everything: no sync reaches a disk.',
      'Put the data folder on a disk.',
    );
  }
  if (OVERLAY.test(type)) {
    return warn(
      'file-system',
      `${what}: a layer of a container`,
      'Its data is lost when the container is recreated (an update, a deploy).',
      'Mount a volume, and put the data folder on it (docker run -v bot-data:/app/data …).',
    );
  }
  if (LOCAL.test(type)) return ok('file-system', `${what}: a local disk`);
  return unchecked(
    'file-system',
    what,
    'This type of file system is unknown here.',
    'Check that it is on a local disk.',
  );
}

function containerFindings({ type, at }, isInContainer) {
  if (!isInContainer || at !== '/' || !LOCAL.test(type)) return [];
  return [
    info(
      'container',
      'This is a container, and the folder is on its own file system',
      'It may be removed with the container. A volume outlives it.',
    ),
  ];
}

function optionFindings({ options }) {
  const findings = [];
  const unsafe = options.filter((option) => /^(nobarrier|barrier=0|barrier=none)$/.test(option));
  if (unsafe.length > 0) {
    findings.push(
      fail(
        'barriers',
        `It is mounted with ${unsafe.join(', ')}`,
        'A sync does not reach the drive, so a power cut loses what was acknowledged.',
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
        'Mount it writable. If the system did that by itself, the disk has errors (see dmesg).',
      ),
    );
  }
  return findings;
}

function inContainer() {
  return process.platform === 'linux' && (existsSync('/.dockerenv') || existsSync('/run/.containerenv'));
}
