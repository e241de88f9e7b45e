// Work that is repeated while somebody looks, and takes a small share of the time at most.
//
// Invariant: one run at a time; the next one begins `everyMs` after the end of the last one at the earliest, and `RESTS`
// times as long as that one took. So a count that takes 4 seconds is made every 200.

const RESTS = 50;

class Paced {
  #work;
  #everyMs;
  #now;
  #dueAt = 0;
  #isRunning = false;

  /** `work` is an async function that rejects never, `now` the clock. */
  constructor(work, everyMs, now = Date.now) {
    this.#work = work;
    this.#now = now;
    this.#everyMs = everyMs;
  }

  /** Runs the work, if it is due. */
  async run() {
    const begun = this.#now();
    if (this.#isRunning || begun < this.#dueAt) return;
    this.#isRunning = true;
    await this.#work();
    this.#isRunning = false;
    const ended = this.#now();
    this.#dueAt = ended + Math.max(this.#everyMs, RESTS * (ended - begun));
  }
}

module.exports = { Paced };
