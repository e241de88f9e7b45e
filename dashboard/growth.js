// What was appended to the logs of a folder by whoever writes them, told by their files alone.
//
// Invariant: only what came since the last look is read. A log that was replaced (a compaction) counts from its end on,
// so its checkpoint is not taken for new entries; what came in the two seconds around it is not counted.

const fs = require('node:fs');
const path = require('node:path');

const PIECE_BYTES = 1 << 20;
const NEWLINE = 10;

class Growth {
  #folder;
  #logs;
  entries = 0;
  bytes = 0;

  constructor(dataDir) {
    this.#folder = path.join(dataDir, 'logs');
  }

  /** Brings `entries` and `bytes` up to date. */
  look() {
    const before = this.#logs;
    this.#logs = new Map();
    let names = [];
    try {
      names = fs.readdirSync(this.#folder).filter((name) => name.endsWith('.log'));
    } catch {
      // There are no logs yet.
    }
    for (const name of names) {
      const file = path.join(this.#folder, name);
      const { ino, size } = fs.statSync(file, { throwIfNoEntry: false }) ?? {};
      if (ino === undefined) continue;
      this.#logs.set(name, { ino, size });
      const known = before?.get(name) ?? { ino, size: before ? 0 : size };
      if (known.ino === ino && size > known.size) this.#count(file, known.size, size);
    }
  }

  #count(file, from, to) {
    let opened;
    try {
      opened = fs.openSync(file, 'r');
      const piece = Buffer.alloc(Math.min(PIECE_BYTES, to - from));
      for (let at = from; at < to; ) {
        const read = fs.readSync(opened, piece, 0, Math.min(piece.length, to - at), at);
        if (read === 0) break;
        for (
          let line = piece.indexOf(NEWLINE);
          line >= 0 && line < read;
          line = piece.indexOf(NEWLINE, line + 1)
        )
          this.entries += 1;
        this.bytes += read;
        at += read;
      }
    } catch {
      // Replaced or gone meanwhile: the next look begins anew.
    } finally {
      if (opened !== undefined) fs.closeSync(opened);
    }
  }
}

module.exports = { Growth };
