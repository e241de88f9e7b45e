// `Storage`: its calls are native methods; what is not a call on data is added here.

const native = require('./addon.js');
const events = require('./events.js');
const { startScheduler } = require('./scheduler.js');
const { streamLogEntries } = require('./stream.js');

class Storage extends native.Storage {
  constructor(options) {
    const { settings, logger } = require('./options.js').readOptions(options);
    super(settings);
    if (logger !== undefined) events.setLogger(native.hubOf(this), logger);
  }

  streamLogEntries(logName) {
    return streamLogEntries(this, logName);
  }

  startCompactionScheduler(intervalMs, logNames) {
    native.checkOpen(this);
    return startScheduler(this, intervalMs, logNames);
  }

  on(event, listener, options) {
    events.addListener(native.hubOf(this), event, listener, options);
  }

  once(event, listener, options) {
    events.addOnce(native.hubOf(this), event, listener, options);
  }

  off(event, listener) {
    events.removeListener(native.hubOf(this), event, listener);
  }
}

// Node.js before 18.18 has no such symbol.
if (Symbol.asyncDispose) Storage.prototype[Symbol.asyncDispose] = Storage.prototype.close;

module.exports = { Storage };
