// `dashboard`: serves the live page for a data folder or a server, in a process beside the bot.

import { readFileSync } from 'node:fs';
import path from 'node:path';
import { startDashboard } from '../../dashboard/start.js';
import api from '../../index.js';
import { chosenLogs } from '../support/chosen-logs.mjs';
import { Stop, usageError } from '../support/errors.mjs';
import { logsIn } from '../support/log-files.mjs';
import { placeOf, placeOptions } from '../support/place.mjs';

const REFRESH_MS = 2000;
/** A page learns soon that a server is away. */
const READ_MS = 10_000;
const TOKEN_VARIABLE = 'PROGRESSIVE_STORAGE_DASHBOARD_TOKEN';

export const summary = 'a web page that shows what happens in a folder or on a server, live';
export const usage = '[path] [options]';
export const help = `
Shows the logs below path (a data folder or a bot's folder; default: the current folder) on a web page, until
Ctrl-C: updates a second, sizes and growth, free disk, compactions and backups, problems, other processes, top
players, and all keys with their values and history, and the commands that undo a change. It reads only the files.
Nothing is changed, and a bot may be running. Only the bot's own process knows how long its calls take: to see that,
call startDashboard() in the bot.

Of a server it shows the logs with keys, entries, sizes and growth, its connections, top players, all keys with
their history, what the server is, and since when and why it does not answer. It asks only while a page is open, and
reads only.

Everybody on this machine can see the arguments of a command. So give the token in a file (--token-file) or in
the environment variable ${TOKEN_VARIABLE}, not with --token.
`;
export const examples = [
  ['on a free port, which it prints', 'progressive-storage dashboard bot/ --port 0'],
  [
    'for other machines too, with the token in a file',
    'progressive-storage dashboard --host 0.0.0.0 --port 0 --token-file token.txt',
  ],
];
export const positionals = { max: 1 };
export const options = {
  port: { type: 'string', value: 'N', description: 'port to listen on (default: 8377; 0: a free one)' },
  host: { type: 'string', value: 'ADDRESS', description: 'address to listen on (default: 127.0.0.1)' },
  token: {
    type: 'string',
    value: 'TEXT',
    description: 'what a visitor must know; required for other addresses',
  },
  'token-file': { type: 'string', value: 'FILE', description: 'read the token from this file' },
  ...placeOptions,
};

export async function run({ terminal, options, positionals, cwd, atEnd }) {
  const token = tokenOf(options, cwd);
  const place = await placeOf({ options, cwd }, positionals[0]);
  const storage = place.isServer ? place.open(atEnd, { timeoutMs: READ_MS }) : folderStorage(place, atEnd);
  const { host } = options;
  const port = options.port === undefined ? undefined : Number(options.port);
  let dashboard;
  try {
    dashboard = await startDashboard(api, { port, host, token, storage }, { isBeside: true });
  } catch (error) {
    if (error instanceof TypeError)
      throw usageError(error.message, 'See `progressive-storage dashboard --help`.');
    throw error;
  }
  atEnd(() => dashboard.close());
  if (!place.isServer) await keepFresh(storage, place.dataDir, atEnd);
  terminal.line(`The dashboard of ${place.title} is at ${dashboard.url}`);
  terminal.line('Ctrl-C ends it.');
  terminal.result({ ...place.report, url: dashboard.url, port: dashboard.port });
  await new Promise(() => {});
}

function folderStorage({ dataDir }, atEnd) {
  chosenLogs(dataDir);
  const storage = new api.Storage({ dataDir });
  atEnd(() => storage.close());
  return storage;
}

// Reading the size of a log updates its metrics, and does not make a plain log a collection.
async function keepFresh(storage, dataDir, atEnd) {
  const refresh = () =>
    Promise.allSettled(
      logsIn(dataDir)
        .filter(({ log, mirror }) => log || mirror)
        .map(({ name }) => storage.getLogSize(name)),
    );
  await refresh();
  const timer = setInterval(refresh, REFRESH_MS);
  atEnd(() => clearInterval(timer));
}

function tokenOf({ token, 'token-file': file }, cwd) {
  if (file === undefined) return token ?? (process.env[TOKEN_VARIABLE] || undefined);
  if (token !== undefined) throw usageError('Both --token and --token-file are given.', 'Give one of them.');
  try {
    return readFileSync(path.resolve(cwd, file), 'utf8').trim();
  } catch (error) {
    throw new Stop(`The token cannot be read from '${file}': ${error.code}.`, { code: error.code });
  }
}
