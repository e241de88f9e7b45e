// Asks before something is changed.

import { EXIT, Stop } from './errors.mjs';

export const confirmOptions = {
  yes: { type: 'boolean', short: 'y', description: 'do not ask' },
  'dry-run': { type: 'boolean', description: 'show what would be done, and change nothing' },
};

// True to go on, false for a dry run. The command ends where the answer is no.
export async function confirmed(terminal, options, question) {
  if (options['dry-run']) {
    terminal.line();
    terminal.line('This was a dry run. Nothing was changed.');
    return false;
  }
  if (options.yes || (await terminal.confirm(question))) return true;
  throw new Stop('Not confirmed. Nothing was changed.', {
    exitCode: EXIT.declined,
    code: 'ERR_NOT_CONFIRMED',
    hint: 'Answer with y, or give --yes.',
  });
}
