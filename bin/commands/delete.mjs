// `delete`: removes a key, after a question.

import { confirmOptions } from '../support/confirm.mjs';
import { EXIT } from '../support/errors.mjs';
import { keyOptions, openKey } from '../support/one-key.mjs';
import { replaceValue } from '../support/replace-value.mjs';

export const summary = 'remove a key, as a new entry';
export const usage = 'KEY [path] [options]';
export const help = `
Removes KEY from a log below path (a data folder, a bot's folder or a server; default: the current folder). The command
shows its value and asks first. The removal is a new entry, so \`undo\` brings the key back. A bot may be running; if it
changes the key after the question, nothing is written. Exit code 1 when there is no such key.
`;
export const examples = [
  ['what would be removed', 'progressive-storage delete 42 --log wallets --dry-run'],
  ['remove it without a question', 'progressive-storage delete 42 bot/ --log wallets --yes'],
];
export const positionals = { min: 1, max: 2 };
export const options = { ...keyOptions, ...confirmOptions };

export async function run(context) {
  const { terminal, options, positionals } = context;
  const [key, folder] = positionals;
  const { place, name, storage, now, endsAt } = await openKey(context, key, folder);
  if (now === undefined) {
    terminal.line(`There is no key ${JSON.stringify(key)} in '${name}'.`);
    terminal.result({ ...place.report, log: name, key, done: false });
    return EXIT.found;
  }
  return replaceValue({ terminal, options, place, storage }, { name, key, now, endsAt });
}
