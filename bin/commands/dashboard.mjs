// `dashboard`: the live page for a data folder, from a process of its own.

import { startDashboard } from '../../dashboard/server.js';
import { Storage } from '../../index.js';
import { usageError } from '../support/errors.mjs';
import { chosenLogs, dataFolder } from '../support/folder.mjs';

const LOOK_MS = 2000;

export const summary = 'a web page that shows what happens in a folder, live';
export const usage = '[path] [options]';
export const help = `
Shows the logs below path (a data folder or a bot's folder; default: the current folder) on a web page, until
Ctrl-C: entries and bytes a second, sizes and growth, compactions and backups, problems, top players, and the history
of any key, all told by the files. Nothing is changed, and a bot may be running. How long its calls take is known to
the bot's process alone: for that, call startDashboard() in the bot.
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
};

export async function run({ terminal, options, positionals, cwd, atEnd }) {
  const dataDir = dataFolder(positionals[0], cwd);
  const storage = new Storage({ dataDir });
  atEnd?.(() => storage.close());
  const { host, token } = options;
  const port = options.port === undefined ? undefined : Number(options.port);
  let dashboard;
  try {
    dashboard = await startDashboard(undefined, { port, host, token, storage }, true);
  } catch (error) {
    if (error instanceof TypeError)
      throw usageError(error.message, 'See `progressive-storage dashboard --help`.');
    throw error;
  }
  atEnd?.(() => dashboard.close());
  // Reading a log brings its figures up to date.
  const look = () =>
    Promise.allSettled(chosenLogs(dataDir).map(({ name }) => storage.collection(name).size()));
  await look();
  const timer = setInterval(look, LOOK_MS);
  atEnd?.(() => clearInterval(timer));
  terminal.line(`The dashboard of ${dataDir} is at ${dashboard.url}`);
  terminal.line('Ctrl-C ends it.');
  terminal.result({ dataDir, url: dashboard.url, port: dashboard.port });
  await new Promise(() => {});
}
