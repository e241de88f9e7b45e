// What each step of a workflow means on one Linux machine: a `run` step by the programs that it calls, a `uses` step by
// its action. A program or an action that is not in these tables is an error: whoever adds a step to a workflow says
// here what it means, and the reason where it cannot be executed.

/** Words of the shell that are no programs of their own. */
const SHELL = new Set(
  [
    'if then else elif fi for do done while case esac export set test [ [[ echo cd exit true false . :'.split(
      ' ',
    ),
  ].flat(),
);

/**
 * Program → what it needs here. `needs`: a command that succeeds where the step can be executed. `system`: it changes the
 * machine itself, and runs only when the caller asks for it. `reason`: why the step is left out.
 */
const PROGRAMS = {
  npm: {},
  npx: {},
  node: {},
  clang: {},
  rustup: {},
  '.ci/run': {},
  sudo: { system: true, reason: "installs Debian's packages on this machine; --system runs it" },
  docker: { needs: ['docker', 'info'], reason: 'needs a Docker daemon, and there is none here' },
  gh: { needs: ['false'], reason: "writes to GitHub's releases, which are only there" },
};

/** Steps with a need that their programs do not show, by a text that is in their job and step. */
const SPECIAL = [
  {
    job: 'build-others',
    says: /napi build/,
    needs: ['sh', '-c', 'test -n "$ANDROID_NDK_LATEST_HOME"'],
    reason: "links with Android's NDK, and ANDROID_NDK_LATEST_HOME names none",
  },
  {
    job: 'check',
    says: /--require-advisories/,
    needs: ['git', 'ls-remote', '--quiet', 'https://github.com/RustSec/advisory-db', 'HEAD'],
    reason: "asks for RustSec's advisories, which cannot be reached from here",
  },
];

/** Action → what it means here, as a name that `run-workflow.mjs` knows, or the reason why it is left out. */
const ACTIONS = {
  'actions/checkout': { local: 'clone' },
  'actions/setup-node': { local: 'node' },
  'actions/upload-artifact': { local: 'upload' },
  'actions/download-artifact': { local: 'download' },
  'docker/setup-qemu-action': { reason: 'sets up emulators for Docker' },
  'cross-platform-actions/action': {
    reason: 'starts a FreeBSD machine, whose image is only on the Internet',
  },
};

/** Commands that publish: they run with npm's dry run, or against the registry that the caller gives. */
const PUBLISHES = /\bnpm publish\b|\bnapi pre-publish\b/;

/** The programs that a script of a `run` step calls, in order, each once. */
export function programsOf(script) {
  const text = script
    .replaceAll(/\\\n/g, ' ')
    .replaceAll(/^\s*#.*$/gm, '')
    // What stands in quotes or in $(…) is no program of this script's own.
    .replaceAll(/'[^']*'|"(?:\$\([^)]*\)|\\.|[^"\\])*"|\$\([^)]*\)/g, 'QUOTED');
  const found = new Set();
  for (const command of text.split(/\n|&&|\|\||[;|]/)) {
    const words = command.trim().split(/\s+/);
    while (
      words.length > 0 &&
      (/^\w+=/.test(words[0]) || ['then', 'else', 'do', 'if', '!'].includes(words[0]))
    ) {
      words.shift();
    }
    if (words[0] && !SHELL.has(words[0])) found.add(words[0]);
  }
  return [...found];
}

const isThere = (needs, succeeds) => !needs || succeeds(needs);

/**
 * What to do with a step: `{ kind, … }`. `run`: execute it (`publishes` where it needs a registry or a dry run); `local`:
 * what its action means here; `left out`: with the reason. `succeeds(command)` says whether a command succeeds here.
 */
export function meaningOf({ job, runner }, step, { succeeds, isSystemAllowed = false }) {
  if (step.uses) {
    const action = step.uses.split('@')[0];
    const known = ACTIONS[action];
    if (!known)
      throw new Error(`${job.id}: the action ${action} has no meaning in scripts/workflow/local-steps.mjs.`);
    return known.local ? { kind: 'local', local: known.local } : { kind: 'left out', reason: known.reason };
  }
  if (/-arm$/.test(runner) && process.arch !== 'arm64') {
    programsKnown(job, step.run);
    return { kind: 'left out', reason: 'runs on an ARM64 machine' };
  }
  for (const program of programsKnown(job, step.run)) {
    const { needs, system, reason } = PROGRAMS[program];
    if ((system && !isSystemAllowed) || !isThere(needs, succeeds)) return { kind: 'left out', reason };
  }
  for (const { job: id, says, needs, reason } of SPECIAL) {
    if (job.id === id && says.test(step.run) && !isThere(needs, succeeds))
      return { kind: 'left out', reason };
  }
  return { kind: 'run', publishes: PUBLISHES.test(step.run) };
}

function programsKnown(job, script) {
  const programs = programsOf(script);
  const unknown = programs.filter((program) => !Object.hasOwn(PROGRAMS, program));
  if (unknown.length > 0) {
    throw new Error(
      `${job.id}: a step calls ${unknown.join(', ')}, which scripts/workflow/local-steps.mjs does not know.`,
    );
  }
  return programs;
}

/** The rows of the tables, for the test that none is superfluous. */
export const KNOWN = { programs: Object.keys(PROGRAMS), actions: Object.keys(ACTIONS), special: SPECIAL };
