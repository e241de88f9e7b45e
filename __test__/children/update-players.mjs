/**
 * Plays `count` games of score 1, in turn for `users` users: `await` one after the other, or all `at-once`.
 * Arguments: data directory, count, users, await | at-once.
 */
import { Storage } from '../../index.js';

const [dataDir, count, users, how] = process.argv.slice(2);
const storage = new Storage({ dataDir });
const calls = [];
for (let i = 0; i < Number(count); i++) {
  const user = `user-${i % Number(users)}`;
  const call = storage.updatePlayerStats(user, `name of ${user}`, 1, i % 2 === 0, 1, 1);
  if (how === 'await') await call;
  calls.push(call);
}
await Promise.all(calls);
await storage.close();
