// `set`: gives a key a value, after a question.

import { readFileSync } from 'node:fs';
import { confirmOptions } from '../support/confirm.mjs';
import { usageError } from '../support/errors.mjs';
import { keyOptions, openKey } from '../support/one-key.mjs';
import { replaceValue } from '../support/replace-value.mjs';
import { parseDuration } from '../support/time.mjs';

export const summary = 'give a key a value, as a new entry';
export const usage = 'KEY VALUE [path] [options]';
export const help = `
Sets KEY in a log below path (a data folder, a bot's folder or a server; default: the current folder) to VALUE, which is
JSON; a text needs quotes of its own. With - the value is read from stdin. The command shows the old value and the new one
and asks first. The value is a new entry, so \`undo\` takes it back. A bot may be running; if it changes the key after the
question, nothing is written. With --ttl the key ends by itself so long after the write; without it, a key that ends by
itself goes on to do so.
`;
export const examples = [
  ['what would change', `progressive-storage set 42 '{"coins":5}' --log wallets --dry-run`],
  [
    'a cooldown of ten minutes',
    `progressive-storage set daily-42 '"taken"' bot/ --log settings --ttl 10m --yes`,
  ],
  ['a value from another program', `echo '{"coins":5}' | progressive-storage set 42 - --log wallets --yes`],
];
export const positionals = { min: 2, max: 3 };
export const options = {
  ...keyOptions,
  ttl: {
    type: 'string',
    value: 'TIME',
    description: 'the key ends by itself after this: 90s, 10m, 2h, 3d; never: it no longer does',
  },
  ...confirmOptions,
};

export async function run(context) {
  const { terminal, options, positionals } = context;
  const [key, given, folder] = positionals;
  if (given === '-' && !options.yes && !options['dry-run'])
    throw usageError(
      'The value comes from stdin, so there is nobody to ask.',
      'Give --yes or --dry-run too.',
    );
  const then = parsed(given === '-' ? readFileSync(0, 'utf8') : given);
  const end = endOf(options.ttl);
  const { place, name, storage, now, endsAt } = await openKey(context, key, folder);
  return replaceValue({ terminal, options, place, storage }, { name, key, now, endsAt, then, end });
}

// As `replaceValue` takes it.
function endOf(ttl) {
  if (ttl === undefined) return undefined;
  if (ttl === 'never') return null;
  return { ttlMs: parseDuration(ttl, '--ttl'), text: `, for ${ttl}` };
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    // The value is not shown: nobody knows what it is.
    throw usageError('The value is no JSON.', `A text needs quotes of its own: '"text"'.`);
  }
}
