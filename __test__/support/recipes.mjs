// Recipes of examples/recipes: run as programs, and called by several processes at once, as the shards of a bot do.

import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { repositoryRoot, startScript, waitUntil } from './temp.mjs';

const CHILD = fileURLToPath(new URL('../children/recipe.mjs', import.meta.url));

export const RECIPES = path.join(repositoryRoot, 'examples', 'recipes');

/** Whether this runtime reads SQLite by itself. */
export const hasSqlite = await import('node:sqlite').then(
  () => true,
  () => false,
);

/**
 * A process with a recipe: `call(name, ...args)` resolves to what it answers, `{ value }` or
 * `{ error, message }`. Where it was killed before, the error is `Ended`.
 */
export async function startShard(t, recipe, options) {
  const args = [recipe, JSON.stringify(options)];
  const { child, output, ended } = await startScript(t, { file: CHILD, args });
  let hasEnded = false;
  ended.then(() => {
    hasEnded = true;
  });
  let asked = 0;
  const next = async () => {
    const number = asked++;
    const lineOf = () => output.stdout.split('\n').slice(0, -1)[number];
    const line = await waitUntil(() => lineOf() ?? (hasEnded && 'null'), {
      what: `line ${number} of a shard`,
    });
    return JSON.parse(line) ?? { error: 'Ended', message: output.stderr };
  };
  await next();
  return {
    call(call, ...given) {
      child.stdin.write(`${JSON.stringify({ call, args: given })}\n`);
      return next();
    },
    async kill() {
      child.kill('SIGKILL');
      await ended;
    },
    /** Lets it end by itself; resolves to its exit code. */
    async end() {
      child.stdin.end();
      return (await ended).code;
    },
  };
}
