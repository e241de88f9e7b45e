/**
 * No store: the bare disk with the least work that is needed. An update or a burst of updates appends their bytes and
 * syncs; a load reads the file. No durable store can be faster than this.
 */

import fs from 'node:fs';
import path from 'node:path';
import { writeFixture } from '../support/fixture.mjs';
import { writeEntries } from '../support/small-entries.mjs';

export const durability = 'append, then one fdatasync';

const ENTRY = { update: 5600, append: 150 };

export const fill = async (folder, players) => void writeFixture(folder, players);
export const fillEntries = async (folder, total, keys) => writeEntries(folder, 'entries', total, keys);

export async function open(folder, { name = 'players' } = {}) {
  const file = path.join(folder, 'logs', `${name}.log`);
  const fd = fs.openSync(path.join(folder, 'bare.log'), 'a');
  const bytes = Buffer.alloc(ENTRY.update * 1000, 'a');
  const write = async (size) => {
    fs.writeSync(fd, bytes, 0, size);
    fs.fdatasyncSync(fd);
  };
  return {
    all: async () => void fs.readFileSync(file),
    update: () => write(ENTRY.update),
    /** `count` calls at once: one write, one sync. */
    burst: (kind, count) => write(ENTRY[kind] * count),
    close: async () => fs.closeSync(fd),
  };
}
