// `Storage`: its calls are native methods; what is not a call on data is added here.

const native = require('./addon.js');
const { Collection } = require('./collection.js');
const events = require('./events.js');
const { startScheduler } = require('./scheduler.js');
const { streamLogEntries } = require('./stream.js');

/** The error of a native method for a `this` that is none of ours. */
const illegal = () => new TypeError('Illegal invocation');

class Storage extends native.Storage {
  #hub;

  constructor(options) {
    const { keepServer, readOptions } = require('./options.js');
    const { settings, logger } = readOptions(options);
    super(settings);
    keepServer(this, settings);
    this.#hub = native.hubOf(this);
    if (logger !== undefined) events.setLogger(this.#hub, logger);
  }

  /** The name of a storage's hub: nothing but a storage has one. */
  static #hubOf(storage) {
    if (Object(storage) !== storage || !(#hub in storage)) throw illegal();
    return storage.#hub;
  }

  collection(name, options) {
    Storage.#hubOf(this);
    return new Collection(this, name, options);
  }

  transaction(places, fn) {
    Storage.#hubOf(this);
    return require('./transaction.js').transaction(this, places, fn);
  }

  streamLogEntries(logName) {
    Storage.#hubOf(this);
    return streamLogEntries(this, logName);
  }

  snapshot(folder) {
    Storage.#hubOf(this);
    return require('./snapshot.js').snapshot(this, folder, Storage);
  }

  startCompactionScheduler(intervalMs, logNames) {
    Storage.#hubOf(this);
    native.checkOpen(this);
    return startScheduler(this, intervalMs, logNames);
  }

  on(event, listener, options) {
    events.addListener(Storage.#hubOf(this), event, listener, options);
  }

  once(event, listener, options) {
    events.addOnce(Storage.#hubOf(this), event, listener, options);
  }

  off(event, listener) {
    events.removeListener(Storage.#hubOf(this), event, listener);
  }
}

// Node.js before 18.18 has no such symbol.
if (Symbol.asyncDispose) Storage.prototype[Symbol.asyncDispose] = Storage.prototype.close;

module.exports = { Storage };
