// `dashboard`: the live page for a data folder, from a process of its own.

import { readFileSync } from 'node:fs';
import path from 'node:path';
import { startDashboard } from '../../dashboard/start.js';
import api from '../../index.js';
import { Stop, usageError } from '../support/errors.mjs';
import { chosenLogs, dataFolder, logsIn } from '../support/folder.mjs';

const LOOK_MS = 2000;
const TOKEN_VARIABLE = 'PROGRESSIVE_STORAGE_DASHBOARD_TOKEN';

export const summary = 'a web page that shows what happens in a folder, live';
export const usage = '[path] [options]';
export const help = `
Shows the logs below path (a data folder or a bot's folder; default: the current folder) on a web page, until
Ctrl-C: entries and bytes a second, sizes and growth, compactions and backups, problems, top players, and the history
of any key, all told by the files. Nothing is changed, and a bot may be running. How long its calls take is known to
the bot's process alone: for that, call startDashboard() in the bot.

Everybody on this machine can see the arguments of a command: give the token in a file (--token-file) or in the
environment variable ${TOKEN_VARIABLE} rather than with --token.
`;
export const positionals = { max: 1 };
export const options = {
  port: { type: 'string', value: 'N', description: 'port to listen on (default: 8377; 0: a free one)' },
  host: { type: 'string', value: 'ADDRESS', description: 'address to listen on (default: 127.0.0.1)' },
  token: {
    type: 'string',
    value: 'TEXT',
    description: 'what a visitor must know; needed for other addresses',
  },
  'token-file': { type: 'string', value: 'FILE', description: 'the token is in this file' },
};

export async function run({ terminal, options, positionals, cwd, atEnd }) {
  const token = tokenOf(options, cwd);
  const dataDir = dataFolder(positionals[0], cwd);
  chosenLogs(dataDir);
  const storage = new api.Storage({ dataDir });
  atEnd?.(() => storage.close());
  const { host } = options;
  const port = options.port === undefined ? undefined : Number(options.port);
  let dashboard;
  try {
    dashboard = await startDashboard(api, { port, host, token, storage }, { isOfFolder: true });
  } catch (error) {
    if (error instanceof TypeError)
      throw usageError(error.message, 'See `progressive-storage dashboard --help`.');
    throw error;
  }
  atEnd?.(() => dashboard.close());
  // Asking for its size brings the figures of a log up to date, and makes nothing of it that it is not.
  const look = () =>
    Promise.allSettled(
      logsIn(dataDir)
        .filter(({ log, mirror }) => log || mirror)
        .map(({ name }) => storage.getLogSize(name)),
    );
  await look();
  const timer = setInterval(look, LOOK_MS);
  atEnd?.(() => clearInterval(timer));
  terminal.line(`The dashboard of ${dataDir} is at ${dashboard.url}`);
  terminal.line('Ctrl-C ends it.');
  terminal.result({ dataDir, url: dashboard.url, port: dashboard.port });
  await new Promise(() => {});
}

function tokenOf({ token, 'token-file': file }, cwd) {
  if (file === undefined) return token ?? (process.env[TOKEN_VARIABLE] || undefined);
  if (token !== undefined) throw usageError('There are both --token and --token-file.', 'Give one of them.');
  try {
    return readFileSync(path.resolve(cwd, file), 'utf8').trim();
  } catch (error) {
    throw new Stop(`The token cannot be read from '${file}': ${error.code}.`, { code: error.code });
  }
}
