// Counts what any process appends to the logs of a folder. It reads only their files.
//
// The store reads the lines (`readLogLines`), so an entry behind garbage on its line counts too.
//
// Invariant: each update reads only what was appended since the one before. A replaced log (a compaction) counts from
// its end on: its checkpoint is not taken for new entries, but entries appended since the last update are missed.

const fs = require('node:fs');
const path = require('node:path');

class Growth {
  #readLogLines;
  #folder;
  #logs;
  /** What was counted of each log by its name. */
  #counted = new Map();
  entries = 0;
  bytes = 0;

  constructor({ dataDir, readLogLines }) {
    this.#folder = path.join(dataDir, 'logs');
    this.#readLogLines = readLogLines;
  }

  /** `{ entries, bytes }` of one log. */
  of(log) {
    return this.#counted.get(log) ?? { entries: 0, bytes: 0 };
  }

  /** Brings `entries` and `bytes` up to date. */
  update() {
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
      const [entries, bytes] = [this.entries, this.bytes];
      const known = before?.get(name) ?? { ino, place: begin };
      let place = known.ino === ino ? known.place : { offset: size, line: 1 };
      if (size > place.offset) place = this.#count(file, place);
      else place = { ...place, offset: size };
      this.#logs.set(name, { ino, place });
      const sum = this.of(name.slice(0, -'.log'.length));
      const more = { entries: sum.entries + this.entries - entries, bytes: sum.bytes + this.bytes - bytes };
      this.#counted.set(name.slice(0, -'.log'.length), more);
    }
  }

  /** Counts from a place on; returns the place behind the last whole line. */
  #count(file, from) {
    let place = from;
    const goTo = (next) => {
      this.bytes += next.offset - place.offset;
      place = next;
    };
    try {
      for (;;) {
        const piece = this.#readLogLines(file, place, { entries: false });
        if (piece === null) return place;
        const last = piece.lines.at(-1);
        // A line that is still being written counts once it is whole.
        const isBeingWritten = last !== undefined && !last.isTerminated;
        const lines = isBeingWritten ? piece.lines.slice(0, -1) : piece.lines;
        this.entries += lines.filter(({ state }) => state === 'checked' || state === 'plain').length;
        goTo(isBeingWritten ? { offset: last.offset, line: last.line } : piece.next);
        if (piece.isEnd) return place;
      }
    } catch {
      // Replaced or gone meanwhile: the next update starts again.
      return place;
    }
  }
}

module.exports = { Growth };
