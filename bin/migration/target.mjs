// Where entries are copied to: the entries that are there, and the Storage that appends.

import { readLogLines, Storage } from '../../index.js';
import { storedEntries } from '../../lib/server-source.mjs';

export class ServerTarget {
  constructor(place, storage) {
    this.place = place;
    this.storage = storage;
  }

  async *stored(name) {
    if (this.place.facts.hasTables) yield* storedEntries(this.place, name);
  }

  // Waits until no batch is under way: a run that was killed may have sent one that the server is still working on.
  async settle() {
    if (this.place.facts.hasTables) await this.place.ask('settle');
  }

  async flush() {}
}

export class FolderTarget {
  constructor(place, atEnd) {
    this.place = place;
    this.atEnd = atEnd;
    this.#opened = null;
  }

  #opened;

  // Opened with the first entry: a dry run makes no folder. The flush at the end syncs everything.
  get storage() {
    if (this.#opened === null) {
      const storage = new Storage({ dataDir: this.place.dataDir, fsync: 'interval' });
      this.#opened = storage;
      this.atEnd(() => storage.close());
    }
    return this.#opened;
  }

  async *stored(name) {
    const found = (await this.place.found()).find((log) => log.name === name);
    if (!found?.log) return;
    for (let from; ; ) {
      const { lines, next, isEnd } = readLogLines(found.log.path, from);
      for (const { state, entry } of lines)
        if (entry !== undefined && (state === 'checked' || state === 'plain')) yield entry;
      if (isEnd) return;
      from = next;
    }
  }

  async settle() {}

  flush() {
    return this.storage.flush();
  }
}
