// `keys`: the keys of a log, one a line.

import { EXIT } from '../support/errors.mjs';
import { bytesToRead } from '../support/log-files.mjs';
import { placeOf, placeOptions } from '../support/place.mjs';
import { visible } from '../support/visible.mjs';

export const summary = 'the keys of a log';
export const usage = '[path] [options]';
export const help = `
Prints the keys that a log below path (a data folder, a bot's folder or a server; default: the current folder) has, one a
line, in stored order. In --match, * stands for any characters, ? for one, and a backslash takes the meaning from the next
one. Nothing is changed, and a bot may be running. Exit code 1 when there is none.
`;
export const examples = [
  ['all keys of a log', 'progressive-storage keys --log settings'],
  ['those that begin so', `progressive-storage keys bot/ --log settings --match 'guild-*'`],
];
export const positionals = { max: 1 };
export const options = {
  ...placeOptions,
  log: { type: 'string', value: 'NAME', default: 'players', description: 'which log' },
  match: { type: 'string', value: 'PATTERN', description: 'only keys like this one' },
};

export async function run({ terminal, options, positionals, cwd, atEnd }) {
  const place = await placeOf({ options, cwd }, positionals[0]);
  const log = await place.log(options.log);
  const { name } = log;
  const reading = place.open(atEnd).collection(name).keys();
  const all = await terminal.waiting(`Reading ${name}`, reading, bytesToRead(log));
  const pattern = options.match === undefined ? /^/ : asRegExp(options.match);
  const keys = all.filter((key) => pattern.test(key));
  if (terminal.json) terminal.result({ ...place.report, log: name, keys });
  // A key with a line break is one line all the same.
  else for (const key of keys) terminal.raw(`${visible(key)}\n`, { isRecord: true });
  return keys.length === 0 ? EXIT.found : EXIT.ok;
}

function asRegExp(pattern) {
  const parts = pattern.match(/\\.|./gsu) ?? [];
  const source = parts.map((part) => {
    if (part === '*') return '.*';
    if (part === '?') return '.';
    const character = part.length > 1 && part.startsWith('\\') ? part.slice(1) : part;
    return character.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&');
  });
  return new RegExp(`^${source.join('')}$`, 'su');
}
