// What a command can end with. Exit codes are part of the program's interface (docs/cli.md).

export const EXIT = {
  // Done, and nothing was found that needs attention.
  ok: 0,
  // Done, and something was found: damage, differences, a failed finding of `doctor`.
  found: 1,
  // Wrong usage: an unknown command or option, a missing argument, a value that an option does not take.
  usage: 2,
  // It could not be done. Unless the message says otherwise, nothing was changed.
  failed: 3,
  // The question was answered with no, or nobody was there to answer it.
  declined: 4,
  // What the command was to look at is not there, may not be read, or is not ours: a folder, a log, a backup.
  place: 5,
  // Nothing was found, but something could not be checked (`doctor`): this is no "all is well".
  unchecked: 6,
  // Ctrl-C (128 + SIGINT).
  interrupted: 130,
};

// An end of the program that a person can do something about: message, hint and exit code.
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

// The codes as the help shows them.
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

// What the system refused, in words: `'/data/logs/players.log': this user may not use it (EACCES, open)`. The message of
// any other error.
export function failureText({ message, code, syscall, path }) {
  if (!syscall || !path || !SYSTEM_ERRORS[code]) return message;
  return `'${path}': ${SYSTEM_ERRORS[code]} (${code}, ${syscall})`;
}
