// Gives a key another value, or removes it, after a question that shows both values.
//
// Invariant: nothing is written over a value that was not shown.

import { describeDifferences, equal, short } from '../../lib/values.mjs';
import { removeUnlessChanged, setUnlessChanged } from './change.mjs';
import { confirmed } from './confirm.mjs';
import { EXIT, Stop } from './errors.mjs';

// `now` and `then`: undefined where the key is not there. `expiresAt`: when `then` ends; without it, when `now` would have.
// Returns the exit code.
export async function replaceValue(
  { terminal, options, place, storage },
  { name, key, now, then, expiresAt },
) {
  const report = { ...place.report, log: name, key, now, then, done: false };
  terminal.title(`${JSON.stringify(key)} in ${name}`);
  terminal.fact('now', short(now));
  terminal.fact('then', short(then));
  if (equal(now, then)) {
    terminal.line('It has that value. There is nothing to do.');
    terminal.result({ ...report, done: true });
    return EXIT.ok;
  }
  terminal.fact('changes', describeDifferences(now, then));
  if (!(await confirmed(terminal, options, then === undefined ? 'Remove it?' : 'Write this?'))) {
    terminal.result(report);
    return EXIT.ok;
  }
  const isDone =
    then === undefined
      ? await removeUnlessChanged(storage, name, key, now)
      : await setUnlessChanged(storage, name, key, now, then, { expiresAt });
  if (!isDone) {
    throw new Stop(`The key ${JSON.stringify(key)} changed meanwhile. Nothing was written.`, {
      code: 'ERR_CHANGED',
      hint: 'Check its history, and try again.',
    });
  }
  report.done = true;
  terminal.line('Done.');
  terminal.result(report);
  return EXIT.ok;
}
