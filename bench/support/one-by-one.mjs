/**
 * For stores that cannot read, change and write a record as one step: what is called for one key waits for what was
 * called for it before, so that concurrent updates all count.
 */
export function oneByOne() {
  const last = new Map();
  return (key, work) => {
    const turn = (last.get(key) ?? Promise.resolve()).then(work);
    // A call that failed is its caller's matter; the next one goes on.
    const settled = turn.catch(() => {});
    last.set(key, settled);
    settled.then(() => last.get(key) === settled && last.delete(key));
    return turn;
  };
}
