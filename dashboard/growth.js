// What was appended to the logs of a folder by whoever writes them, told by their files alone.
//
// Lines are those of the engine (`readLogLines`), so an entry counts wherever it stands in a line.
//
// Invariant: only what came since the last look is read. A log that was replaced (a compaction) counts from its end on,
// so its checkpoint is not taken for new entries; what came in the two seconds around it is not counted.

const fs = require('node:fs');
const path = require('node:path');
const { readLogLines } = require('../index.js');

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
      const begin = { offset: before ? 0 : size, line: 1 };
      const known = before?.get(name) ?? { ino, place: begin };
      let place = known.ino === ino ? known.place : { offset: size, line: 1 };
      if (size > place.offset) place = this.#count(file, place);
      else place = { ...place, offset: size };
      this.#logs.set(name, { ino, place });
    }
  }

  // Counts from a place on; gives the place behind what was counted.
  #count(file, from) {
    let place = from;
    const goTo = (next) => {
      this.bytes += next.offset - place.offset;
      place = next;
    };
    try {
      for (;;) {
        const piece = readLogLines(file, place, { entries: false });
        if (piece === null) return place;
        const last = piece.lines.at(-1);
        // One that is still being written counts when it is whole.
        const isBeingWritten = last !== undefined && !last.isTerminated;
        const lines = isBeingWritten ? piece.lines.slice(0, -1) : piece.lines;
        this.entries += lines.filter(({ state }) => state === 'checked' || state === 'plain').length;
        goTo(isBeingWritten ? { offset: last.offset, line: last.line } : piece.next);
        if (piece.isEnd) return place;
      }
    } catch {
      // Replaced or gone meanwhile: the next look begins anew.
      return place;
    }
  }
}

module.exports = { Growth };
