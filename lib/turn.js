// When the event loop has its turn: iterators that always have a next item would keep timers and sockets waiting by
// microtasks alone.

const native = require('./addon.js');

/** How long a consumer goes on before timers and sockets have their turn. */
const SLICE_MS = 3;
// A test may put another in its place. Not `performance`: the first use of it loads a part of Node.js.
const { hrtime } = process;

function now() {
  const [seconds, nanoseconds] = hrtime();
  return seconds * 1000 + nanoseconds / 1e6;
}

/** When the event loop had its last turn, as far as the iterators of this thread know. */
let turnedMs = 0;

/** The event loop has just had its turn. */
function turned() {
  turnedMs = now();
}

const isTurnDue = () => now() - turnedMs > SLICE_MS;

async function takeTurn() {
  await native.turn();
  turned();
}

module.exports = { isTurnDue, takeTurn, turned };
