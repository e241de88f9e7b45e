// `npm run fuzz`: libFuzzer searches for bytes in logs and mirrors that break the engine. Needs Rust's nightly
// toolchain and cargo-fuzz.
//
//   --minutes N     how long in all, shared by the targets (default: 10)
//   --target NAME   one of fuzz/fuzz_targets (default: all)
//   --seeds         run only the inputs in fuzz/seeds, once: those that found something, and those that cover much
//
// Useful inputs are kept in fuzz/corpus and used again. An input that fails is kept in fuzz/artifacts.

import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { fail, has, root, run } from './tools.mjs';

const { values: options } = parseArgs({
  options: {
    minutes: { type: 'string', default: '10' },
    target: { type: 'string' },
    seeds: { type: 'boolean' },
  },
});
const minutes = Number(options.minutes);
if (!(minutes > 0)) fail(`--minutes ${options.minutes}: give a number of minutes.`);

if (process.platform === 'win32') fail('cargo-fuzz does not run on Windows.');
if (!has('cargo', ['+nightly', '--version'])) {
  fail("Fuzzing needs Rust's nightly toolchain: rustup toolchain install nightly");
}
if (!has('cargo', ['+nightly', 'fuzz', '--version'])) {
  fail('Fuzzing needs cargo-fuzz: cargo install cargo-fuzz');
}

const all = readdirSync(join(root, 'fuzz', 'fuzz_targets')).map((name) => name.replace('.rs', ''));
if (options.target && !all.includes(options.target)) {
  fail(`--target ${options.target}: there are ${all.join(', ')}.`);
}
const targets = options.target ? [options.target] : all;

// The fuzzed code has no `unsafe`, so the address sanitizer would find nothing; it would be ten times slower.
const FUZZ = ['+nightly', 'fuzz'];
const PLAIN = ['--sanitizer', 'none'];
console.log(`Building ${targets.join(', ')} …`);
run('cargo', [...FUZZ, 'build', ...PLAIN, ...(options.target ? [options.target] : [])]);

const results = [];
for (const target of targets) {
  const seconds = Math.max(1, Math.round((minutes * 60) / targets.length));
  const corpus = join(root, 'fuzz', 'corpus', target);
  const seeds = join(root, 'fuzz', 'seeds', target);
  mkdirSync(corpus, { recursive: true });
  const folders = [corpus, seeds].filter(existsSync);
  // An input that takes ten seconds, or a gigabyte, is a failure too.
  const limits = ['-timeout=10', '-rss_limit_mb=1024', '-max_len=4096', '-print_final_stats=1'];
  const length = options.seeds ? ['-runs=0'] : [`-max_total_time=${seconds}`];
  console.log(`${target}: ${options.seeds ? 'the seeds' : `${seconds} s`} …`);
  const { status, stderr, error } = spawnSync(
    'cargo',
    [...FUZZ, 'run', ...PLAIN, target, ...folders, '--', ...limits, ...length],
    { cwd: root, encoding: 'utf8', maxBuffer: 1 << 30, env: { RUST_BACKTRACE: '0', ...process.env } },
  );
  if (error) fail(`cargo fuzz could not be run: ${error.message}`);
  if (status !== 0) {
    console.error(stderr.split('\n').slice(-60).join('\n'));
    fail(
      `${target} failed. The input is in fuzz/artifacts/${target}; FUZZ_SHOW=1 prints the log that it makes.`,
    );
  }
  const number = (pattern) => Number([...stderr.matchAll(pattern)].at(-1)?.[1] ?? 0);
  results.push({
    target,
    runs: number(/stat::number_of_executed_units:\s+(\d+)/g),
    'runs a second': number(/stat::average_exec_per_sec:\s+(\d+)/g),
    coverage: number(/cov: (\d+)/g),
    'inputs kept': number(/corp: (\d+)\//g),
    'peak MB': number(/stat::peak_rss_mb:\s+(\d+)/g),
  });
}
console.table(results);
const runs = results.reduce((sum, each) => sum + each.runs, 0);
console.log(
  `${runs.toLocaleString('en')} runs, nothing found (${process.arch}, ${cpus().length} cores, ${options.seeds ? 'seeds only' : `${minutes} minutes`}).`,
);
