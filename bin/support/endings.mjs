// What must be done however a command ends: closing a store, removing temporary files.
//
// Invariant: each ending is done once, the last that was added first, also when another one fails or when Ctrl-C comes
// while they are being done; who runs them waits until all are over.

export class Endings {
  #works = [];
  #running;

  add(work) {
    this.#works.push(work);
  }

  // Rejects with the first failure, after all are done.
  run() {
    this.#running ??= this.#runAll();
    return this.#running;
  }

  async #runAll() {
    const failures = [];
    while (this.#works.length > 0) {
      try {
        await this.#works.pop()();
      } catch (error) {
        failures.push(error);
      }
    }
    if (failures.length > 0) throw failures[0];
  }
}
