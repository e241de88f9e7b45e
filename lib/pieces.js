// `PieceStream`: an async iterator over what native code reads in pieces, one after the other.
//
// Invariant: at most one piece is being read, and calls of `next` are answered in order; a stream that has ended holds
// nothing any more.

const { isTurnDue, takeTurn, turned } = require('./turn.js');

const end = () => ({ value: undefined, done: true });
const nothing = () => {};

class PieceStream {
  /** Undefined once the stream has ended. */
  #reader;
  /** Throws where the stream is not to go on. */
  #check;
  /** The piece that was read last, and how many of its items were given. */
  #items = [];
  #given = 0;
  /** How many calls of `next` wait, and what resolves when the last of them has its answer. */
  #waiting = 0;
  #last = Promise.resolve();

  constructor(reader, check = nothing) {
    this.#reader = reader;
    this.#check = check;
  }

  /** Where no call is waiting, reads before it returns: calls take effect in the order in which a thread makes them. */
  next() {
    const answer = this.#waiting === 0 ? this.#step() : this.#last.then(() => this.#step());
    this.#waiting++;
    const settled = () => {
      this.#waiting--;
    };
    this.#last = answer.then(settled, settled);
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

  async #step() {
    try {
      if (this.#given === this.#items.length) await this.#readPiece();
      if (this.#reader && isTurnDue()) await takeTurn();
      if (!this.#reader) return end();
      this.#check(this.#reader);
    } catch (error) {
      this.#end();
      throw error;
    }
    return { value: this.#items[this.#given++], done: false };
  }

  async #readPiece() {
    const reader = this.#reader;
    if (!reader) return;
    const items = await reader.read();
    turned();
    if (!this.#reader) return;
    this.#items = items;
    this.#given = 0;
    if (items.length === 0) this.#end();
  }

  #end() {
    this.#reader?.close();
    this.#reader = undefined;
    this.#items = [];
    this.#given = 0;
  }
}

module.exports = { PieceStream };
