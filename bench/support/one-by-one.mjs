/**
 * For stores that cannot read, change and write a record in one step: a call for a key waits for the earlier calls
 * for that key, so that concurrent updates all count.
 */
export function oneByOne() {
  const last = new Map();
  return (key, work) => {
    const turn = (last.get(key) ?? Promise.resolve()).then(work);
    // A failure belongs to its caller; the next call runs anyway.
    const settled = turn.catch(() => {});
    last.set(key, settled);
    settled.then(() => last.get(key) === settled && last.delete(key));
    return turn;
  };
}
