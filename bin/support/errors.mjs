// How a command can end: exit codes and errors. Exit codes are part of the program's interface (docs/cli.md).

export const PROGRAM = 'progressive-storage';

export const EXIT = {
  // Done; nothing needs attention.
  ok: 0,
  // Done; something needs attention: damage, differences, a warning or failure of `doctor`.
  found: 1,
  // Wrong usage: an unknown command or option, a missing argument, a wrong value of an option.
  usage: 2,
  // Failed. Unless the message says otherwise, nothing was changed.
  failed: 3,
  // The answer was no, or there was no terminal to ask on.
  declined: 4,
  // The folder, log or backup is missing, unreadable, or not ours.
  place: 5,
  // `doctor` found nothing wrong, but could not check everything.
  unchecked: 6,
  // Ctrl-C (128 + SIGINT).
  interrupted: 130,
};

// An error that a person can do something about: message, hint, details and exit code.
export class Stop extends Error {
  constructor(message, { exitCode = EXIT.failed, code = 'ERR_FAILED', hint, details = [] } = {}) {
    super(message);
    this.name = 'Stop';
    this.exitCode = exitCode;
    this.code = code;
    this.hint = hint;
    this.details = details;
  }
}

// The codes in the help.
export const EXIT_CODES =
  '0 done, 1 something was found, 2 wrong usage, 3 failed, 4 not confirmed, 5 nothing there to work on, ' +
  '6 not all could be checked, 130 interrupted';

// `code` is ERR_NO_PLACE (not there), ERR_PLACE_UNREADABLE, ERR_NOT_A_FOLDER, ERR_NOT_A_FILE, ERR_NO_DATA, ERR_NO_LOG,
// ERR_NO_BACKUP or ERR_NO_BOT.
export function placeError(code, message, hint) {
  return new Stop(message, { exitCode: EXIT.place, code, hint });
}

export function usageError(message, hint) {
  return new Stop(message, { exitCode: EXIT.usage, code: 'ERR_USAGE', hint });
}

const SYSTEM_ERRORS = {
  EACCES: 'this user may not use it',
  EPERM: 'this user may not use it',
  ENOENT: 'there is no such file or folder',
  ENOTDIR: 'a part of that path is not a folder',
  EISDIR: 'that is a folder',
  EINVAL: 'that is no file',
  EEXIST: 'it is there already',
  ENOSPC: 'the disk is full',
  EROFS: 'it is mounted read-only',
  EIO: 'the disk failed',
  EMFILE: 'too many files are open',
};

// A system's error in words: `'/data/logs/players.log': this user may not use it (EACCES, open)`. Any other error keeps
// its message.
export function failureText({ message, code, syscall, path }) {
  if (!syscall || !path || !SYSTEM_ERRORS[code]) return message;
  return `'${path}': ${SYSTEM_ERRORS[code]} (${code}, ${syscall})`;
}

// Any failure as a `Stop`: a system's error in words, a mistake of this program without the paths of its own files.
export function asStop(failure) {
  if (failure instanceof Stop) return failure;
  const { code, path } = failure;
  const text = failureText(failure);
  if (text !== failure.message) {
    const isRights = code === 'EACCES' || code === 'EPERM';
    const options = isRights
      ? {
          exitCode: EXIT.place,
          code,
          hint: 'Run this as the user that the bot runs as (or see chown, chmod).',
        }
      : { code };
    return Object.assign(new Stop(`${text}.`, options), { path });
  }
  if (code !== undefined) return Object.assign(new Stop(failure.message, { code }), { path });
  const isDebug = Boolean(process.env.PROGRESSIVE_STORAGE_DEBUG);
  return new Stop(failure.message, {
    code: 'ERR_FAILED',
    hint: `This is a mistake of ${PROGRAM} itself. Please report it; with PROGRESSIVE_STORAGE_DEBUG=1 it shows where.`,
    details: isDebug ? String(failure.stack).split('\n').slice(1) : [],
  });
}
