/**
 * The stores that are compared, one adapter a file. An adapter exports
 *
 *     durability                       what a resolved promise means, in words
 *     fill(folder, players)            makes the data of so many players, quickly, and closes the store
 *     fillEntries(folder, total, keys) makes a store that has seen so many small changes
 *     open(folder, { name })           the store, ready for use:
 *         all() one(id) top(count) rank(id)          reading; what it gives are plain objects
 *         update(id, change)                         the record `change` makes of the old one, as durable as it gets
 *         append(entry)                              one small record more, likewise
 *         compact()                                  where there is such a thing
 *         close()
 *
 * `isDurable` says whether a resolved update survives a power cut; only those are rivals on equal terms.
 *
 * `inFlight` is how many calls are made at once, where 1,000 would take minutes.
 */

export const PEERS = [
  { id: 'bare-disk', title: 'bare disk', isDurable: true },
  { id: 'this-package', title: 'this package', isDurable: true },
  { id: 'old-module', title: 'old module', isDurable: true, inFlight: { update: 50 } },
  { id: 'better-sqlite3', title: 'better-sqlite3', isDurable: true },
  { id: 'lmdb', title: 'lmdb', isDurable: true },
  { id: 'classic-level', title: 'classic-level', isDurable: true },
  { id: 'jsonl-db', title: 'jsonl-db', isDurable: false },
  { id: 'nedb', title: 'nedb', isDurable: false },
  { id: 'lowdb', title: 'lowdb', isDurable: false, inFlight: { update: 50, append: 50 } },
];

export const loadPeer = (id) => import(`./${id}.mjs`);
