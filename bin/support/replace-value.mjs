// Gives a key another value, or removes it, after a question that shows both values, and when they end by themselves.
//
// Invariant: nothing is written over a value that was not shown.

import { describeDifferences, equal, short } from '../../lib/values.mjs';
import { removeUnlessChanged, setUnlessChanged } from './change.mjs';
import { confirmed } from './confirm.mjs';
import { EXIT, Stop } from './errors.mjs';
import { untilText } from './time.mjs';

// `now` and `then`: undefined where the key is not there. `endsAt`: when `now` ends; null: never. `end`: when `then` ends, as
// for `setUnlessChanged`, and with `text` for a time that is not known yet. Returns the exit code.
export async function replaceValue(
  { terminal, options, place, storage },
  { name, key, now, endsAt, then, end },
) {
  const expiresAt = end === undefined ? (endsAt ?? undefined) : end?.expiresAt;
  const ends = {
    nowExpiresAt: endsAt ?? undefined,
    thenExpiresAt: then === undefined ? undefined : expiresAt,
  };
  const report = { ...place.report, log: name, key, now, then, ...ends, done: false };
  terminal.title(`${JSON.stringify(key)} in ${name}`);
  terminal.fact('now', `${short(now)}${untilText(endsAt)}`);
  terminal.fact('then', `${short(then)}${end?.text ?? untilText(ends.thenExpiresAt)}`);
  if (ends.thenExpiresAt <= Date.now()) {
    terminal.line('That value has ended by itself since. It is not put back.');
    terminal.result({ ...report, isOver: true });
    return EXIT.found;
  }
  const isSame = equal(now, then);
  const isSameEnd = end?.ttlMs === undefined && ends.nowExpiresAt === ends.thenExpiresAt;
  if (isSame && isSameEnd) {
    terminal.line('It has that value. There is nothing to do.');
    terminal.result({ ...report, done: true });
    return EXIT.ok;
  }
  terminal.fact('changes', isSame ? 'when it ends' : describeDifferences(now, then));
  if (!(await confirmed(terminal, options, then === undefined ? 'Remove it?' : 'Write this?'))) {
    terminal.result(report);
    return EXIT.ok;
  }
  const isDone =
    then === undefined
      ? await removeUnlessChanged(storage, name, key, now)
      : await setUnlessChanged(storage, name, key, now, then, end === undefined ? undefined : timeOf(end));
  if (!isDone) {
    throw new Stop(`The key ${JSON.stringify(key)} changed meanwhile. Nothing was written.`, {
      code: 'ERR_CHANGED',
      hint: 'Check its history, and try again.',
    });
  }
  report.done = true;
  if (end?.ttlMs !== undefined) report.thenExpiresAt = await storage.collection(name).expiresAt(key);
  terminal.line('Done.');
  terminal.result(report);
  return EXIT.ok;
}

function timeOf(end) {
  if (end === null) return null;
  return end.ttlMs === undefined ? { expiresAt: end.expiresAt } : { ttlMs: end.ttlMs };
}
