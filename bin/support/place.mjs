// The place that a command works on: a data folder, or a server. A command that does the same on both knows only this.
//
//   title      what a person calls it
//   report     the same for scripts: `{ dataDir }` or `{ server, schema }`
//   isServer
//   logs       `logs(names)`: those logs, or all, as `logsIn` gives them; on a server their names alone, and no files
//   log        `log(name)`: one of them
//   counted    `counted(names)`: the same; on a server with numbers of keys and entries and sizes (`counts`), for which
//              it reads every row
//   open       `open(atEnd, options)`: a Storage that is closed when the command ends
//
// Invariant: no text here holds a url: a password may stand in it.

import { Storage } from '../../index.js';
import serverTools from '../../lib/server-tools.js';
import { chosenLogs } from './chosen-logs.mjs';
import { openStorage } from './contents.mjs';
import { dataFolder } from './data-folder.mjs';
import { placeError, usageError } from './errors.mjs';
import { BOT_LOGS, logsIn } from './log-files.mjs';
import { nearest } from './nearest.mjs';
import { isServerUrl, isUrl } from './url.mjs';

export const DEFAULT_SCHEMA = 'progressive_storage';
const URL_VARIABLE = 'PROGRESSIVE_STORAGE_URL';

export const placeOptions = {
  url: {
    type: 'string',
    value: 'URL',
    description: `a server instead of a folder; \`env\`: the one in ${URL_VARIABLE}`,
  },
  schema: {
    type: 'string',
    value: 'NAME',
    description: `the schema on the server (default: ${DEFAULT_SCHEMA})`,
  },
};

function urlOfEnvironment() {
  const url = process.env[URL_VARIABLE];
  if (url) return url;
  throw usageError(
    `${URL_VARIABLE} is not set.`,
    'Set it to the url of the server: postgres://user@host/database.',
  );
}

// The url that a word of the command line means; undefined for a path. A folder of the name `env` is `./env`.
export function urlOf(word) {
  if (word === 'env') return urlOfEnvironment();
  if (word === undefined || !isUrl(word)) return undefined;
  if (isServerUrl(word)) return word;
  throw usageError(
    'A url is given that is none of a server.',
    'Give postgres://user@host/database, or the word env.',
  );
}

// The url that a command is given: by --url, by its place, or by the environment where no place is given at all.
export function givenUrl({ url, schema }, place) {
  if (url !== undefined && place !== undefined)
    throw usageError('Both --url and a place are given.', 'Give one of them.');
  let found;
  if (url !== undefined) {
    found = urlOf(url);
    if (found === undefined)
      throw usageError(
        '--url is no url of a server.',
        'Give postgres://user@host/database, or the word env.',
      );
  } else if (place === undefined) found = process.env[URL_VARIABLE] || undefined;
  else found = urlOf(place);
  if (found === undefined && schema !== undefined)
    throw usageError(
      '--schema is about a server, and a folder is given.',
      `Give --url or ${URL_VARIABLE} too.`,
    );
  return found;
}

// The place of a command. The command ends (exit code 5) where there is no data of ours.
export async function placeOf({ options, cwd }, given, { mayBegin = false } = {}) {
  const url = givenUrl(options, given);
  if (url === undefined) return new FolderPlace(dataFolder(given, cwd, { mayBegin }));
  const place = await ServerPlace.at(url, options.schema);
  if (!mayBegin) place.checkBegun();
  return place;
}

// Questions for which a server reads whole tables, which may take minutes.
const COUNTS_ROWS = new Set(['logs', 'stamp', 'mark', 'problems']);
const COUNT_MS = 3_600_000;

export class FolderPlace {
  isServer = false;

  constructor(dataDir) {
    this.dataDir = dataDir;
    this.title = dataDir;
    this.report = { dataDir };
  }

  async logs(names) {
    return chosenLogs(this.dataDir, names);
  }

  async log(name = 'players') {
    return (await this.logs([name]))[0];
  }

  counted(names) {
    return this.logs(names);
  }

  // All of them, none checked.
  async found() {
    return logsIn(this.dataDir);
  }

  open(atEnd, options) {
    return openStorage(this.dataDir, atEnd, options);
  }
}

const logOf = (name, sizeBytes) => ({
  name,
  log: { sizeBytes },
  mirror: null,
  ...{ backups: [], archives: [], corrupt: [], torn: [], brokenMirrors: [], odd: [] },
});

// The bot's logs come first.
function ordered(logs) {
  const rank = ({ name }) => (BOT_LOGS.includes(name) ? BOT_LOGS.indexOf(name) : BOT_LOGS.length);
  return logs.sort((one, other) => rank(one) - rank(other));
}

export class ServerPlace {
  isServer = true;
  #url;

  constructor(url, schema, { server, facts }) {
    this.#url = url;
    this.schema = schema;
    this.server = server;
    this.facts = facts;
    this.title = `schema ${schema} at ${server}`;
    this.report = { server, schema };
  }

  static async at(url, schema = DEFAULT_SCHEMA) {
    const asked = serverTools.askServer({ url, schema }, 'facts', schema);
    const { server, answer } = await asked.catch((error) => {
      throw error.code === 'ERR_INVALID_ARG_VALUE' ? usageError(error.message) : error;
    });
    return new ServerPlace(url, schema, { server, facts: answer[0] });
  }

  checkBegun() {
    if (this.facts.hasTables) return;
    throw placeError(
      'ERR_NO_DATA',
      `There is no data in the ${this.title}: it has no tables.`,
      'Check the database and --schema. The first call of a bot makes them, or `progressive-storage postgres init`.',
    );
  }

  // The answers to a question of `lib/server-tools.js`.
  async ask(question, ...parameters) {
    const timeoutMs = COUNTS_ROWS.has(question) ? COUNT_MS : undefined;
    const asked = { url: this.#url, schema: this.schema, timeoutMs };
    return (await serverTools.askServer(asked, question, ...parameters)).answer;
  }

  async found() {
    return ordered((await this.#askOf('names')).map((name) => logOf(name, 0)));
  }

  async logs(names) {
    return this.#chosen(await this.found(), names);
  }

  async counted(names) {
    const logs = (await this.#askOf('logs')).map((counts) => ({
      ...logOf(counts.name, counts.sizeBytes),
      counts,
    }));
    return this.#chosen(ordered(logs), names);
  }

  async #askOf(question) {
    return this.facts.hasTables ? this.ask(question) : [];
  }

  #chosen(all, names) {
    if (names === undefined || names.length === 0) return all;
    return names.map((name) => all.find((log) => log.name === name) ?? this.#missing(all, name));
  }

  #missing(all, name) {
    const names = all.map((log) => log.name);
    const meant = nearest(name, names);
    throw placeError(
      'ERR_NO_LOG',
      `There is no log '${name}' in the ${this.title}.${meant ? ` Did you mean '${meant}'?` : ''}`,
      `The logs there: ${names.join(', ') || 'none'}.`,
    );
  }

  async log(name = 'players') {
    return (await this.logs([name]))[0];
  }

  open(atEnd, options) {
    const storage = new Storage({ url: this.#url, schema: this.schema, ...options });
    atEnd(() => storage.close());
    return storage;
  }
}
