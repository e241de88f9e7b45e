/**
 * A shard that calls the functions of a recipe of examples/recipes. Reads lines of JSON from its input, `{ call, args }`, and
 * prints `{ value }` or `{ error }` for each.
 * Arguments: the name of the recipe, and JSON of the Storage's options. Of guild-settings, the calls are those of the settings.
 */
import { createInterface } from 'node:readline';
import { Storage } from '../../index.js';

const [, , name, options] = process.argv;
const recipe = await import(`../../examples/recipes/${name}.mjs`);
const storage = new Storage(JSON.parse(options));
const settings = await recipe.openSettings?.(storage);
const run = (call, args) => (settings ? settings[call](...args) : recipe[call](storage, ...args));

console.log(JSON.stringify({ isReady: true }));
for await (const line of createInterface({ input: process.stdin })) {
  const { call, args } = JSON.parse(line);
  try {
    console.log(JSON.stringify({ value: await run(call, args) }));
  } catch ({ name: error, message }) {
    console.log(JSON.stringify({ error, message }));
  }
}
await settings?.close();
await storage.close();
