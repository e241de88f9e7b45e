// A scenario of the benchmark on a server runs in a process of its own. It ends when it is stopped, and when the process that
// started it is gone: nothing measures a server any more that is away.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inChild } from '../../bench/support/child.mjs';
import { isAlive, startScript, waitUntil } from '../support/temp.mjs';

const CHILD = new URL('../../bench/support/child.mjs', import.meta.url).href;
// Nobody listens there, so it waits for its first call.
const WAITING = ['server-failover', { url: 'postgres://bot@127.0.0.1:1/store', schema: 'bench', untilMs: 1 }];

test('a scenario that is stopped ends', async () => {
  const stop = new AbortController();
  const run = inChild(...WAITING, { signal: stop.signal });
  stop.abort();
  await assert.rejects(run, /server-failover.*: stopped/);
});

test('a scenario ends with the process that started it', async (t) => {
  const source = `
    import { inChild } from ${JSON.stringify(CHILD)};
    inChild(...${JSON.stringify(WAITING)}, { onStart: (pid) => console.log(pid) });`;
  const { child, output, ended } = await startScript(t, { source });
  const pid = await waitUntil(() => Number(output.stdout), { what: 'the scenario' });
  child.kill('SIGKILL');
  await ended;
  await waitUntil(() => !isAlive(pid), { what: 'its end' });
});
