// `set`: gives a key a value, after a question.

import { readFileSync } from 'node:fs';
import { confirmOptions } from '../support/confirm.mjs';
import { usageError } from '../support/errors.mjs';
import { keyOptions, openKey } from '../support/one-key.mjs';
import { replaceValue } from '../support/replace-value.mjs';

export const summary = 'give a key a value, as a new entry';
export const usage = 'KEY VALUE [path] [options]';
export const help = `
Sets KEY in a log below path (a data folder, a bot's folder or a server; default: the current folder) to VALUE, which is
JSON; a text needs quotes of its own. With - the value is read from stdin. The command shows the old value and the new one
and asks first. The value is a new entry, so \`undo\` takes it back. A bot may be running; if it changes the key after the
question, nothing is written.
`;
export const examples = [
  ['what would change', `progressive-storage set 42 '{"coins":5}' --log wallets --dry-run`],
  ['a text, without a question', `progressive-storage set motd '"Hello"' bot/ --log settings --yes`],
  ['a value from another program', `echo '{"coins":5}' | progressive-storage set 42 - --log wallets --yes`],
];
export const positionals = { min: 2, max: 3 };
export const options = { ...keyOptions, ...confirmOptions };

export async function run(context) {
  const { terminal, options, positionals } = context;
  const [key, given, folder] = positionals;
  if (given === '-' && !options.yes && !options['dry-run'])
    throw usageError(
      'The value comes from stdin, so there is nobody to ask.',
      'Give --yes or --dry-run too.',
    );
  const then = parsed(given === '-' ? readFileSync(0, 'utf8') : given);
  const { place, name, storage, now } = await openKey(context, key, folder);
  return replaceValue({ terminal, options, place, storage }, { name, key, now, then });
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    // The value is not shown: nobody knows what it is.
    throw usageError('The value is no JSON.', `A text needs quotes of its own: '"text"'.`);
  }
}
