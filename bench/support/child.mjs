/**
 * Runs one scenario in a new process, so that the memory and caches of one do not change the figures of another.
 *
 *     node child.mjs SCENARIO OPTIONS_AS_JSON      (`inChild` forks this; the result comes back over IPC)
 */

import { fork } from 'node:child_process';
import { fileURLToPath, pathToFileURL } from 'node:url';

const SELF = fileURLToPath(import.meta.url);

/**
 * Resolves to what the scenario's `run` returned, and `exitMs`: the time from its return to the end of the process.
 * Kills the process, and rejects, after `secondsMax`, and when the signal is aborted. `onStart` gets its process id.
 */
export function inChild(scenario, options, { secondsMax = 300, signal: stop, onStart } = {}) {
  return new Promise((resolve, reject) => {
    const child = fork(SELF, [scenario, JSON.stringify(options)], {
      execArgv: ['--no-warnings'],
      serialization: 'advanced',
      stdio: ['ignore', 'inherit', 'pipe', 'ipc'],
    });
    onStart?.(child.pid);
    let result;
    let returned = 0;
    let problem = '';
    let killedBecause = null;
    child.stderr.setEncoding('utf8').on('data', (text) => {
      problem = (problem + text).slice(-10_000);
    });
    const killBecause = (reason) => {
      killedBecause = reason;
      child.kill('SIGKILL');
    };
    const timer = setTimeout(() => killBecause(`not done within ${secondsMax} s`), secondsMax * 1000);
    const onAbort = () => killBecause('stopped');
    stop?.addEventListener('abort', onAbort);
    if (stop?.aborted) onAbort();
    child.once('message', (message) => {
      result = message;
      returned = performance.now();
    });
    child.once('error', reject);
    child.once('close', (code, signal) => {
      clearTimeout(timer);
      stop?.removeEventListener('abort', onAbort);
      if (code === 0 && result !== undefined) {
        resolve(result === null ? null : { ...result, exitMs: performance.now() - returned });
        return;
      }
      const reason =
        killedBecause ?? /^.*(Error|panicked|FATAL).*$/m.exec(problem)?.[0] ?? signal ?? `code ${code}`;
      reject(new Error(`${scenario} ${JSON.stringify({ ...options, folder: undefined })}: ${reason}`));
    });
  });
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  // Whoever would get the result is gone.
  const leave = () => process.exit(1);
  process.once('disconnect', leave);
  if (!process.connected) leave();
  const [scenario, options] = process.argv.slice(2);
  const { run } = await import(`../scenarios/${scenario}.mjs`);
  const result = await run(JSON.parse(options));
  process.send(result, () => {
    process.off('disconnect', leave);
    process.disconnect();
  });
}
