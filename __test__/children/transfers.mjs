/**
 * Moves coins between accounts, many calls at once, until it is killed or a line comes on its standard input. They are in one
 * collection, and updateMany moves them; or each is in one of several, and a transaction does. Writes a `+` for each move that is done, and a line for what must never be: a sum that is not exact.
 * Arguments: options of Storage, accounts, their collections, their sum and a seed, as one JSON object.
 */
import { Storage } from '../../index.js';
import { Random } from '../support/random-calls.mjs';

const { options, accounts, collections, sum, seed } = JSON.parse(process.argv[2]);
const random = new Random(seed);
const storage = new Storage({ ...options, logger: null });
const coins = storage.collection(collections[0]);
const placeOf = (account) => [collections[accounts.indexOf(account) % collections.length], account];
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
  const moved = (has = 0, had = 0) => {
    const given = Math.min(amount, has);
    // An account without coins goes.
    return [has - given || undefined, had + given];
  };
  if (collections.length > 1) {
    await storage.transaction([from, to].map(placeOf), ([has, had]) => moved(has, had));
  } else {
    await coins.updateMany([from, to], (values) => {
      const [left, made] = moved(values[from], values[to]);
      return { [from]: left, [to]: made };
    });
  }
  process.stdout.write('+');
}

async function check() {
  const all = () => storage.transaction(accounts.map(placeOf), (values) => values);
  const values =
    collections.length > 1
      ? (await all()).map((value) => value ?? 0)
      : [...(await coins.getMany(accounts)).values()];
  const found = values.reduce((total, value) => total + value, 0);
  if (found !== sum) process.stdout.write(`\nthere are ${found} coins: ${values}\n`);
}

async function lane() {
  while (!isEnding) await (random.below(5) ? move() : check());
}

await Promise.all(Array.from({ length: LANES }, lane));
await storage.close();
