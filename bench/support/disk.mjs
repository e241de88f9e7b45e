/**
 * The bare disk through node:fs, for comparison: the same bytes on the same file system, without a store.
 *
 * The calls are synchronous on purpose: asynchronous ones go through Node's thread pool, and its wake-ups would make
 * the disk look slower.
 */

import fs from 'node:fs';

const CHUNK_BYTES = 1 << 20;

/** A file that is appended to and synced one entry at a time. */
export class BareLog {
  #fd;
  #bytes = Buffer.alloc(1 << 16, 'a');

  constructor(file) {
    this.#fd = fs.openSync(file, 'a');
  }

  /** Appends `size` bytes and syncs them; returns the time in milliseconds. */
  append(size) {
    if (size > this.#bytes.length) this.#bytes = Buffer.alloc(size, 'a');
    const begun = performance.now();
    fs.writeSync(this.#fd, this.#bytes, 0, size);
    fs.fdatasyncSync(this.#fd);
    return performance.now() - begun;
  }

  close() {
    fs.closeSync(this.#fd);
  }
}

/** Writes `size` bytes to a new file in order, with one sync at the end; returns bytes a second. */
export function sequentialWrite(file, size) {
  const chunk = Buffer.alloc(CHUNK_BYTES, 'a');
  const fd = fs.openSync(file, 'wx');
  const begun = performance.now();
  for (let left = size; left > 0; left -= CHUNK_BYTES) {
    fs.writeSync(fd, chunk, 0, Math.min(left, CHUNK_BYTES));
  }
  fs.fdatasyncSync(fd);
  const seconds = (performance.now() - begun) / 1000;
  fs.closeSync(fd);
  fs.rmSync(file);
  return size / seconds;
}

/** Bytes that this process has written to the disk, as Linux counts them. */
export function writtenBytes() {
  return Number(/^write_bytes: (\d+)/m.exec(fs.readFileSync('/proc/self/io', 'utf8'))?.[1] ?? Number.NaN);
}
