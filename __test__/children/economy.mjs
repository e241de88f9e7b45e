/**
 * Players who pay each other, buy swords and claim their daily coins, many calls at once, until the process is killed or a
 * line comes on its standard input. Writes a `+` for each call that was done, and a line for what no recipe may throw.
 * Arguments: JSON of `{ options, players, seed }`.
 */
import { buy, claimDaily, Refused, transfer } from '../../examples/recipes/economy.mjs';
import { Storage } from '../../index.js';
import { Random } from '../support/random-calls.mjs';

const { options, players, seed } = JSON.parse(process.argv[2]);
const random = new Random(seed);
const storage = new Storage({ ...options, logger: null });
const LANES = 8;
let isEnding = false;

process.stdin.once('data', () => {
  isEnding = true;
  process.stdin.destroy();
});

const CALLS = [
  () => transfer(storage, random.pick(players), random.pick(players), 1 + random.below(30)),
  () => buy(storage, random.pick(players), 'sword'),
  () => claimDaily(storage, random.pick(players)),
];

async function lane() {
  while (!isEnding) {
    try {
      await random.pick(CALLS)();
      process.stdout.write('+');
    } catch (error) {
      if (!(error instanceof Refused)) process.stdout.write(`\n${error.stack}\n`);
    }
  }
}

await Promise.all(Array.from({ length: LANES }, lane));
await storage.close();
