// The demonstration on a server, `npm start -- --server`: three bots, a crash of the server in the middle, exact totals. Where
// it breaks off, it says why, and nothing of it is left: no process, no server, no file.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { whyNoServer } from '../../scripts/postgres/index.mjs';
import {
  isAlive,
  repositoryRoot,
  runScript,
  startScript,
  temporaryFolder,
  waitUntil,
} from '../support/temp.mjs';

const MAIN = path.join(repositoryRoot, 'examples', 'trivia-night', 'main.mjs');

test('a night of three processes on a server that crashes adds up', { skip: whyNoServer() }, async (t) => {
  const cwd = await temporaryFolder(t);
  const { code, stdout, stderr } = await runScript(t, { file: MAIN, args: ['--server'], cwd });
  assert.equal(code, 0, stdout + stderr);
  assert.match(stdout, /acknowledged {4}\d+ of 826 results\n/);
  assert.match(stdout, /Every check holds\./);
});

/** The processes that a process has started, and that are there: `{ pid, args }`. */
function startedBy(parent) {
  const lines = execFileSync('ps', ['-A', '-o', 'pid=,ppid=,stat=,args='], { encoding: 'utf8' }).split('\n');
  const rows = lines.map((line) => /^\s*(\d+)\s+(\d+)\s+(\S+)\s+(.*)$/.exec(line)).filter(Boolean);
  return rows
    .map(([, pid, ppid, stat, args]) => ({ pid: Number(pid), ppid: Number(ppid), stat, args }))
    .filter(({ ppid, stat }) => ppid === parent && !stat.startsWith('Z'));
}

/** What breaks a night off that plays: each gets `{ night, bots, server }`. */
const FAULTS = [
  ['a bot is killed', ({ bots }) => process.kill(bots[1].pid, 'SIGKILL'), 1, /broke off.*bot.*SIGKILL/],
  [
    'the server does not come back',
    async ({ server }) => {
      const folder = /-D (\S+)/.exec(server.args)[1];
      fs.writeFileSync(path.join(folder, 'postgresql.auto.conf'), 'no_such_setting = on\n');
    },
    1,
    /broke off.*did not start/,
  ],
  ['it is interrupted', ({ night }) => night.kill('SIGINT'), 130, /broke off.*SIGINT/],
  ['it is ended', ({ night }) => night.kill('SIGTERM'), 143, /broke off.*SIGTERM/],
  ['it is killed', ({ night }) => night.kill('SIGKILL'), null, /results recorded|plan/],
];

for (const [what, doIt, code, message] of FAULTS) {
  test(`a night that breaks off leaves nothing: ${what}`, { skip: whyNoServer() }, async (t) => {
    const cwd = await temporaryFolder(t);
    const env = { TMPDIR: cwd };
    const { child: night, ended } = await startScript(t, { file: MAIN, args: ['--server'], cwd, env });
    const ofNight = (pattern) => startedBy(night.pid).filter(({ args }) => pattern.test(args));
    await waitUntil(() => ofNight(/server-night/).length === 3, { what: 'the bots', everyMs: 50 });
    const bots = ofNight(/server-night/);
    const [server] = ofNight(/postgres.* -D /);
    t.after(() => {
      for (const { pid } of bots.filter(({ pid }) => isAlive(pid))) process.kill(pid, 'SIGKILL');
    });
    await doIt({ night, bots, server });
    const { code: found, stdout, stderr } = await ended;
    assert.equal(found, code, stdout + stderr);
    assert.match(stdout, message);
    const left = () => [...bots, server].filter(({ pid }) => isAlive(pid));
    await waitUntil(() => left().length === 0, { what: 'the end of its processes' });
    // Who is killed can remove no file of its own.
    if (code !== null) assert.deepEqual(fs.readdirSync(cwd), []);
  });
}

test('--server goes with no other argument', async (t) => {
  const cwd = await temporaryFolder(t);
  const { code, stderr } = await runScript(t, { file: MAIN, args: ['--server', '--keep'], cwd });
  assert.equal(code, 2);
  assert.match(stderr, /npm start -- --server/);
});
