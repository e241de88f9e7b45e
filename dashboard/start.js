// `startDashboard`: a server for one storage, and a recorder of what it shows.

const { Growth } = require('./growth.js');
const { checkOptions } = require('./options.js');
const { Recorder } = require('./recorder.js');
const { Server } = require('./server.js');

/**
 * See `startDashboard` in index.d.ts. `api` is the package: it is handed in, because the package's entry requires this
 * file. With `isOfFolder`, other processes write to the folder, so entries and bytes are counted from its files.
 */
async function startDashboard(api, options, { isOfFolder = false } = {}) {
  const { storage = api, port, host, token } = checkOptions(options);
  const { Storage, readLogLines } = api;
  const { dataDir } = isOfFolder ? storage.metrics() : {};
  const growth = isOfFolder ? new Growth({ dataDir, readLogLines }) : undefined;
  const recorder = new Recorder({ storage, Storage, growth });
  const server = new Server({ token, host }, recorder);
  let listened;
  try {
    listened = await server.listen(port, host);
  } catch (error) {
    recorder.stop();
    throw error;
  }
  const name = host.includes(':') ? `[${host}]` : host;
  const close = () => server.close();
  const dashboard = { url: `http://${name}:${listened}/`, port: listened, close };
  if (Symbol.asyncDispose) dashboard[Symbol.asyncDispose] = close;
  return dashboard;
}

module.exports = { startDashboard };
