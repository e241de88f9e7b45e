// `streamLogEntries`: an async iterator over the pieces of a log, which native code reads one after the other.

const native = require('./addon.js');

/** How long a consumer goes on before timers and sockets have their turn. */
const SLICE_MS = 3;
// A test may put another in its place. Not `performance`: the first use of it loads a part of Node.js.
const { hrtime } = process;

function now() {
  const [seconds, nanoseconds] = hrtime();
  return seconds * 1000 + nanoseconds / 1e6;
}

/** When the event loop had its last turn, as far as the streams of this thread know. */
let turnedMs = 0;

async function* entriesOf(reader) {
  for (;;) {
    const entries = await reader.read();
    if (entries.length === 0) return;
    turnedMs = now();
    for (const entry of entries) {
      if (now() - turnedMs > SLICE_MS) {
        await native.turn();
        turnedMs = now();
      }
      yield entry;
    }
  }
}

class LogEntryStream {
  #entries;

  constructor(entries) {
    this.#entries = entries;
  }

  next() {
    return this.#entries.next();
  }

  return() {
    return this.#entries.return();
  }

  [Symbol.asyncIterator]() {
    return this;
  }
}

function streamLogEntries(storage, logName) {
  return new LogEntryStream(entriesOf(native.openLog(storage, logName)));
}

module.exports = { LogEntryStream, streamLogEntries };
