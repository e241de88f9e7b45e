/**
 * Makes calls on a Storage: each line of its input is `{ method, args }`, each line of its output the result.
 * `collection:NAME` as method calls that collection: its first argument is the name of the call.
 * Ends cleanly when its input ends.
 */
import readline from 'node:readline';
import { Storage } from '../../index.js';

const storage = new Storage(JSON.parse(process.argv[2]));
const print = (value) => process.stdout.write(`${JSON.stringify(value)}\n`);

async function answer({ method, args }) {
  try {
    if (method.startsWith('collection:')) {
      const [name, ...rest] = args;
      return { value: await storage.collection(method.slice('collection:'.length))[name](...rest) };
    }
    return { value: await storage[method](...args) };
  } catch (error) {
    return { error: { message: error.message, code: error.code } };
  }
}

print('ready');
for await (const line of readline.createInterface({ input: process.stdin }))
  print(await answer(JSON.parse(line)));
await storage.close();
