// Lets a few pieces of work run at a time; some more wait, and beyond that they are refused.

class Gate {
  #free;
  #room;
  #waiting = [];

  constructor({ atOnce, waiting }) {
    this.#free = atOnce;
    this.#room = waiting;
  }

  /** What `work` resolves to; rejects with `status` 503 where too much waits already. */
  async run(work) {
    if (this.#free > 0) this.#free--;
    else if (this.#waiting.length >= this.#room)
      throw Object.assign(new Error('Too many questions at once; ask again.'), { status: 503 });
    else await new Promise((resolve) => this.#waiting.push(resolve));
    try {
      return await work();
    } finally {
      const next = this.#waiting.shift();
      if (next) next();
      else this.#free++;
    }
  }
}

module.exports = { Gate };
