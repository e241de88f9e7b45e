// `import`: writes the keys and values of a file as entries of a log.

import path from 'node:path';
import { equal } from '../../lib/values.mjs';
import { looksExpiring, readEntries } from '../formats/entries-of-file.mjs';
import { deleteAny, setAny } from '../support/change.mjs';
import { confirmed, confirmOptions } from '../support/confirm.mjs';
import { entriesOf } from '../support/contents.mjs';
import { EXIT, usageError } from '../support/errors.mjs';
import { count, plural } from '../support/format.mjs';
import { loadSchema, validated } from '../support/given-schema.mjs';
import { endsAt, splitByEnd } from '../support/past.mjs';
import { placeOf, placeOptions } from '../support/place.mjs';

export const summary = 'keys and values of a JSON, JSON lines or CSV file, as new entries';
export const usage = 'FILE [path] [options]';
export const help = `
Reads FILE, in a format that \`export\` writes for one log, and sets each of its keys in a log below path (a
data folder or a bot's folder; default: the current folder). First it shows how many keys are new, changed and
the same; those that are the same are not written. Keys that the file lacks stay, unless --replace is given. A
bot may be running. A data folder that is missing or empty is begun.

The keys are written one by one, many with one sync: after an interruption some are written, and a second run writes
the rest. With --expires the file says when keys end by themselves, as \`export --expires\` writes it; what has ended
by now is not written, and counted. What is written without an end stays until somebody removes it. With --validate,
each value must fit a schema (zod, valibot, arktype, or another Standard Schema) before anything is written, and what
the schema makes of it is written. MODULE is a file of JavaScript whose export of the log's name, or whose default
export, is the schema; it is run. In CSV, a column becomes numbers, lists and so on where all its cells are JSON; else
it is text. A column that is text in the log stays text.
`;
export const examples = [
  ['what a file would change', 'progressive-storage import all-players.json --dry-run'],
  [
    'into another log, without a question',
    'progressive-storage import new-guilds.csv bot/ --log guilds --yes',
  ],
  ['only what fits a schema', 'progressive-storage import all-players.json --validate schemas.mjs --dry-run'],
];
export const positionals = { min: 1, max: 2 };
export const options = {
  ...placeOptions,
  log: { type: 'string', value: 'NAME', default: 'players', description: 'which log' },
  format: {
    type: 'string',
    short: 'f',
    value: 'FORMAT',
    description: 'json, jsonl or csv (default: by the extension of the file)',
  },
  expires: { type: 'boolean', description: 'the file says when keys end by themselves' },
  validate: {
    type: 'string',
    value: 'MODULE',
    description: 'a module with a schema that each value must fit',
  },
  replace: { type: 'boolean', description: 'remove the keys that the file lacks' },
  ...confirmOptions,
};

const ENDINGS = { '.json': 'json', '.jsonl': 'jsonl', '.ndjson': 'jsonl', '.csv': 'csv' };
const IN_FLIGHT = 500;

export async function run({ terminal, options, positionals, cwd, atEnd }) {
  const file = path.resolve(cwd, positionals[0]);
  const format = options.format ?? ENDINGS[path.extname(file).toLowerCase()];
  if (!Object.values(ENDINGS).includes(format)) {
    throw usageError(`The format of '${positionals[0]}' is not known.`, 'Give --format json, jsonl or csv.');
  }
  const schema =
    options.validate === undefined ? undefined : await loadSchema(options.validate, cwd, options.log);
  const place = await placeOf({ options, cwd }, positionals[1], { mayBegin: true });
  const storage = place.open(atEnd);
  const log = (await place.found()).find(({ name }) => name === options.log);
  const current = new Map(log && (await entriesOf(terminal, storage, log)));
  const read = readEntries(file, format, { current, expires: options.expires });
  if (format === 'json' && !options.expires && looksExpiring(read.entries))
    terminal.note(
      'The values look like those that `export --expires` writes: without --expires they stay so.',
    );
  const entries = schema ? validated(schema, read.entries) : read.entries;
  const ends = log && read.hasEnds ? await endsAt(terminal, place, { log, atEnd }) : new Map();
  const plan = planOf({ entries, hasEnds: read.hasEnds, current, ends }, options);
  const report = { ...place.report, log: options.log, ...plan.counts, ended: plan.ended, done: false };
  showPlan(terminal, { title: place.title, ...report }, options);
  const total = plan.toSet.length + plan.toDelete.length;
  if (total === 0) {
    terminal.line('There is nothing to do.');
    terminal.result({ ...report, done: true });
    return EXIT.ok;
  }
  if (!(await confirmed(terminal, options, `Write ${plural(total, 'entry', 'entries')}?`))) {
    terminal.result(report);
    return EXIT.ok;
  }
  await write(terminal, storage, options.log, plan);
  report.done = true;
  terminal.line('Done.');
  terminal.result(report);
  return EXIT.ok;
}

// Which keys to set and which to delete, so that the log has the entries of the file.
// Where the file has no ends, the one that a key has is no difference.
function planOf({ entries, hasEnds, current, ends }, { replace }) {
  const { left, ended } = splitByEnd(entries);
  const isSame = ([key, value, end]) =>
    current.has(key) && equal(current.get(key), value) && (!hasEnds || ends.get(key) === end);
  const toSet = left.filter((entry) => !isSame(entry));
  const keys = new Set(left.map(([key]) => key));
  const toDelete = replace ? [...current.keys()].filter((key) => !keys.has(key)) : [];
  const added = toSet.filter(([key]) => !current.has(key)).length;
  const counts = {
    added,
    changed: toSet.length - added,
    same: left.length - toSet.length,
    removed: toDelete.length,
  };
  return { toSet, toDelete, counts, ended };
}

function showPlan(terminal, { title, log, added, changed, same, removed, ended }, { replace }) {
  terminal.title(`${log} in ${title}`);
  terminal.fact('new', count(added));
  terminal.fact('changed', count(changed));
  terminal.fact('the same', count(same));
  if (replace) terminal.fact('removed', count(removed));
  if (ended.length > 0) terminal.fact('ended by itself', `${count(ended.length)}, not written`);
}

async function write(terminal, storage, log, { toSet, toDelete }) {
  const work = [
    ...toSet.map(
      ([key, value, end]) =>
        () =>
          setAny(storage, log, key, value, end),
    ),
    ...toDelete.map((key) => () => deleteAny(storage, log, key)),
  ];
  const progress = terminal.progress('Writing', work.length);
  for (let from = 0; from < work.length; from += IN_FLIGHT) {
    const part = work.slice(from, from + IN_FLIGHT);
    await Promise.all(part.map((call) => call()));
    progress.add(part.length);
  }
  progress.end();
}
