// `postgres`: what the owner of a database does for a bot. `postgres init` makes the tables and gives the bot's role its
// rights.

import serverTools from '../../lib/server-tools.js';
import { Stop, usageError } from '../support/errors.mjs';
import { DEFAULT_SCHEMA, givenUrl, placeOptions, ServerPlace } from '../support/place.mjs';

export const summary = 'for the owner of a database: make the tables, and give the bot its rights';
export const usage = 'init [options]';
export const help = `
Makes the schema and its tables in a database of a PostgreSQL server, and gives the role of the bot the right to
change their rows, and no more. Run it with a url of the owner of the database; the bot has another one. What is
there already stays as it is, so it can be run again. Tables of an older version of the package are brought up to
date; bots with that version can go on with them, and bots with this one begin to work. New values are compressed with lz4 where
the server has it, which takes less of its time. With --print it only prints the SQL, and connects to nothing.

Everybody on this machine can see the arguments of a command. So give the url in PROGRESSIVE_STORAGE_URL, not with
--url, or leave the password out of it (PGPASSWORD, PGPASSFILE).
`;
export const examples = [
  ['the SQL, for whoever looks after the server', 'progressive-storage postgres init --role bot --print'],
  [
    'make the tables, as the owner in PROGRESSIVE_STORAGE_URL',
    'progressive-storage postgres init --role bot',
  ],
];
export const positionals = { min: 1, max: 1 };
export const options = {
  ...placeOptions,
  role: { type: 'string', value: 'NAME', description: 'the role that the bot logs in with' },
  print: { type: 'boolean', description: 'print the SQL, and do nothing' },
};

export async function run({ terminal, options, positionals, atEnd }) {
  if (positionals[0] !== 'init')
    throw usageError(`There is no 'postgres ${positionals[0]}'.`, 'Give `postgres init`.');
  const { role, schema = DEFAULT_SCHEMA } = options;
  if (role === '' || role?.includes('\0')) throw usageError('--role is no name of a role.');
  if (options.print) return print(terminal, schema, role);
  const url = givenUrl(options.url === undefined ? {} : { url: options.url });
  if (url === undefined)
    throw usageError('The url of the server is missing.', 'Set PROGRESSIVE_STORAGE_URL, or give --url.');
  const place = await ServerPlace.at(url, schema);
  const { hasTables, user } = place.facts;
  terminal.title(`The ${place.title}`);
  const upgradedFrom = hasTables ? await upgrade(place) : null;
  // Opening makes what is missing, and checks the version of what is there.
  await place.open(atEnd).getLogSize('players');
  terminal.check({
    ok: true,
    text: hasTables
      ? `The tables are there${upgradedFrom === null ? '' : `, and are brought up to date from version ${upgradedFrom}`}.`
      : `Made the tables; their owner is ${user}.`,
  });
  await compress(terminal, place);
  if (role !== undefined) {
    if (role === user)
      throw new Stop(`'${role}' is the role of the url, which owns the tables.`, {
        code: 'ERR_USAGE',
        exitCode: 2,
        hint: 'Give the role of the bot, or leave --role out.',
      });
    await place.ask('grant', role);
    terminal.check({ ok: true, text: `${role} may read and change their rows, and no more.` });
  }
  terminal.result({ ...place.report, madeTables: !hasTables, upgradedFrom, role: role ?? null, done: true });
  return undefined;
}

// Brings tables of an older version up to date; gives that version, else null.
async function upgrade(place) {
  const [{ version }] = await place.ask('meta');
  if (version !== '1') return null;
  await place.ask('upgrade');
  return version;
}

// Has new values compressed with lz4. It is no failure where the server, or the role, cannot.
async function compress(terminal, place) {
  try {
    await place.ask('compress');
    terminal.check({ ok: true, text: 'The server compresses new values with lz4.' });
  } catch (error) {
    if (!['ERR_SERVER', 'ERR_SERVER_RIGHTS'].includes(error.code)) throw error;
    terminal.note(`New values are not compressed with lz4, which takes less time: ${error.message}`);
  }
}

function print(terminal, schema, role) {
  const sql = serverTools.serverTables(schema, role);
  if (terminal.json) terminal.result({ schema, role: role ?? null, sql });
  else terminal.raw(sql);
  return undefined;
}
