/**
 * The parts of the dashboard, without a browser: its page is one valid script, its commands survive a shell whatever the key
 * holds, its axes, its series of samples, and the limit of its questions.
 */

import assert from 'node:assert/strict';
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { Gate } from '../../dashboard/gate.js';
import { commandsOf } from '../../dashboard/page/commands.mjs';
import { hasOutliers, scaleOf } from '../../dashboard/page/scale.mjs';
import { growthText } from '../../dashboard/page/units.mjs';
import { page, SCRIPTS } from '../../dashboard/page.js';
import { Series } from '../../dashboard/series.js';
import { Surroundings } from '../../dashboard/surroundings.js';
import { isWindows, range, scene, waitFor } from '../support/durability.mjs';
import { filesIn } from '../support/sources.mjs';

const HOSTILE = [
  'plain-1',
  'it\'s $(touch x) `touch x` \\ "q" %s !! ; touch x',
  '-n',
  '--yes',
  'line\nbreak\n',
  '\ttab\r',
  '\u001b]0;owned\u0007\u001b[31m',
  'turned\u202egnp.exe',
  "hidden\u200b'\\%d\ufeff",
  '-\u0001',
  'Bén 😀 漢字',
  '\u0001😀x',
  ' ',
  '~',
  '*',
];

test('the page is one script of all its parts, each name once', (t) => {
  const text = page({ nonce: 'a-nonce', kind: 'folder' });
  const [, script] = /<script type="module" nonce="a-nonce">\n([\s\S]*)<\/script>/.exec(text);
  assert.doesNotMatch(text, /__[A-Z]+__/);
  assert.doesNotMatch(script, /^(import|export) /m);
  assert.doesNotMatch(script, /innerHTML|outerHTML|insertAdjacent|document\.write/);
  // A name that is there twice is an error of its syntax.
  const file = path.join(scene(t).root, 'page.mjs');
  fs.writeFileSync(file, script);
  // Bun and Deno have no such option, and would run it.
  if (!process.versions.bun && !globalThis.Deno) {
    const check = spawnSync(process.execPath, ['--check', file], { encoding: 'utf8' });
    assert.equal(check.stderr, '');
  }
  const there = filesIn('dashboard/page', '.mjs').map((name) => path.posix.basename(name, '.mjs'));
  assert.deepEqual([...SCRIPTS].sort(), there.sort());
});

/** What a shell hands on for a command: the arguments of npx. */
function argumentsOf(shell, command, folder) {
  const bin = path.join(folder, 'bin');
  fs.mkdirSync(bin, { recursive: true });
  const npx = path.join(bin, 'npx');
  fs.writeFileSync(npx, `#!/bin/sh\nprintf '%s\\0' "$@"\n`, { mode: 0o755 });
  const env = { ...process.env, PATH: `${bin}:${process.env.PATH}` };
  const told = execFileSync(shell, ['-c', command], { cwd: folder, env, encoding: 'utf8' });
  return told.split('\0').slice(0, -1);
}

const STEP = { timestamp: '2026-01-31T20:15:00.123Z', isLastAtItsTime: true, value: {} };

test('commands hand on exactly the key, the log and the folder', {
  skip: isWindows && 'no POSIX shell',
}, (t) => {
  const { root } = scene(t);
  const shells = ['sh', 'bash', 'dash', 'zsh'].filter((shell) => spawnSync(shell, ['-c', ':']).status === 0);
  for (const [at, key] of HOSTILE.entries()) {
    const about = { place: { dataDir: `/srv/${key}` }, log: at === 0 ? 'players' : key, key, step: STEP };
    const { all } = commandsOf({ ...about, isNewest: false });
    for (const { text } of all)
      assert.doesNotMatch(text, /[\p{Cc}\p{Bidi_Control}\u200b\ufeff]/u, 'nothing hidden');
    for (const shell of shells) {
      const [undo, restore] = all.map(({ text }) => argumentsOf(shell, text, root));
      const log = `--log=${about.log}`;
      const dashes = key.startsWith('-') ? ['--'] : [];
      const to = `--to=${STEP.timestamp}`;
      assert.deepEqual(
        undo,
        ['progressive-storage', 'undo', log, to, ...dashes, key, about.place.dataDir],
        shell,
      );
      const options = [`--at=${STEP.timestamp}`, '--into=restored-20260131201500123'];
      assert.deepEqual(
        restore,
        ['progressive-storage', 'restore', log, ...options, about.place.dataDir],
        shell,
      );
    }
  }
  assert.deepEqual(fs.readdirSync(root), ['bin'], 'no shell ran a part of a key');
});

test('on a server the url stays in the environment; what no command can do has a reason', () => {
  const place = { schema: 'progressive_storage' };
  const about = { place, log: 'players', key: 'ann', step: STEP };
  const [undo] = commandsOf({ ...about, isNewest: true }).all;
  assert.equal(
    undo.text,
    'npx progressive-storage undo --url env --schema=progressive_storage --log=players ann',
  );
  for (const key of ['', 'a\0', 'half \ud83d'])
    assert.match(commandsOf({ ...about, key }).reason, /No shell/);
  assert.match(commandsOf({ ...about, step: { ...STEP, isLastAtItsTime: false } }).reason, /same time/);
  assert.match(commandsOf({ ...about, step: { ...STEP, timestamp: null } }).reason, /no time/);
  assert.match(commandsOf({ ...about, step: { ...STEP, value: null } }).all[0].label, /^Remove/);
});

test('the axis is logarithmic where outliers flatten the rest, and by choice', () => {
  const calm = range(50).map((number) => 1 + (number % 5));
  assert.equal(hasOutliers(calm), false);
  assert.equal(hasOutliers([...calm, 1000]), true);
  assert.equal(hasOutliers([1, 1000]), false, 'too few to say');
  const auto = scaleOf([...calm, 1000], 'auto');
  assert.equal(auto.isLog, true);
  assert.ok(auto.at(3) > 0.1 && auto.at(3) < auto.at(30) && auto.at(1000) <= 1);
  assert.equal(auto.at(0), 0);
  assert.deepEqual(auto.ticks, [1, 10, 100, 1000]);
  const linear = scaleOf([...calm, 1000], 'linear');
  assert.deepEqual([linear.isLog, linear.ticks], [false, [0, 500, 1000]]);
  assert.equal(scaleOf(calm, 'log').isLog, true);
  assert.deepEqual(scaleOf([0, 0], 'log').ticks, [0, 1]);
  for (const peak of [0.003, 1, 7, 99, 100, 12_345, 6e9]) {
    for (const base of [10, 1024]) {
      const { ticks } = scaleOf([peak], 'linear', base);
      assert.ok(ticks.at(-1) >= peak && ticks.length >= 3 && ticks.length <= 5, `${peak}: ${ticks}`);
    }
  }
});

test('growth in words: when the disk is full', () => {
  const at = (hours, stored) => ({ at: hours * 3_600_000, stored });
  const gib = 1024 ** 3;
  assert.match(growthText(at(0, 0), at(0, 0), gib), /known after a minute/);
  assert.equal(
    growthText(at(0, 0), at(1, gib), 48 * gib),
    'Grows by 1.0 GiB an hour: the disk is full in 2 days.',
  );
  assert.equal(growthText(at(0, 5), at(1, 5), gib), 'It did not grow in this time.');
  assert.equal(growthText(at(0, 0), at(2, gib), null), 'Grows by 512 MiB an hour.');
});

test('samples: fine ones of the last minutes, coarse ones of a day, and no more', () => {
  const end = 2 * 43_200 * 2000;
  const series = new Series((before, totals, seconds) => ({
    rate: before ? (totals.n - before.n) / seconds : 0,
  }));
  for (let n = 0; n <= 2 * 43_200; n++) {
    series.add({ at: n * 2000, n: n * 10 });
  }
  const spans = [300, 900, 3600, 24 * 3600, Number.POSITIVE_INFINITY].map((seconds) =>
    series.newest(seconds, end),
  );
  assert.deepEqual(
    spans.map(({ length }) => length),
    [151, 451, 181, 720, 720],
  );
  for (const samples of spans) assert.ok(samples.slice(1).every(({ rate }) => rate === 5));
  assert.equal(series.newest(899, end)[0].at, end - 898_000);
});

test('other processes: their shard and memory, and none of their secrets', {
  skip: process.platform !== 'linux' && 'who has a folder open is known on Linux only',
}, async (t) => {
  const place = scene(t);
  fs.mkdirSync(place.data);
  const script = path.join(place.root, 'shard.mjs');
  fs.writeFileSync(
    script,
    `import fs from 'node:fs'; fs.openSync(process.argv[2] + '/open', 'w'); console.log('open'); setInterval(() => {}, 1000);`,
  );
  const env = { ...process.env, SHARDS: '[3,4]', SHARD_COUNT: '16', DISCORD_TOKEN: 'c4nary-token' };
  const child = spawn(process.execPath, [script, place.data, '--token=c4nary-argument'], { env });
  place.beforeEnd(() => child.kill('SIGKILL'));
  await once(child.stdout, 'data');
  const surroundings = new Surroundings();
  surroundings.look(place.data);
  surroundings.isWatched = true;
  surroundings.look(place.data);
  await waitFor(() => surroundings.processes && surroundings.disk, 'disk and processes');
  const { isKnown, count, listed } = surroundings.processes;
  assert.deepEqual([isKnown, count, listed.length], [true, 1, 1]);
  const { memoryBytes, ...others } = listed[0];
  assert.ok(memoryBytes > 1 << 20);
  assert.deepEqual(others, {
    pid: child.pid,
    command: `${path.basename(process.execPath)} shard.mjs`,
    shard: '3,4 of 16',
  });
  assert.ok(surroundings.disk.freeBytes > 0 && surroundings.disk.freeBytes <= surroundings.disk.totalBytes);
});

test('so many questions at a time, some wait, more are refused', async () => {
  const gate = new Gate({ atOnce: 2, waiting: 1 });
  const running = [];
  const work = () => new Promise((resolve) => running.push(resolve));
  const all = [gate.run(work), gate.run(work), gate.run(work)];
  await assert.rejects(gate.run(work), { status: 503 });
  assert.equal(running.length, 2);
  running[0]('one');
  assert.equal(await all[0], 'one');
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(running.length, 3);
  running[1]('two');
  running[2]('three');
  assert.deepEqual(await Promise.all(all), ['one', 'two', 'three']);
  const failed = gate.run(() => Promise.reject(new Error('no')));
  await assert.rejects(failed, /no/);
  assert.equal(await gate.run(async () => 'free again'), 'free again');
});
