/**
 * Moves coins between the accounts of a collection with updateMany, many calls at once, until it is killed or a line comes on
 * its standard input. Writes a `+` for each move that is done, and a line for what must never be: a sum that is not exact.
 * Arguments: options of Storage, accounts, their sum and a seed, as one JSON object.
 */
import { Storage } from '../../index.js';
import { Random } from '../support/random-calls.mjs';

const { options, accounts, sum, seed } = JSON.parse(process.argv[2]);
const random = new Random(seed);
const storage = new Storage({ ...options, logger: null });
const coins = storage.collection('coins');
const LANES = 8;
let isEnding = false;

process.stdin.once('data', () => {
  isEnding = true;
  process.stdin.destroy();
});

async function move() {
  const from = random.pick(accounts);
  const to = random.pick(accounts.filter((account) => account !== from));
  const amount = 1 + random.below(20);
  await coins.updateMany([from, to], (values) => {
    const given = Math.min(amount, values[from] ?? 0);
    const left = (values[from] ?? 0) - given;
    // An account without coins goes.
    return { [from]: left || undefined, [to]: (values[to] ?? 0) + given };
  });
  process.stdout.write('+');
}

async function check() {
  const values = [...(await coins.getMany(accounts)).values()];
  const found = values.reduce((total, value) => total + value, 0);
  if (found !== sum) process.stdout.write(`\nthere are ${found} coins: ${values}\n`);
}

async function lane() {
  while (!isEnding) await (random.below(5) ? move() : check());
}

await Promise.all(Array.from({ length: LANES }, lane));
await storage.close();
