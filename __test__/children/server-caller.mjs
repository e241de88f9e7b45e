// Calls on a server, many at once: counts on its own key and on keys that other processes count on too, groups, appended
// entries, and reads between them. Every call is written to a file before it is made and once more when it is answered, so
// that also what a killed process had called is known; so are events. `support/server-history.mjs` checks the calls against
// the tables.
//
//     node server-caller.mjs '{ "url", "schema", "timeoutMs", "name", "file", "seed", "lanes" }'
//
// It goes on until a line comes on its standard input, then awaits its calls and ends.

import fs from 'node:fs';
import { Storage } from '../../index.js';
import { Random } from '../support/random-calls.mjs';
import { EVENTS } from '../support/server-scene.mjs';

const { url, schema, timeoutMs, name, file, seed, lanes } = JSON.parse(process.argv[2]);
const drawn = new Random(seed);
const random = (below) => drawn.below(below);
const log = fs.openSync(file, 'a');
const storage = new Storage({ url, schema, timeoutMs, logger: null });
const counts = storage.collection('counts');
let isEnding = false;
let number = 0;

process.stdin.once('data', () => {
  isEnding = true;
  process.stdin.destroy();
});

/** The clock that all processes of a machine share, in milliseconds. */
const now = () => Number(process.hrtime.bigint()) / 1e6;
const write = (line) => fs.writeSync(log, `${JSON.stringify(line)}\n`);
for (const each of EVENTS) storage.on(each, (event) => write({ caller: name, event }));
const numberOf = (value) => value?.n ?? 0;

const KINDS = {
  own: () => count(`own-${name}`),
  shared: () => count(`shared-${random(4)}`),
  group() {
    const first = random(5);
    const keys = [first, first + 1, first + 2].slice(0, 2 + random(2)).map((player) => `player-${player}`);
    const make = (by) =>
      storage.updatePlayersStats(keys.map((userId) => ({ userId, username: by, score: 1 })));
    return { log: 'players', keys, make, answer: (records) => records.map((record) => record.totalGames) };
  },
  pair() {
    const keys = [`shared-${random(4)}`, `own-${name}`];
    const make = (by) =>
      counts.updateMany(keys, (values) =>
        Object.fromEntries(keys.map((key) => [key, { n: numberOf(values[key]) + 1, by }])),
      );
    return { log: 'counts', keys, make, answer: (values) => keys.map((key) => numberOf(values[key])) };
  },
  append: () => ({
    log: 'notes',
    keys: [],
    make: (by) => storage.appendLogEntry('notes', { op: 'NOTE', by }),
    answer: () => null,
  }),
  get() {
    const key = random(2) ? `own-${name}` : `shared-${random(4)}`;
    return { log: 'counts', keys: [key], make: () => counts.get(key), answer: (value) => [numberOf(value)] };
  },
  several() {
    const keys = [`own-${name}`, `shared-${random(4)}`];
    const answer = (values) => Object.fromEntries([...values].map(([key, value]) => [key, numberOf(value)]));
    return { log: 'counts', keys, make: () => counts.getMany(keys), answer };
  },
  entries: () => ({
    log: 'counts',
    keys: [],
    make: () => counts.entries(),
    answer: (entries) => Object.fromEntries(entries.map(([key, value]) => [key, numberOf(value)])),
  }),
};
const WEIGHTS = { own: 6, shared: 8, group: 5, pair: 4, append: 2, get: 3, several: 2, entries: 1 };
const DRAWN = Object.entries(WEIGHTS).flatMap(([kind, weight]) => Array(weight).fill(kind));

function count(key) {
  const make = (by) => counts.update(key, (value) => ({ n: numberOf(value) + 1, by }));
  return { log: 'counts', keys: [key], make, answer: (value) => [numberOf(value)] };
}

async function one() {
  const kind = DRAWN[random(DRAWN.length)];
  const { log: logName, keys, make, answer } = KINDS[kind]();
  const id = `${name}.${++number}`;
  write({ id, caller: name, number, kind, log: logName, keys, startedAt: now() });
  try {
    const result = answer(await make(id));
    write({ id, outcome: 'ack', endedAt: now(), answer: result });
  } catch (error) {
    const outcome = error.isOutcomeUnknown ? 'unknown' : 'refused';
    write({ id, outcome, endedAt: now(), code: error.code, message: error.message });
  }
}

async function lane() {
  while (!isEnding) {
    await one();
    // Some lanes rest, so that batches are of all sizes.
    if (random(8) === 0) await new Promise((resolve) => setTimeout(resolve, random(20)));
  }
}

await Promise.all(Array.from({ length: lanes }, lane));
await storage.close();
