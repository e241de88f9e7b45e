// `get`: the value of a key, as JSON.

import { EXIT } from '../support/errors.mjs';
import { keyOptions, openKey } from '../support/one-key.mjs';
import { visibleJson } from '../support/visible.mjs';

export const summary = 'the value of a key';
export const usage = 'KEY [path] [options]';
export const help = `
Prints the value that KEY has in a log below path (a data folder, a bot's folder or a server; default: the current
folder), as JSON: as a bot loads it, edits of the JSON file included. Nothing is changed, and a bot may be running. Exit
code 1 when there is no such key. When the key ends by itself is said on stderr, and with --json in \`expiresAt\`.
`;
export const examples = [
  ['a player', 'progressive-storage get 42'],
  ['a key of another log', 'progressive-storage get welcome bot/ --log settings'],
];
export const positionals = { min: 1, max: 2 };
export const options = keyOptions;

export async function run(context) {
  const { terminal, positionals } = context;
  const [key, folder] = positionals;
  const { place, name, now: value, endsAt } = await openKey(context, key, folder);
  const isThere = value !== undefined;
  const end = endsAt === null ? {} : { expiresAt: endsAt };
  if (terminal.json) terminal.result({ ...place.report, log: name, key, isThere, value, ...end });
  else if (isThere) terminal.raw(`${visibleJson(value, 2)}\n`);
  else terminal.note(`There is no key ${JSON.stringify(key)} in '${name}'.`);
  if (endsAt !== null && !terminal.json)
    terminal.note(`It ends by itself at ${new Date(endsAt).toISOString()}.`);
  return isThere ? EXIT.ok : EXIT.found;
}
