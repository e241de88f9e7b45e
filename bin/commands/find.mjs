// `find`: the keys whose value has something in a field.

import { matcherOf } from '../../lib/find.mjs';
import { short } from '../../lib/values.mjs';
import { entriesOf } from '../support/contents.mjs';
import { EXIT, usageError } from '../support/errors.mjs';
import { plural } from '../support/format.mjs';
import { placeOf, placeOptions } from '../support/place.mjs';
import { fit, visible } from '../support/visible.mjs';

export const summary = 'the keys whose value has something in a field';
export const usage = 'FIELD=VALUE [path] [options]';
export const help = `
Prints the keys of a log below path (a data folder, a bot's folder or a server; default: the current folder) whose value
has VALUE in FIELD, with their values. Dots in FIELD lead into inner objects and lists; a field of that whole name comes
first. VALUE is JSON, or a text as it stands: \`level=5\` finds the number and the text "5". Every value is read. On a
terminal, lines are cut to its width; --json leaves nothing out. Nothing is changed, and a bot may be running. Exit code 1
when there is none.
`;
export const examples = [
  ['the players of a name', 'progressive-storage find username=Ann'],
  [
    'the guilds with a language, which is a field in a field',
    'progressive-storage find settings.language=en bot/ --log guilds',
  ],
];
export const positionals = { min: 1, max: 2 };
export const options = {
  ...placeOptions,
  log: { type: 'string', value: 'NAME', default: 'players', description: 'which log' },
};

export async function run({ terminal, options, positionals, cwd, atEnd }) {
  const [given, folder] = positionals;
  const isMatch = matcherOf(given);
  if (!isMatch) throw usageError(`'${given}' is no FIELD=VALUE.`, 'Such as username=Ann.');
  const place = await placeOf({ options, cwd }, folder);
  const log = await place.log(options.log);
  const entries = await entriesOf(terminal, place.open(atEnd), log);
  const found = entries.filter(([, value]) => isMatch(value));
  for (const [key, value] of found) {
    const text = visible(`${JSON.stringify(key)}  ${short(value, Number.MAX_SAFE_INTEGER)}`);
    terminal.line(fit(text, terminal.width));
  }
  const report = { ...place.report, log: log.name, found: found.map(([key, value]) => ({ key, value })) };
  terminal.result(report);
  if (!terminal.json && found.length > 1) terminal.note(plural(found.length, 'key'));
  return found.length === 0 ? EXIT.found : EXIT.ok;
}
