/**
 * Runs one scenario in a process of its own, so that no memory, cache or heap of one is in another's figures.
 *
 *     node child.mjs SCENARIO OPTIONS_AS_JSON      (forked by `inChild`; the result goes back over IPC)
 */

import { fork } from 'node:child_process';
import { fileURLToPath, pathToFileURL } from 'node:url';

const SELF = fileURLToPath(import.meta.url);

/** Resolves to what the scenario's `run` returned. */
export function inChild(scenario, options, { nodeOptions = [] } = {}) {
  return new Promise((resolve, reject) => {
    const child = fork(SELF, [scenario, JSON.stringify(options)], {
      execArgv: ['--no-warnings', ...nodeOptions],
      serialization: 'advanced',
    });
    let result;
    child.once('message', (message) => {
      result = message;
    });
    child.once('error', reject);
    child.once('close', (code, signal) => {
      if (code === 0 && result !== undefined) resolve(result);
      else reject(new Error(`${scenario} ${JSON.stringify(options)} ended with ${signal ?? `code ${code}`}`));
    });
  });
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const [scenario, options] = process.argv.slice(2);
  const { run } = await import(`../scenarios/${scenario}.mjs`);
  const result = await run(JSON.parse(options));
  process.send(result, () => process.disconnect());
}
