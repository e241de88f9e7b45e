// The note of a transaction over several logs: `.progressive-storage/transaction`. `src/files/transaction/intent.rs` writes it.

import { readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { visible } from './visible.mjs';

export const noteOf = (dataDir) => path.join(dataDir, '.progressive-storage', 'transaction');

// The logs of a transaction that may not be in all of them, as text; undefined where there is none. Throws where the note
// cannot be read.
export function unfinishedTransaction(dataDir) {
  const note = noteOf(dataDir);
  if (!statSync(note, { throwIfNoEntry: false })) return undefined;
  const [header] = readFileSync(note, 'utf8').split('\n', 1);
  return header === '' ? undefined : logsIn(header);
}

function logsIn(header) {
  try {
    const { parts } = JSON.parse(header);
    return parts.map(({ log }) => `'${visible(log)}'`).join(' and ');
  } catch {
    return 'several logs';
  }
}
