/**
 * Makes calls of every kind without end, hundreds of them under way at once, with compactions running all the time, and
 * prints the numbers of those that were acked. Argument: { dataDir, seed, prefix, alone, width } as JSON. A rejection is
 * printed as a line that begins with `!`.
 */
import fs from 'node:fs';
import { Storage } from '../../index.js';
import { LOGS, make, seededCalls } from './seeded-calls.mjs';

const { width, dataDir, ...options } = JSON.parse(process.argv[2]);
const storage = new Storage({ dataDir });
const calls = seededCalls(options);

/** Prints numbers to the pipe in one piece, whenever the kill comes. */
const NUMBERS_AT_ONCE = 400;

let underWay = 0;
const acked = [];

function print() {
  while (acked.length > 0) fs.writeSync(1, `${acked.splice(0, NUMBERS_AT_ONCE).join(' ')}\n`);
  goOn();
}

function settled(seq) {
  underWay -= 1;
  acked.push(seq);
  if (acked.length === 1) setImmediate(print);
}

function failed(what, error) {
  fs.writeSync(1, `!${what}: ${error.stack}\n`.replace(/\n(?=.)/g, ' '));
}

function goOn() {
  while (underWay < width) {
    const call = calls.next().value;
    underWay += 1;
    make(storage, call).then(
      () => settled(call.seq),
      (error) => failed(`${call.kind} ${call.seq}`, error),
    );
  }
}

async function compactForever() {
  for (;;) {
    // Entries of `audit` stay in it.
    for (const log of LOGS.filter((name) => name !== 'audit')) await storage.compactLog(log);
  }
}

async function readForever() {
  for (;;) {
    await storage.loadPlayers();
    await storage.getLeaderboard();
    await storage.collection('coins').entries();
  }
}

process.on('unhandledRejection', (error) => failed('unhandled', error));
goOn();
compactForever().catch((error) => failed('compactLog', error));
readForever().catch((error) => failed('read', error));
