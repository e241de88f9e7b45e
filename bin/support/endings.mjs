// What must run however a command ends: closing a storage, removing temporary files.
//
// Invariant: each ending runs once, in reverse order of `add`, even when another one fails or Ctrl-C comes meanwhile.
// Every caller of `run` waits until all have run.

export class Endings {
  #works = [];
  #running;

  add(work) {
    this.#works.push(work);
  }

  // Rejects with the first failure, after all have run.
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
