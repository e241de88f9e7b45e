// `watch`: the changes of a collection's keys, as an async iterator or for a listener.
//
// What this process writes, native code notes and wakes the watch. For what others write, the place is looked at: when the
// system tells of a change in the folder, when this process has committed to a server, and once a second in any case.
//
// Invariant: while nobody watches there is no timer, no file watcher, and nothing that the place notes. A watch does not keep
// the process alive. Of one watch at most one look is under way.

const { watch: watchFolder } = require('node:fs');
const path = require('node:path');
// A test may put others in their place.
const { clearInterval, clearTimeout, setInterval, setTimeout } = require('node:timers');
const native = require('./addon.js');
const { checkFunction, isObject, quote, wrongType, wrongValue } = require('./check.js');
const events = require('./events.js');
const { isTurnDue, takeTurn } = require('./turn.js');

const POLL_MS = 1000;
/** Several events of the system, as a write gives them, are one look. */
const SOON_MS = 10;

const nothing = () => {};
const end = () => ({ value: undefined, done: true });

// --- When the place is looked at ---

/** The watches of this thread by their ids, and the events of each folder that one of them is about. */
const watches = new Map();
const folders = new Map();
let poll;

/** For a file watcher Deno keeps the process alive, whatever `persistent` says, and anew after each event. */
function release(watcher) {
  if (process.versions.deno) setImmediate(() => watcher.unref());
}

/** The system's events about the files of a data folder, where it has such. */
class FolderEvents {
  #watches = new Set();
  #watchers = new Map();
  #folder;

  constructor(folder) {
    this.#folder = folder;
  }

  add(watch) {
    this.#watches.add(watch);
    this.open();
  }

  /** False where nobody is left. */
  remove(watch) {
    this.#watches.delete(watch);
    if (this.#watches.size > 0) return true;
    for (const watcher of this.#watchers.values()) watcher.close();
    this.#watchers.clear();
    return false;
  }

  /** Watches the folders that are there and not watched yet. */
  open() {
    for (const [folder, ending] of [
      [this.#folder, '.json'],
      [path.join(this.#folder, 'logs'), '.log'],
    ]) {
      if (!this.#watchers.has(folder)) this.#openOne(folder, ending);
    }
  }

  #openOne(folder, ending) {
    try {
      const watcher = watchFolder(folder, { persistent: false }, (event, file) => {
        // The folder itself was removed or got another name; another one may come.
        if (event === 'rename' && file === path.basename(folder)) this.#close(folder);
        this.#seen(file, ending);
        release(watcher);
      });
      this.#watchers.set(folder, watcher);
      release(watcher);
      watcher.on('error', () => this.#close(folder));
    } catch {
      // It is not there, or the system has no such events: the poll finds what is new.
    }
  }

  #close(folder) {
    this.#watchers.get(folder)?.close();
    this.#watchers.delete(folder);
  }

  #seen(file, ending) {
    for (const watch of this.#watches) {
      if (typeof file !== 'string' || file === watch.log + ending) watch.lookSoon();
    }
  }
}

function lookAtAll() {
  for (const folder of folders.values()) folder.open();
  for (const watch of watches.values()) watch.look();
}

/** A watch of native code, and when it is to look. Its user has the methods `changed` and `closed`. */
class Watch {
  #reader;
  #user;
  #folder;
  #soon;
  #isLooking = false;
  #isToLookAgain = false;

  constructor(reader, user) {
    this.#reader = reader;
    this.#user = user;
    this.log = reader.log;
    watches.set(reader.id, this);
    poll ??= setInterval(lookAtAll, POLL_MS).unref();
    this.#folder = reader.folder ?? undefined;
    if (this.#folder !== undefined) {
      if (!folders.has(this.#folder)) folders.set(this.#folder, new FolderEvents(this.#folder));
      folders.get(this.#folder).add(this);
    }
    this.look();
  }

  get isOpen() {
    return this.#reader.isOpen();
  }

  lookSoon() {
    this.#soon ??= setTimeout(() => {
      this.#soon = undefined;
      this.look();
    }, SOON_MS).unref();
  }

  look() {
    if (!watches.has(this.#reader.id)) return;
    if (this.#isLooking) {
      this.#isToLookAgain = true;
      return;
    }
    this.#isLooking = true;
    // One that fails, such as while a server is away, is made up for by the next.
    const looked = () => {
      this.#isLooking = false;
      if (!this.#isToLookAgain) return;
      this.#isToLookAgain = false;
      this.look();
    };
    this.#reader.look().then(looked, looked);
  }

  woken(isToLook) {
    if (isToLook) this.look();
    else this.#user.changed();
  }

  /** The next changes that wait; undefined where none do. */
  take() {
    return this.#reader.take();
  }

  /** Its storage was closed. */
  close() {
    this.#detach();
    this.#user.closed();
  }

  end() {
    this.#detach();
    // With this look the place forgets the watch. It may be closed.
    if (this.#reader.end()) this.#reader.look().catch(nothing);
  }

  #detach() {
    clearTimeout(this.#soon);
    this.#soon = undefined;
    if (!watches.delete(this.#reader.id)) return;
    if (this.#folder !== undefined && !folders.get(this.#folder).remove(this)) folders.delete(this.#folder);
    if (watches.size > 0) return;
    clearInterval(poll);
    poll = undefined;
  }
}

/** Native code has changes for a watch, or it is to look for some. */
function woken(id, isToLook) {
  watches.get(id)?.woken(isToLook);
}

/** A storage was closed. */
function closed() {
  for (const watch of [...watches.values()]) if (!watch.isOpen) watch.close();
}

// --- Who gets the changes ---

/** A key that was not there, or is not there any more, has undefined. */
const shown = ({ key, value, previous, timestamp }) => ({ key, value, previous, timestamp });

class ChangeStream {
  #watch;
  #items = [];
  #given = 0;
  #isEnded = false;
  #isClosed = false;
  #wake = nothing;
  /** Resolves when the call of `next` before has its answer. */
  #last = Promise.resolve();

  constructor(reader) {
    this.#watch = new Watch(reader, this);
  }

  next() {
    const answer = this.#last.then(() => this.#step());
    this.#last = answer.then(nothing, nothing);
    return answer;
  }

  /** Does not wait for calls of `next`: those before it are at the end, too. */
  return() {
    this.#end();
    return Promise.resolve(end());
  }

  [Symbol.asyncIterator]() {
    return this;
  }

  changed() {
    this.#wake();
  }

  closed() {
    this.#isClosed = true;
    this.#wake();
  }

  async #step() {
    while (!this.#isEnded && this.#given === this.#items.length) {
      this.#items = this.#watch.take() ?? [];
      this.#given = 0;
      if (this.#items.length > 0) break;
      if (this.#isClosed) this.#end();
      else await this.#changes();
    }
    if (isTurnDue()) await takeTurn();
    if (this.#isEnded) return end();
    return { value: shown(this.#items[this.#given++]), done: false };
  }

  #changes() {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }

  #end() {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#items = [];
    this.#watch.end();
    this.#wake();
  }
}

class ChangeListener {
  #watch;
  #listener;
  #isRunning = false;
  #isEnded = false;

  constructor(reader, listener) {
    this.#listener = listener;
    this.#watch = new Watch(reader, this);
  }

  changed() {
    if (!this.#isRunning) this.#run();
  }

  closed() {
    this.changed();
  }

  end() {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#watch.end();
  }

  async #run() {
    this.#isRunning = true;
    for (let items = this.#watch.take(); items !== undefined; items = this.#watch.take()) {
      for (const item of items) {
        if (isTurnDue()) await takeTurn();
        if (this.#isEnded) break;
        try {
          this.#listener.call(undefined, shown(item));
        } catch (error) {
          native.raise(error);
        }
      }
    }
    this.#isRunning = false;
  }
}

// --- The call ---

function readWatched(watched) {
  if (watched === undefined) return {};
  if (typeof watched === 'string') {
    if (watched === '') throw wrongValue("The argument 'keyOrPrefix' is empty; give a key, or { prefix }");
    return { key: watched };
  }
  if (!isObject(watched)) throw wrongType("The argument 'keyOrPrefix'", 'a string or { prefix }', watched);
  const unknown = Object.keys(watched).find((name) => name !== 'prefix');
  if (unknown !== undefined) throw wrongValue(`watch() has no option ${quote(unknown)}; it has prefix`);
  const prefix = Object.hasOwn(watched, 'prefix') ? watched.prefix : undefined;
  if (typeof prefix !== 'string') throw wrongType("The option 'prefix'", 'a string', prefix);
  return { prefix };
}

function watch(collection, watched, listener) {
  if (!(collection instanceof native.Collection)) throw new TypeError('Illegal invocation');
  const { key, prefix } = readWatched(watched);
  if (listener !== undefined) checkFunction(listener, 'listener');
  const reader = native.openWatch(collection, key, prefix);
  if (listener === undefined) return new ChangeStream(reader);
  const heard = new ChangeListener(reader, listener);
  return () => heard.end();
}

events.whenClosed(closed);
events.whenWatched(woken);

module.exports = { watch };
