/**
 * The given data folder: a copy of it to play on, and a fingerprint that shows whether it has changed. The folder
 * itself is only read.
 */

import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';

/** Every file and folder below `root`, as paths relative to it, in a fixed order. */
function* walk(root, below = '', seen = new Set()) {
  // A link may lead back to a folder above it; each folder is visited once.
  const real = fs.realpathSync(path.join(root, below));
  if (seen.has(real)) return;
  seen.add(real);
  const entries = fs.readdirSync(path.join(root, below), { withFileTypes: true });
  entries.sort((one, other) => (one.name < other.name ? -1 : 1));
  for (const entry of entries) {
    const relative = path.join(below, entry.name);
    // A link in the bot's folder counts as what it points to.
    const stat = fs.statSync(path.join(root, relative), { throwIfNoEntry: false });
    if (stat === undefined) continue;
    yield { relative, stat };
    if (stat.isDirectory()) yield* walk(root, relative, seen);
  }
}

export function copyFolder(from, to) {
  fs.mkdirSync(to, { recursive: true });
  for (const { relative, stat } of walk(from)) {
    const target = path.join(to, relative);
    if (stat.isDirectory()) fs.mkdirSync(target, { recursive: true });
    else if (stat.isFile()) {
      fs.copyFileSync(path.join(from, relative), target);
      // The given folder may be read-only; the copy must be writable.
      fs.chmodSync(target, 0o644);
    }
  }
}

/**
 * `{ files, bytes, digest, times }`: `digest` is a hash of names and contents, `times` one of the modification times.
 */
export function fingerprint(root) {
  const contents = createHash('sha256');
  const times = createHash('sha256');
  let files = 0;
  let bytes = 0;
  for (const { relative, stat } of walk(root)) {
    contents.update(`${relative}\0${stat.isFile() ? stat.size : 'not a file'}\0`);
    if (!stat.isFile()) continue;
    times.update(`${relative}\0${stat.mtimeMs}\0`);
    files += 1;
    bytes += stat.size;
    hashFile(contents, path.join(root, relative));
  }
  return { files, bytes, digest: contents.digest('hex'), times: times.digest('hex') };
}

function hashFile(hash, file) {
  const fd = fs.openSync(file, 'r');
  try {
    const buffer = Buffer.alloc(1 << 20);
    for (let read = fs.readSync(fd, buffer); read > 0; read = fs.readSync(fd, buffer)) {
      hash.update(buffer.subarray(0, read));
    }
  } finally {
    fs.closeSync(fd);
  }
}
