// `npm run workflow` executes the workflows from their own files. So each step of each Linux job is one that it knows, and
// it reads matrices, conditions and the order of jobs as GitHub does.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { evaluate, filled, isWanted } from '../../scripts/workflow/expression.mjs';
import { KNOWN, meaningOf, programsOf } from '../../scripts/workflow/local-steps.mjs';
import { execute, planOf } from '../../scripts/workflow/runner.mjs';
import { combinations, isLinux, readWorkflow, runsOf, workflows } from '../../scripts/workflow/workflow.mjs';
import { temporaryFolder } from '../support/temp.mjs';

const contexts = {
  github: { ref_type: 'tag', ref_name: 'v1.2.3' },
  matrix: { target: 'aarch64-apple-darwin', node: 20 },
  runner: { os: 'Linux' },
};

test('expressions have the values that GitHub gives them', () => {
  const values = [
    ["github.ref_type == 'tag'", true],
    ["github.ref_type == 'TAG'", true],
    ["runner.os != 'Windows'", true],
    ["runner.os == 'Windows' || matrix.node == 20", true],
    ["!(runner.os == 'Linux') && matrix.node", false],
    ["matrix.node == '20'", true],
    ['matrix.nothing', null],
    ["startsWith(github.ref_name, 'v1.') && contains(matrix.target, 'apple')", true],
    ["'it''s'", "it's"],
  ];
  for (const [source, value] of values) assert.equal(evaluate(source, contexts), value, source);
  assert.equal(filled('x-${{ matrix.target }}-${{matrix.nothing}}', contexts), 'x-aarch64-apple-darwin-');
});

test('an expression with something unknown is an error, not a guess', () => {
  for (const source of [
    'secrets.TOKEN',
    'hashFiles(1)',
    'matrix.node +',
    'matrix.node 1',
    "github.ref == 'x",
    '(1',
  ]) {
    assert.throws(() => evaluate(source, contexts), /expression|known here/, source);
  }
});

test('a step behind a failure runs only where its condition asks for that', () => {
  const failed = { failed: true };
  assert.equal(isWanted(undefined, contexts), true);
  assert.equal(isWanted(undefined, contexts, failed), false);
  assert.equal(isWanted("github.ref_type == 'tag'", contexts, failed), false);
  assert.equal(isWanted('always()', contexts, failed), true);
  assert.equal(isWanted("${{ failure() && runner.os == 'Linux' }}", contexts, failed), true);
  assert.equal(isWanted('failure()', contexts), false);
});

test('a matrix has the combinations that GitHub makes of it', () => {
  assert.deepEqual(combinations(undefined), [{}]);
  assert.deepEqual(combinations({ os: ['a', 'b'], node: [1, 2], exclude: [{ os: 'a', node: 2 }] }), [
    { os: 'a', node: 1 },
    { os: 'b', node: 1 },
    { os: 'b', node: 2 },
  ]);
  assert.deepEqual(combinations({ include: [{ os: 'a' }, { os: 'b', node: 1 }] }), [
    { os: 'a' },
    { os: 'b', node: 1 },
  ]);
  // The example of GitHub's documentation.
  const fruit = combinations({
    fruit: ['apple', 'pear'],
    animal: ['cat', 'dog'],
    include: [
      { color: 'green' },
      { color: 'pink', animal: 'cat' },
      { fruit: 'apple', shape: 'circle' },
      { fruit: 'banana' },
      { fruit: 'banana', animal: 'cat' },
    ],
  });
  assert.deepEqual(fruit, [
    { fruit: 'apple', animal: 'cat', color: 'pink', shape: 'circle' },
    { fruit: 'apple', animal: 'dog', color: 'green', shape: 'circle' },
    { fruit: 'pear', animal: 'cat', color: 'pink' },
    { fruit: 'pear', animal: 'dog', color: 'green' },
    { fruit: 'banana' },
    { fruit: 'banana', animal: 'cat' },
  ]);
});

test('jobs stand behind those that they need', () => {
  const read = (needs) =>
    readWorkflow(
      `jobs:\n${Object.entries(needs)
        .map(([id, ids]) => `  ${id}: { needs: ${ids}, steps: [] }\n`)
        .join('')}`,
    );
  const ordered = read({ last: '[one, two]', two: 'one', one: '[]' }).jobs.map(({ id }) => id);
  assert.deepEqual(ordered, ['one', 'two', 'last']);
  assert.throws(() => read({ one: 'two', two: 'one' }), /needs itself/);
  assert.throws(() => read({ one: 'three' }), /needs 'three', which is not there/);
});

test('the programs of a script are those at the beginning of its commands', () => {
  const script = `# node is not called here
  if [[ 'x y' == *y ]]; then clang --version; fi
  export A='b'; NAME=1 npm ci && sudo apt-get update | docker run \\
    node
  test "v$(node -p "1; 2")" = "$NAME"`;
  assert.deepEqual(programsOf(script), ['clang', 'npm', 'sudo', 'docker']);
});

const all = workflows().flatMap((workflow) => runsOf(workflow).map((run) => ({ workflow, run })));
const linux = all.filter(({ run }) => isLinux(run));

test('every step of every Linux job is executed, or left out with a reason', () => {
  assert.ok(linux.length >= 10, `${linux.length} runs of Linux jobs`);
  let executed = 0;
  for (const { workflow, run } of linux) {
    for (const { name, meaning } of planOf(run, workflow, { event: 'tag', version: '1.2.3' })) {
      if (meaning.kind === 'run') executed += 1;
      else if (meaning.kind !== 'local') assert.ok(meaning.reason?.length > 10, `${run.title}: ${name}`);
    }
  }
  assert.ok(executed >= 10, `${executed} steps`);
});

test('with all that they need, every run step of every Linux job of this kind of machine is executed', () => {
  const here = { event: 'tag', version: '1.2.3', isSystemAllowed: true, succeeds: () => true };
  for (const { workflow, run } of linux) {
    if (/-arm$/.test(run.runner) && process.arch !== 'arm64') continue;
    for (const { step, name, meaning } of planOf(run, workflow, here)) {
      if (step.run) assert.equal(meaning.kind, 'run', `${run.title}: ${name}`);
    }
  }
});

test('the tables of known steps have no row that no workflow uses', () => {
  const steps = linux.flatMap(({ run }) => run.job.steps.map((step) => ({ job: run.job.id, step })));
  const programs = new Set(steps.flatMap(({ step }) => programsOf(step.run ?? '')));
  const actions = new Set(steps.map(({ step }) => step.uses?.split('@')[0]).filter(Boolean));
  assert.deepEqual([...KNOWN.programs].sort(), [...programs].sort());
  assert.deepEqual([...KNOWN.actions].sort(), [...actions].sort());
  for (const { job, says } of KNOWN.special) {
    assert.ok(
      steps.some((each) => each.job === job && says.test(each.step.run ?? '')),
      job,
    );
  }
});

test('a step of an unknown kind is refused', () => {
  const run = { job: { id: 'one' }, runner: 'ubuntu-24.04' };
  const succeeds = () => true;
  assert.throws(() => meaningOf(run, { uses: 'who/what@1' }, { succeeds }), /who\/what has no meaning/);
  assert.throws(() => meaningOf(run, { run: 'npm ci && aws s3 cp' }, { succeeds }), /calls aws/);
  const workflow = readWorkflow(
    'jobs: { one: { runs-on: ubuntu-24.04, steps: [{ run: node x, retries: 3 }] } }',
  );
  const settings = { event: 'tag', version: '1.2.3' };
  assert.throws(() => planOf(runsOf(workflow)[0], workflow, settings), /has retries, which is not known/);
});

const RUN = `
name: Test
env: { ONE: of-the-workflow, TWO: of-the-workflow }
jobs:
  one:
    runs-on: ubuntu-24.04
    strategy: { matrix: { word: [first] } }
    env: { TWO: of-the-job }
    steps:
      - run: echo "EXPORTED=\${{ matrix.word }}" >> "$GITHUB_ENV"
      - run: test "$ONE,$TWO,$THREE,$EXPORTED" = 'of-the-workflow,of-the-job,v9.8.7,first'
        env: { THREE: "\${{ github.ref_name }}" }
      - name: A pipe fails
        shell: bash
        run: false | true
      - run: node --version
      - if: always()
        run: node --version
`;

// Windows has another form of PATH than its bash.
const skip = process.platform === 'win32';
test('a run has the environment of its steps, and ends at the first failure', { skip }, async (t) => {
  const artifacts = await temporaryFolder(t);
  const workflow = readWorkflow(RUN);
  t.mock.method(console, 'log', () => {});
  const rows = execute(runsOf(workflow)[0], workflow, { event: 'tag', version: '9.8.7', artifacts });
  const results = rows.map(({ result }) => result);
  assert.deepEqual(results, [
    'done',
    'done',
    'FAILED: The step ended with 1.',
    'not executed: a step before it failed',
    'done',
  ]);
});

const UPLOAD = `
jobs:
  make:
    runs-on: ubuntu-24.04
    strategy: { matrix: { target: [x86_64-unknown-linux-gnu] } }
    steps:
      - run: node -e "fs.mkdirSync('out'); fs.writeFileSync('out/one.node', ''); fs.writeFileSync('out/two.txt', '')"
      - uses: actions/upload-artifact@0
        with: { name: "binary-\${{ matrix.target }}", path: out/*.node, if-no-files-found: error }
  take:
    runs-on: ubuntu-24.04
    steps:
      - uses: actions/download-artifact@0
        with: { path: all }
      - run: test -f all/binary-x86_64-unknown-linux-gnu/one.node -a ! -e all/binary-x86_64-unknown-linux-gnu/two.txt
  miss:
    runs-on: ubuntu-24.04
    steps:
      - uses: actions/download-artifact@0
        with: { name: nothing }
      - run: npm --version
`;

test('artifacts go from job to job; a missing one is an error, and stand-ins are named', {
  skip,
}, async (t) => {
  const artifacts = await temporaryFolder(t);
  t.mock.method(console, 'log', () => {});
  const results = (options) => {
    const workflow = readWorkflow(UPLOAD);
    const settings = { event: 'tag', version: '9.8.7', artifacts, ...options };
    return Object.fromEntries(
      runsOf(workflow).map((run) => [
        run.job.id,
        execute(run, workflow, settings).map(({ result }) => result),
      ]),
    );
  };
  const name = 'binary-x86_64-unknown-linux-gnu';
  const plain = results({});
  assert.deepEqual(plain.make, ['done', `1 file as ${name}`]);
  assert.match(plain.miss[0], /FAILED: There is no artifact nothing/);
  assert.deepEqual(plain.take, [name, 'done']);
  assert.deepEqual(results({ standIns: true }).take, [`${name}; stand-ins for 11 others`, 'done']);
});

const PUBLISH = `
jobs:
  one:
    runs-on: ubuntu-24.04
    steps:
      - env: { NPM_CONFIG_PROVENANCE: "true", npm_config_dry_run: "false", npm_config_registry: "http://127.0.0.1:2/" }
        run: |
          test -z "$npm_config_dry_run$npm_config_registry"
          test "$NPM_CONFIG_DRY_RUN|$NPM_CONFIG_REGISTRY|$NPM_CONFIG_PROVENANCE" = "$EXPECTED"
          npm publish --help
`;

test('a step that publishes is a dry run, or publishes to the registry that the caller gives', {
  skip,
}, async (t) => {
  const artifacts = await temporaryFolder(t);
  t.mock.method(console, 'log', () => {});
  const publish = (expected, options) => {
    const workflow = readWorkflow(PUBLISH);
    workflow.env.EXPECTED = expected;
    return execute(runsOf(workflow)[0], workflow, {
      event: 'tag',
      version: '9.8.7',
      artifacts,
      ...options,
    })[0].result;
  };
  assert.equal(publish('true||false', {}), 'done, as a dry run without provenance');
  const registry = 'http://127.0.0.1:1/';
  assert.equal(publish(`|${registry}|false`, { registry }), 'done, without provenance');
});
