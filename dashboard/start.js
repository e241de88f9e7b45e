// `startDashboard`: an HTTP server for one storage, and a recorder of what it shows.

const { serverOf } = require('../lib/options.js');
const { standardServer } = require('../lib/standard.js');
const { FolderView } = require('./folder-view.js');
const { Growth } = require('./growth.js');
const { checkOptions, refuse } = require('./options.js');
const { Recorder } = require('./recorder.js');
const { Server } = require('./server.js');
const { ServerView } = require('./server-view.js');

/** Whether a storage is at a server. One that cannot be opened is shown with its error, as a folder. */
function isAtServer(storage) {
  try {
    return storage.metrics().server !== undefined;
  } catch {
    return false;
  }
}

/** Makes the view of a storage's place. */
function viewFor(api, storage, isBeside) {
  const { Storage, readLogLines } = api;
  if (isAtServer(storage)) {
    const server = storage === api ? standardServer() : serverOf(storage);
    if (server) return (changed) => new ServerView({ storage, Storage, server, isBeside }, changed);
    const message =
      'Another thread chose the server; start the dashboard there, or call configure() here too';
    refuse(TypeError, 'ERR_INVALID_ARG_VALUE', message);
  }
  const growth = isBeside ? new Growth({ dataDir: storage.metrics().dataDir, readLogLines }) : undefined;
  return () => new FolderView({ storage, Storage, growth });
}

/**
 * See `startDashboard` in index.d.ts. `api` is the package: it is handed in, because the package's entry requires this
 * file. With `isBeside`, the bot is another process: what it writes is counted from the files, or by the server.
 */
async function startDashboard(api, options, { isBeside = false } = {}) {
  const { storage = api, port, host, token } = checkOptions(options);
  const recorder = new Recorder(storage, viewFor(api, storage, isBeside));
  const server = new Server({ token, host }, recorder);
  let listened;
  try {
    listened = await server.listen(port, host);
  } catch (error) {
    await recorder.stop();
    throw error;
  }
  const name = host.includes(':') ? `[${host}]` : host;
  const close = () => server.close();
  const dashboard = { url: `http://${name}:${listened}/`, port: listened, close };
  if (Symbol.asyncDispose) dashboard[Symbol.asyncDispose] = close;
  return dashboard;
}

module.exports = { startDashboard };
