// A private registry on loopback, which has only what is published to it: an install that asks for anything else fails.

import { spawn } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fetched } from '../fetched.mjs';
import { programOf, RUNTIMES } from '../runtimes.mjs';

const START_MS = 60_000;
/** verdaccio needs a newer Node.js than the package does. */
const NODE = RUNTIMES.find(({ name }) => name === 'node24');

/** Starts it in a folder; `{ url, stop }`. It ends with this process. */
export async function startRegistry(place) {
  const port = await freePort();
  const url = `http://127.0.0.1:${port}/`;
  mkdirSync(place, { recursive: true });
  const config = join(place, 'config.yaml');
  writeFileSync(
    config,
    JSON.stringify({
      storage: join(place, 'storage'),
      auth: { htpasswd: { file: join(place, 'htpasswd') } },
      uplinks: {},
      packages: { '**': { access: '$all', publish: '$all' } },
      web: { enable: false },
      max_body_size: '100mb',
      log: { type: 'file', path: join(place, 'registry.log'), format: 'json', level: 'warn' },
    }),
  );
  const program = join(fetched('verdaccio'), 'bin', 'verdaccio');
  const args = [program, '--config', config, '--listen', `127.0.0.1:${port}`];
  const child = spawn(programOf(NODE), args, { cwd: place, stdio: 'ignore' });
  const stop = () => child.kill();
  process.once('exit', stop);
  const failed = new Promise((_, reject) => {
    child.once('exit', (code) => reject(new Error(`the registry ended with ${code}`)));
  });
  failed.catch(() => {});
  await Promise.race([failed, isReady(url)]);
  return { url, stop };
}

async function isReady(url) {
  const startedMs = Date.now();
  while (Date.now() - startedMs < START_MS) {
    const answer = await fetch(`${url}-/ping`).catch(() => null);
    if (answer?.ok) return;
    await sleep(100);
  }
  throw new Error(`the registry did not answer within ${START_MS / 1000} s`);
}

function freePort() {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}
