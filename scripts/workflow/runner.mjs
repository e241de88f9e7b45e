// Executes one job of a workflow, with one combination of its matrix, in a clean clone of what is committed: the steps in
// their order, each with the environment and the shell that the workflow names. Artifacts are folders.

import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { parseTriple } from '@napi-rs/cli';
import { root } from '../tools.mjs';
import { filled, isWanted, textOf } from './expression.mjs';
import { meaningOf } from './local-steps.mjs';

const STEP_KEYS = ['name', 'id', 'if', 'uses', 'with', 'run', 'shell', 'env', 'working-directory'];
const JOB_KEYS = [
  'id',
  'name',
  'needs',
  'if',
  'strategy',
  'runs-on',
  'timeout-minutes',
  'permissions',
  'env',
  'steps',
];
const SHELLS = { undefined: ['-e'], bash: ['--noprofile', '--norc', '-eo', 'pipefail'] };
/** What `npm run` adds to the environment. */
const OF_NPM = /^(npm_(lifecycle|package|command|execpath|node_execpath)|INIT_CWD$|CARGO_TARGET_DIR$)/;

const succeeds = ([program, ...args]) => spawnSync(program, args, { stdio: 'ignore' }).status === 0;

/** A key that this does not know could change what a step does. */
function refuseUnknown(what, value, known) {
  const unknown = Object.keys(value).filter((key) => !known.includes(key));
  if (unknown.length > 0) throw new Error(`${what} has ${unknown.join(', ')}, which is not known here.`);
}

/** The contexts of a run, as on a tag (`event` is `tag`) or started by hand (`dispatch`). */
export function contextsOf({ job, matrix }, workflow, { event, version }) {
  const name = event === 'tag' ? `v${version}` : 'main';
  const github = {
    workflow: workflow.name,
    job: job.id,
    ref: event === 'tag' ? `refs/tags/${name}` : `refs/heads/${name}`,
    ref_name: name,
    ref_type: event === 'tag' ? 'tag' : 'branch',
    event_name: event === 'tag' ? 'push' : 'workflow_dispatch',
    repository: 'OWNER/progressive-storage',
    token: '',
  };
  return { github, matrix, runner: { os: 'Linux', arch: process.arch === 'x64' ? 'X64' : 'ARM64' }, env: {} };
}

/** Each step with what it means here: `{ step, name, meaning }`. */
export function planOf(run, workflow, options) {
  const { job } = run;
  refuseUnknown(`The job '${job.id}'`, job, JOB_KEYS);
  const contexts = contextsOf(run, workflow, options);
  const plan = job.steps.map((step) => {
    refuseUnknown(`A step of '${job.id}'`, step, STEP_KEYS);
    if (step.run && !(step.shell in SHELLS))
      throw new Error(`${job.id}: the shell ${step.shell} is not known here.`);
    const script = step.run && filled(step.run, contexts);
    const text = step.name ?? step.uses?.split('@')[0] ?? script.trim().split('\n')[0];
    const unwanted = [job.if, step.if].find((condition) => !isWanted(condition, contexts));
    const meaning =
      unwanted === undefined
        ? meaningOf(run, { ...step, run: script }, { succeeds, ...options })
        : { kind: 'not wanted', reason: `if: ${unwanted}` };
    return { step: { ...step, run: script }, name: filled(text, contexts), meaning };
  });
  // What no executed step needs is not fetched, and what none made is not left for others.
  const last = plan.findLastIndex(({ meaning }) => meaning.kind === 'run');
  const nothing = { kind: 'left out', reason: 'no step that needs it can be executed here' };
  return plan.map((each, at) => {
    const isIdle = each.meaning.local === 'upload' ? last < 0 : at > last;
    return each.meaning.kind === 'local' && isIdle ? { ...each, meaning: nothing } : each;
  });
}

/** The files that a pattern names. Wildcards in folders are refused: no workflow here has any. */
function matching(folder, pattern) {
  const place = dirname(pattern);
  if (/[*?[\]{}]/.test(place) || /[?[\]{}]/.test(pattern))
    throw new Error(`The pattern ${pattern} is not known here.`);
  const parts = basename(pattern)
    .split('*')
    .map((part) => part.replaceAll(/[.+^$()|\\]/g, '\\$&'));
  const name = new RegExp(`^${parts.join('.*')}$`);
  if (!existsSync(join(folder, place))) return [];
  return readdirSync(join(folder, place))
    .filter((each) => name.test(each))
    .map((each) => join(place, each));
}

const filledAll = (values, contexts) =>
  Object.fromEntries(
    Object.entries(values ?? {}).map(([key, value]) => [key, filled(textOf(value), contexts)]),
  );

/** One run of a job. `artifacts` is the folder in which jobs leave their artifacts for others. */
class Run {
  constructor(run, workflow, options) {
    this.contexts = contextsOf(run, workflow, options);
    this.options = options;
    /** True once a step was left out: what it makes may be missing. */
    this.isIncomplete = false;
    this.place = mkdtempSync(join(tmpdir(), 'progressive-storage-workflow-'));
    // Tests that give up root's rights must still reach the clone.
    chmodSync(this.place, 0o755);
    this.workspace = join(this.place, 'workspace');
    mkdirSync(this.workspace);
    this.files = {
      GITHUB_ENV: 'env',
      GITHUB_PATH: 'path',
      GITHUB_OUTPUT: 'output',
      GITHUB_STEP_SUMMARY: 'summary',
    };
    for (const [name, file] of Object.entries(this.files)) {
      this.files[name] = join(this.place, file);
      writeFileSync(this.files[name], '');
    }
    const jobs = [workflow.env, run.job.env].map((values) => filledAll(values, this.contexts));
    const inherited = Object.entries(process.env).filter(([name]) => !OF_NPM.test(name));
    this.env = { ...Object.fromEntries(inherited), ...this.ofGitHub(), ...jobs[0], ...jobs[1] };
  }

  ofGitHub() {
    const { github, runner } = this.contexts;
    const names = ['workflow', 'job', 'ref', 'ref_name', 'ref_type', 'event_name', 'repository'];
    return {
      ...Object.fromEntries(names.map((name) => [`GITHUB_${name.toUpperCase()}`, github[name]])),
      GITHUB_WORKSPACE: this.workspace,
      RUNNER_OS: runner.os,
      RUNNER_ARCH: runner.arch,
      RUNNER_TEMP: this.place,
      CI: 'true',
    };
  }

  clone() {
    const { status } = spawnSync('git', ['clone', '--quiet', '--no-hardlinks', root, this.workspace], {
      stdio: 'inherit',
    });
    if (status !== 0) throw new Error('The repository could not be cloned.');
    return 'cloned';
  }

  node({ 'node-version': wanted }) {
    return `asked for Node.js ${wanted}; this is ${process.version}`;
  }

  upload({ name, path, 'if-no-files-found': ifNone }) {
    const found = path
      .trim()
      .split('\n')
      .flatMap((pattern) => matching(this.workspace, pattern.trim()));
    if (found.length === 0 && this.isIncomplete) return 'nothing: the step that makes it was left out';
    if (found.length === 0 && ifNone === 'error') throw new Error(`No file matches ${path}.`);
    const folder = join(this.options.artifacts, name);
    rmSync(folder, { recursive: true, force: true });
    for (const file of found) {
      // GitHub keeps the path below the folder that all files have in common; here each has its name alone.
      cpSync(join(this.workspace, file), join(folder, basename(file)), { recursive: true });
    }
    return `${found.length} ${found.length === 1 ? 'file' : 'files'} as ${name}`;
  }

  download({ name, path = '.', pattern, 'merge-multiple': isMerged, ...others }) {
    refuseUnknown('download-artifact', others, []);
    if (pattern || isMerged)
      throw new Error('download-artifact: only whole artifacts by name, or all of them.');
    const from = this.options.artifacts;
    const names = name ? [name] : readdirSync(from);
    for (const each of names) {
      if (!existsSync(join(from, each))) {
        throw new Error(
          `There is no artifact ${each}. Run the job that makes it first, with the same --artifacts.`,
        );
      }
      cpSync(join(from, each), name ? join(this.workspace, path) : join(this.workspace, path, each), {
        recursive: true,
      });
    }
    const standIns = name || !this.options.standIns ? [] : this.standIn(join(this.workspace, path), names);
    return names.sort().join(', ') + (standIns.length > 0 ? `; stand-ins for ${standIns.length} others` : '');
  }

  /** Copies of a binary that is there, with the names of those that are not: the steps behind check that all are there. */
  standIn(folder, names) {
    const [from] = names.filter((each) => each.startsWith('binary-'));
    if (!from) throw new Error('Not one binary is among the artifacts, so there are no stand-ins either.');
    const [file] = readdirSync(join(folder, from));
    const { napi } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
    const missing = napi.targets.filter((target) => !names.includes(`binary-${target}`));
    for (const target of missing) {
      const name = `${napi.binaryName}.${parseTriple(target).platformArchABI}.node`;
      cpSync(join(folder, from, file), join(folder, `binary-${target}`, name));
    }
    return missing;
  }

  /** The environment in which a step that publishes cannot reach the public registry. npm ignores the case of these names. */
  ofPublishing(env) {
    const isOurs = (name) => /^npm_config_(registry|dry_run|provenance)$/i.test(name);
    const others = Object.fromEntries(Object.entries(env).filter(([name]) => !isOurs(name)));
    const { registry } = this.options;
    const place = registry ? { NPM_CONFIG_REGISTRY: registry } : { NPM_CONFIG_DRY_RUN: 'true' };
    // Provenance is signed with a token that only GitHub gives.
    return { ...others, ...place, NPM_CONFIG_PROVENANCE: 'false' };
  }

  script(step, meaning) {
    const file = join(this.place, 'step.sh');
    writeFileSync(file, step.run);
    const paths = readFileSync(this.files.GITHUB_PATH, 'utf8').split('\n').filter(Boolean);
    const env = { ...this.env, ...this.files, ...this.exported(), ...filledAll(step.env, this.contexts) };
    const { status, signal } = spawnSync('bash', [...SHELLS[step.shell], file], {
      cwd: join(this.workspace, step['working-directory'] ?? '.'),
      stdio: ['ignore', 'inherit', 'inherit'],
      env: {
        ...(meaning.publishes ? this.ofPublishing(env) : env),
        PATH: [...paths.reverse(), this.env.PATH].join(':'),
      },
    });
    if (status !== 0) throw new Error(`The step ended with ${status ?? signal}.`);
    const isDry = meaning.publishes && !this.options.registry;
    return isDry
      ? 'done, as a dry run without provenance'
      : `done${meaning.publishes ? ', without provenance' : ''}`;
  }

  /** The variables that earlier steps wrote into GITHUB_ENV, one NAME=VALUE a line. */
  exported() {
    const lines = readFileSync(this.files.GITHUB_ENV, 'utf8').split('\n').filter(Boolean);
    const unreadable = lines.find((line) => !/^\w+=/.test(line));
    if (unreadable) throw new Error(`GITHUB_ENV has a line of another form: ${unreadable}`);
    return Object.fromEntries(
      lines.map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
    );
  }

  execute({ step, meaning }) {
    if (meaning.kind === 'local') return this[meaning.local](filledAll(step.with, this.contexts));
    return this.script(step, meaning);
  }

  end() {
    rmSync(this.place, { recursive: true, force: true, maxRetries: 5 });
  }
}

/** Executes a run; returns a row for each step: `{ name, result, isBad, seconds }`. */
export function execute(run, workflow, options) {
  mkdirSync(options.artifacts, { recursive: true });
  const plan = planOf(run, workflow, options);
  const here = new Run(run, workflow, options);
  const rows = [];
  let failed = false;
  try {
    for (const { step, name, meaning } of plan) {
      const row = { name, result: `${meaning.kind}: ${meaning.reason}`, isBad: false, seconds: 0 };
      rows.push(row);
      if (meaning.kind === 'left out') here.isIncomplete = true;
      if (meaning.kind === 'left out' || meaning.kind === 'not wanted') continue;
      if (!isWanted(step.if, here.contexts, { failed })) {
        row.result = 'not executed: a step before it failed';
        continue;
      }
      console.log(`\n── ${run.title}: ${name}`);
      const started = Date.now();
      try {
        row.result = here.execute({ step, meaning });
      } catch (error) {
        Object.assign(row, { result: `FAILED: ${error.message}`, isBad: true });
        failed = true;
      }
      row.seconds = Math.round((Date.now() - started) / 1000);
    }
  } finally {
    if (options.keep) console.log(`Kept: ${here.place}`);
    else here.end();
  }
  return rows;
}
