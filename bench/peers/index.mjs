/**
 * The stores of the comparison, with an adapter file for each. An adapter exports
 *
 *     durability                       what a resolved promise means, in words
 *     fill(folder, players)            quickly writes the data of so many players, and closes the store
 *     fillEntries(folder, total, keys) writes so many small changes, and closes the store
 *     open(folder, { name })           the open store:
 *         all() one(id) top(count) rank(id)          read; the results are plain objects
 *         update(id, change)                         writes what `change` makes of the record, as durably as possible
 *         append(entry)                              writes one more small record, as durably as possible
 *         compact()                                  only where the store has such a call
 *         close()
 *
 * `isDurable`: a resolved update survives a power cut. Only such stores are compared as equals.
 *
 * `inFlight`: how many calls are made at once, where 1,000 would take minutes.
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
