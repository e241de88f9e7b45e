// Puts the new service files in place, and the old ones back.
//
// Invariants: at every instant each of the two files is whole, old or new, because it is written to a temporary file,
// synced, and renamed. The old text is on disk as .orig before the new one takes its place. A new file has the mode
// of the old one; where the superuser writes it, its owner too.

import { randomBytes } from 'node:crypto';
import {
  closeSync,
  constants,
  existsSync,
  fchmodSync,
  fchownSync,
  fsyncSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { Stop } from '../support/errors.mjs';
import { serviceText } from './service-text.mjs';

// The command ends where an .orig is there already and is not a copy of the old file.
export function checkOrigs(bot) {
  for (const file of bot.files) {
    if (!file.isOurs && existsSync(file.orig) && !readFileSync(file.orig).equals(readFileSync(file.path))) {
      throw new Stop(`'${file.orig}' is there already and is not a copy of '${path.basename(file.path)}'.`, {
        code: 'ERR_ORIG_EXISTS',
        hint: 'Look at both, and move that file away. Nothing was changed.',
      });
    }
  }
}

// Returns the paths that were written.
export function putNewFiles(bot) {
  const written = [];
  const old = bot.files.filter(({ isOurs }) => !isOurs);
  for (const file of old) {
    replace(file.orig, readFileSync(file.path), file.path);
    written.push(file.orig);
  }
  for (const file of old) {
    replace(file.path, serviceText(file, bot), file.path);
    written.push(file.path);
  }
  return written;
}

// Returns the paths that hold the old code again.
export function putOldFiles(bot) {
  const written = [];
  for (const file of bot.files) {
    if (!file.isOurs) continue;
    renameSync(file.orig, file.path);
    written.push(file.path);
  }
  for (const file of bot.files) {
    // An interrupted `adopt` or `revert` left this copy.
    if (!file.isOurs && existsSync(file.orig) && readFileSync(file.orig).equals(readFileSync(file.path))) {
      rmSync(file.orig);
    }
  }
  return written;
}

// Nobody can guess the temporary name, and no link is followed: otherwise somebody who may write to the bot's folder
// could make the superuser write elsewhere.
function replace(file, content, like) {
  const temporary = `${file}.${randomBytes(8).toString('hex')}.tmp`;
  const { mode, uid, gid } = statSync(like);
  const { O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW = 0 } = constants;
  const handle = openSync(temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600);
  try {
    try {
      if (process.getuid?.() === 0) fchownSync(handle, uid, gid);
      fchmodSync(handle, mode);
      writeFileSync(handle, content);
      fsyncSync(handle);
    } finally {
      closeSync(handle);
    }
    renameSync(temporary, file);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
}
