// What a command can end with. Exit codes are part of the program's interface (docs/cli.md).

export const EXIT = {
  // Done, and nothing was found that needs attention.
  ok: 0,
  // Done, and something was found: damage, differences, a failed finding of `doctor`.
  found: 1,
  // Wrong usage: an unknown command or option, a missing argument, a path that is not there.
  usage: 2,
  // It could not be done. Unless the message says otherwise, nothing was changed.
  failed: 3,
  // The question was answered with no, or nobody was there to answer it.
  declined: 4,
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

export function usageError(message, hint) {
  return new Stop(message, { exitCode: EXIT.usage, code: 'ERR_USAGE', hint });
}
