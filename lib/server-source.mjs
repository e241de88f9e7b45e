// All entries of a log of a server in one sequence, of all its generations.
//
// A checkpoint says nothing new where it shows what the entries before it come to, so it is left out; the first one stays.
// Entries that were removed with an old generation are gone: the next checkpoint then begins the sequence.
//
// Invariant: the entries come to the state that a bot loads.

import { apply, between, later, withTime } from './entries.mjs';

const OLDEST = '1970-01-01T00:00:00.000Z';

// A checkpoint of the server has no `timestamp`; one that came with the entries of another place has.
const isOfServer = (entry) => entry.op === 'CHECKPOINT' && entry.timestamp === undefined;

// Every entry of a log of a server as it stands there, up to a number where one is given (a BigInt), and behind `begin`: number
// and part of an entry.
export async function* storedEntries(place, log, cut, begin = ['0', '0']) {
  for (let from = begin; ; ) {
    const { entries, seqs, seq, part, isEnd } = await place.ask('entries', log, ...from);
    for (const [at, entry] of entries.entries()) {
      if (cut !== undefined && BigInt(seqs[at]) > cut) return;
      yield entry;
    }
    if (isEnd) return;
    from = [seq, part];
  }
}

export class ServerSource {
  #place;
  #cut;

  // `cut`: see `storedEntries`.
  constructor(place, storage, cut) {
    this.#place = place;
    this.#cut = cut;
    this.storage = storage;
  }

  async *entries({ name }) {
    const sequence = { state: new Map(), time: OLDEST, own: null };
    let isHead = true;
    for await (const stored of storedEntries(this.#place, name, this.#cut)) {
      const entry = withTime(stored, sequence.time);
      const isCheckpoint = isOfServer(stored);
      isHead &&= isCheckpoint;
      if (isCheckpoint && !isHead) {
        sequence.own ??= new Map();
        apply(sequence.own, entry);
        sequence.ownTime = entry.timestamp;
        continue;
      }
      yield* join(sequence);
      yield take(sequence, entry);
    }
    yield* join(sequence);
  }
}

function* join(sequence) {
  if (sequence.own === null) return;
  const time = later(sequence.ownTime, sequence.time);
  for (const entry of between(sequence.state, sequence.own, time)) yield take(sequence, entry);
  sequence.own = null;
}

function take(sequence, entry) {
  apply(sequence.state, entry);
  sequence.time = entry.timestamp;
  return { entry };
}
