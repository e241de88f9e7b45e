// `npm run test:runtimes`: the JavaScript tests on every runtime that the package serves, each fetched from the npm
// registry into target/runtimes. Bun and Deno run the same test files with their own runners, one file after the other, and
// so beside each other, after the versions of Node.js. Only `large-state`, which needs gigabytes, runs in `npm test` alone.
//
//   --short         only the tests of the API, of the package, of processes and threads, and with the old module
//   --only NAMES    some of them, such as node18,bun
//   --others        all but the version of Node.js that runs this, which `npm test` has tested; of the others the
//                   oldest one runs all tests, the newer ones those of --short, which is what CI has time for
//   --fetch         only fetch them
//
// The addon must be built (`npm run build`).

import { execFile, spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { fetchRuntimes, programOf, RUNTIMES } from './runtimes.mjs';
import { AREAS, testFiles } from './test-files.mjs';
import { fail, root } from './tools.mjs';

const SHORT_AREAS = ['api', 'files', 'package', 'compatibility', 'processes'];
/** Runs in `npm test` only: states of gigabytes, which need most of a machine's memory for minutes. */
const NOT_REPEATED = '__test__/limits/large-state.test.mjs';

const { values: options } = parseArgs({
  options: {
    short: { type: 'boolean' },
    only: { type: 'string' },
    others: { type: 'boolean' },
    fetch: { type: 'boolean' },
  },
});
const own = options.others && `node${process.versions.node.split('.', 1)[0]}`;
const wanted = options.only?.split(',') ?? RUNTIMES.map(({ name }) => name).filter((name) => name !== own);
const unknown = wanted.filter((name) => !RUNTIMES.some((runtime) => runtime.name === name));
if (unknown.length > 0) fail(`--only ${unknown}: there are ${RUNTIMES.map(({ name }) => name).join(', ')}.`);
const runtimes = RUNTIMES.filter(({ name }) => wanted.includes(name));

// `npm run test:postgres` starts the servers. What a release needs is checked by scripts that only Node.js runs.
const ALL_AREAS = AREAS.filter((area) => area !== 'postgres' && area !== 'release');
const newer = RUNTIMES.filter(({ isAlone }) => isAlone).slice(1);

function filesOf(runtime) {
  const isShort = options.short || (options.others && newer.includes(runtime));
  return testFiles(isShort ? SHORT_AREAS : ALL_AREAS).filter((file) => file !== NOT_REPEATED);
}

const running = new Set();
// Whatever ends this, a failure on one runtime included, ends the runners of the others.
process.on('exit', () => {
  for (const child of running) child.kill();
});
for (const [signal, code] of [
  ['SIGINT', 130],
  ['SIGTERM', 143],
]) {
  process.on(signal, () => process.exit(code));
}

/** Runs a program to its end: `{ error, output }`, the error's `code` being the exit code. */
function ended(program, args) {
  const env = { ...process.env, NO_COLOR: '1', DENO_NO_UPDATE_CHECK: '1' };
  return new Promise((resolve) => {
    const child = execFile(program, args, { cwd: root, maxBuffer: 1 << 28, env }, (error, stdout, stderr) => {
      running.delete(child);
      resolve({ error, output: `${stdout}\n${stderr}` });
    });
    running.add(child);
  });
}

async function testWith(runtime) {
  const files = filesOf(runtime);
  console.log(`${runtime.name}: ${files.length} test files …`);
  const started = Date.now();
  const { error, output } = await ended(programOf(runtime), runtime.test(files));
  // Each runner counts in its own words.
  const count = (...patterns) =>
    Number(patterns.map((pattern) => [...output.matchAll(pattern)].at(-1)?.[1]).find(Boolean) ?? 0);
  const passed = count(/^# pass (\d+)/gm, /^ *(\d+) pass$/gm, /(\d+) passed/g);
  if (error || passed === 0) {
    console.error(failuresIn(output));
    fail(`${runtime.name}: tests failed (${error?.code ?? 'none was run'}).`);
  }
  const version = spawnSync(programOf(runtime), ['--version'], { encoding: 'utf8' }).stdout.split('\n', 1)[0];
  const skipped = count(/^# skipped (\d+)/gm, /^ *(\d+) skip$/gm, /(\d+) ignored/g);
  const seconds = Math.round((Date.now() - started) / 1000);
  console.log(`${runtime.name}: ${passed} tests passed in ${seconds} s.`);
  return { runtime: runtime.name, version, files: files.length, passed, skipped, seconds };
}

/** The parts of a report that tell of failures, or its end where it has none. */
function failuresIn(output) {
  const lines = output.split('\n');
  const isFailure = (line) => /^\s*not ok|^\(fail\)|^error:|FAILED$| ERRORS $/.test(line);
  const shown = lines.filter((_, at) => lines.slice(Math.max(0, at - 25), at + 3).some(isFailure));
  return (shown.length > 0 ? shown.slice(0, 400) : lines.slice(-60)).join('\n');
}

fetchRuntimes(runtimes);
if (!options.fetch) {
  if (!readdirSync(root).some((name) => name.endsWith('.node')))
    fail('There is no built addon: npm run build');
  const results = [];
  for (const runtime of runtimes.filter(({ isAlone }) => isAlone)) results.push(await testWith(runtime));
  results.push(...(await Promise.all(runtimes.filter(({ isAlone }) => !isAlone).map(testWith))));
  console.table(results);
}
