// The default storage, behind the module's functions: opened by the first of them, and again after `close`.

const native = require('./addon.js');
const events = require('./events.js');

/** What `configure` said on this thread, or what the storage was opened with; one that did not open leaves nothing. */
let settings;
let isOpen = false;

const standard = native.standardStorage(open);
events.connect(() => isOpen);

function open() {
  const wanted = settings ?? native.configured() ?? require('./options.js').readOptions().settings;
  const hub = native.openStandard(standard, wanted);
  settings = wanted;
  isOpen = true;
  events.defaultOpened(hub);
}

function configure(options) {
  const chosen = require('./options.js').readOptions(options);
  native.configure(chosen.settings, isOpen ? settings : undefined);
  events.setDefaultLogger(chosen.logger);
  settings = chosen.settings;
}

function close() {
  isOpen = false;
  return standard.close();
}

/** The server of the default storage; undefined for a folder, and where another thread chose it. */
const standardServer = () => require('./options.js').serverOf(settings);

module.exports = { close, configure, standard, standardServer };
