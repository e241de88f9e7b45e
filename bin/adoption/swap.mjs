// Putting the checked files in place, and taking them back.
//
// Invariant: at every instant each of the two files is whole, old or new: a file is written beside, synced, and
// renamed over. The old text is on disk as .orig before its place is taken. All of them have the mode of the old file,
// and its owner, also where the superuser does this for the one that runs the bot.

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
import { serviceText } from './services.mjs';

// Refuses where an .orig of something else stands in the way.
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

// Gives the paths that were written.
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

// Gives the paths that hold the old code again.
export function putOldFiles(bot) {
  const written = [];
  for (const file of bot.files) {
    if (!file.isOurs) continue;
    renameSync(file.orig, file.path);
    written.push(file.path);
  }
  for (const file of bot.files) {
    // What a stop in the middle of `adopt` or `revert` left.
    if (!file.isOurs && existsSync(file.orig) && readFileSync(file.orig).equals(readFileSync(file.path))) {
      rmSync(file.orig);
    }
  }
  return written;
}

// A name that nobody can have put something at, and no link is followed: who may write to the bot's folder cannot make
// the superuser write elsewhere.
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
