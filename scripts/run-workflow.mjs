// `npm run workflow`: executes the Linux jobs of `.github/workflows` on this machine, as far as that is possible, from the
// workflows' own files: each in a clean clone of what is committed, with the values of its matrix. Steps of actions have
// a local meaning where there is one; what is left out is named with the reason (scripts/workflow/local-steps.mjs).
//
//   --list            all jobs, their combinations and steps, with what each step means here
//   --job NAME        only this job, or one combination: build-linux, 'build-linux[x86_64-unknown-linux-gnu]',
//                     release.yml/publish; may be given several times. Without it, all Linux jobs run
//   --dry-run         the same as --list, for the jobs that would run
//   --event NAME      tag (as for a release; this is the default) or dispatch (started by hand)
//   --registry URL    where steps that publish publish to; it has to be on this machine. Without it they are dry runs
//   --artifacts DIR   where jobs leave artifacts for each other; without it, a folder of the commit in target/workflow
//   --stand-ins       where not all binaries were built, the dry run of publishing takes copies of one that was
//   --system          run steps that install packages on this machine, too
//   --keep            keep the clones
//   --report          write what ran, in this call and earlier ones with these artifacts, into docs/release/workflow.md;
//                     with --dry-run, from the earlier ones alone

import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { fail, root, runTool } from './tools.mjs';
import { documentOf, remember } from './workflow/report.mjs';
import { execute, planOf } from './workflow/runner.mjs';
import { isLinux, runsOf, workflows } from './workflow/workflow.mjs';

const { values: options } = parseArgs({
  options: {
    list: { type: 'boolean' },
    'dry-run': { type: 'boolean' },
    job: { type: 'string', multiple: true },
    event: { type: 'string', default: 'tag' },
    registry: { type: 'string' },
    artifacts: { type: 'string' },
    'stand-ins': { type: 'boolean' },
    system: { type: 'boolean' },
    keep: { type: 'boolean' },
    report: { type: 'boolean' },
  },
});
if (!['tag', 'dispatch'].includes(options.event)) fail('--event is tag or dispatch.');
if (options.registry && !/^(127\.0\.0\.\d+|localhost|\[::1\])$/.test(new URL(options.registry).hostname)) {
  fail('--registry has to be on this machine: a rehearsal publishes nothing.');
}
if (options.registry && options['stand-ins'])
  fail('Stand-ins are for the dry run; nothing may publish them.');
if (process.platform !== 'linux') fail('The Linux jobs of the workflows run on Linux only.');

const git = (...args) => execFileSync('git', args, { cwd: root, encoding: 'utf8' });
const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
const settings = {
  event: options.event,
  version,
  registry: options.registry,
  artifacts: resolve(options.artifacts ?? join(root, 'target', 'workflow', git('rev-parse', 'HEAD').trim())),
  standIns: options['stand-ins'] === true,
  isSystemAllowed: options.system === true,
  keep: options.keep === true,
};

const all = workflows().flatMap((workflow) =>
  runsOf(workflow).map((run) => ({ workflow, run, names: namesOf(workflow, run) })),
);

function namesOf({ file }, { job, title }) {
  return [job.id, title, `${file}/${job.id}`, `${file}/${title}`];
}

function wantedRuns() {
  for (const name of options.job ?? []) {
    if (!all.some(({ names }) => names.includes(name))) {
      fail(`There is no job '${name}'. There are:\n  ${all.map(({ names }) => names[3]).join('\n  ')}`);
    }
  }
  const isAsked = ({ names }) => !options.job || options.job.some((name) => names.includes(name));
  return all.filter((each) => isAsked(each) && (isLinux(each.run) || options.job));
}

function list(runs) {
  for (const { workflow, run } of runs) {
    console.log(`\n${workflow.file}/${run.title}, on ${run.runner}`);
    if (!isLinux(run)) {
      console.log('  not executed: no Linux machine');
      continue;
    }
    for (const { name, meaning } of planOf(run, workflow, settings)) {
      const what = meaning.kind === 'run' ? (meaning.publishes ? 'run, publishes' : 'run') : meaning.kind;
      console.log(`  ${what.padEnd(15)} ${name}${meaning.reason ? `: ${meaning.reason}` : ''}`);
    }
  }
}

function warnOfChanges() {
  const changes = git('status', '--porcelain');
  if (changes) console.log(`Not committed, and so not in the clones:\n${changes}`);
}

const failed = new Set();
/** What ran before: not in the folder itself, where a job that downloads all artifacts would get it. */
const memory = `${settings.artifacts}.json`;

function report() {
  const known = existsSync(memory) ? JSON.parse(readFileSync(memory, 'utf8')) : {};
  const runs = all.map(({ workflow, run }) => {
    const plan = isLinux(run) ? planOf(run, workflow, settings) : [];
    const leftOut = plan.filter(({ step, meaning }) => step.run && meaning.kind === 'left out');
    return {
      run,
      title: `${workflow.file}/${run.title}`,
      leftOut: leftOut.map(({ meaning }) => meaning.reason),
    };
  });
  mkdirSync(join(root, 'docs', 'release'), { recursive: true });
  const document = join(root, 'docs', 'release', 'workflow.md');
  writeFileSync(document, documentOf(runs, known, { node: process.version }));
  runTool('biome', ['format', '--write', document], { stdio: ['ignore', 'ignore', 'inherit'] });
}

/** Executes a run, unless a job that it needs failed. */
function rowsOf({ workflow, run }) {
  const job = `${workflow.file}/${run.title}`;
  const key = (id) => `${workflow.file}/${id}`;
  // The clone is of this one, whatever is committed meanwhile.
  const commit = git('rev-parse', 'HEAD').trim();
  const needed = run.job.needs.find((id) => failed.has(key(id)));
  const rows = needed
    ? [{ name: 'all steps', result: `not executed: the job ${needed} failed`, isBad: false, seconds: 0 }]
    : execute(run, workflow, settings);
  if (!needed) remember(memory, job, { commit, rows });
  if (needed || rows.some(({ isBad }) => isBad)) failed.add(key(run.job.id));
  return rows.map((row) => ({ job, ...row }));
}

function main() {
  const runs = options.list ? all : wantedRuns();
  if (options.list || options['dry-run']) {
    list(runs);
    if (options.report) report();
    return;
  }
  const strangers = runs.filter(({ run }) => !isLinux(run));
  if (strangers.length > 0) fail(`${strangers.map(({ run }) => run.title)}: only Linux jobs run here.`);
  warnOfChanges();
  const rows = runs.flatMap(rowsOf);
  let job = '';
  for (const row of rows) {
    if (row.job !== job) console.log(`\n${row.job}`);
    job = row.job;
    console.log(
      `  ${row.result.startsWith('FAILED') ? '✗' : ' '} ${row.name}: ${row.result}, ${row.seconds} s`,
    );
  }
  if (options.report) report();
  const bad = rows.filter(({ isBad }) => isBad);
  const ran = rows.filter(({ result }) => !/^(left out|not )/.test(result));
  console.log(
    `\n${ran.length - bad.length} steps passed, ${bad.length} failed, ${rows.length - ran.length} not executed.`,
  );
  if (bad.length > 0) process.exitCode = 1;
}

main();
