// `tail` on a server: the newest entries of a log, and each new one.
//
//   1. ask behind which number the wanted entries are, and read from there;
//   2. each poll reads what has a greater number than all that was read;
//   3. each tenth poll also reads again what came since the one twenty polls ago, and shows what was not shown.
//
// Step 3 is for late batches: they are numbered when they begin, and one with a lower number may be committed later. What
// makes one late is a lock, and the server ends a session that has locks and does nothing for 5 seconds. A batch that is
// late by more than ten polls may be missed.
//
// A batch is seen as a whole or not at all, so its number says whether it was shown.

import { setTimeout as wait } from 'node:timers/promises';

const POLL_MS = 1000;
const LATE_POLLS = 10;
const PART_MAX = 2 ** 31 - 1;

// A compaction's checkpoint holds what was shown before.
const isCompaction = (entry) => entry.op === 'CHECKPOINT' && entry.timestamp === undefined;

// The numbers of batches that were read: the greatest one, and all since the one that late batches are searched from.
class Numbers {
  constructor(from) {
    this.greatest = from;
    this.searched = [from, from];
    this.known = new Set();
  }

  add(seq) {
    this.known.add(seq);
    if (BigInt(seq) > BigInt(this.greatest)) this.greatest = seq;
  }

  // From where late batches are searched now.
  search() {
    const from = this.searched.shift();
    this.searched.push(this.greatest);
    this.known = new Set([...this.known].filter((seq) => BigInt(seq) > BigInt(from)));
    return from;
  }
}

// Calls `take` with each entry of the batches that have a greater number.
async function eachBehind(place, name, from, take) {
  for (let at = [from, PART_MAX]; ; ) {
    const { entries, seqs, seq, part, isEnd } = await place.ask('entries', name, ...at);
    entries.forEach((entry, index) => {
      take(entry, seqs[index]);
    });
    if (isEnd) return;
    at = [seq, part];
  }
}

export async function tailServer(place, { name, wanted, isFollowing, show, note, atEnd }) {
  const [{ newest, from }] = await place.ask('newest', name, Math.min(wanted, Number.MAX_SAFE_INTEGER));
  const numbers = new Numbers(wanted > 0 ? from : newest);
  let last = [];
  await eachBehind(place, name, numbers.greatest, (entry, seq) => {
    numbers.add(seq);
    last.push(entry);
    if (last.length > 2 * wanted + 100) last = last.slice(-wanted - 1);
  });
  for (const entry of wanted > 0 ? last.slice(-wanted) : []) show(entry);
  if (isFollowing) await follow(place, { name, numbers, show, note, atEnd });
}

async function follow(place, { name, numbers, show, note, atEnd }) {
  let isEnded = false;
  atEnd(() => {
    isEnded = true;
  });
  let isAway = false;
  for (let poll = 1; !isEnded; poll++) {
    await wait(POLL_MS);
    const from = poll % LATE_POLLS === 0 ? numbers.search() : numbers.greatest;
    const read = [];
    try {
      await eachBehind(place, name, from, (entry, seq) => read.push([entry, seq]));
    } catch (error) {
      // It is there again sooner or later, and then nothing is missed.
      if (error.code !== 'ERR_SERVER_UNREACHABLE') throw error;
      if (!isAway) note(`${error.message} Waiting for it.`);
      isAway = true;
      continue;
    }
    if (isAway) note('The server answers again.');
    isAway = false;
    for (const [entry, seq] of read) {
      if (!numbers.known.has(seq) && !isCompaction(entry)) show(entry);
    }
    for (const [, seq] of read) numbers.add(seq);
  }
}
