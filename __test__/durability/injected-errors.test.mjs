/**
 * Single system calls of a child fail: strace makes the nth write, sync, open, rename … return an error without doing
 * anything, once or for a while. Each promise rejects with that error or resolves truthfully. The process continues, and
 * memory and disk agree. Once the failures are over, everything works and no acked entry is missing.
 *
 * The trace is checked too: at each ack its bytes were synced, and the log had no byte whose sync failed. PS_LONG=1 makes
 * every single call fail in turn, instead of some.
 */
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { assertSealed, range, scene } from '../support/durability.mjs';
import { whyNoStrace } from '../support/strace.mjs';

const isLong = process.env.PS_LONG === '1';
const CALLS = 'write,pwrite64,fdatasync,fsync,ftruncate,openat,rename,linkat,unlink,mkdir,flock';

const skip = whyNoStrace('trace=fsync', 'inject=fsync:error=EIO');

// ----------------------------------------------------------------------------------------------------- the trace

/** The system calls of a trace in the order in which they ended: { call, args, fd, result, isInjected }. */
function parseTrace(text) {
  const begun = new Map();
  const calls = [];
  for (const line of text.split('\n')) {
    const [, thread, rest] = /^(\d+) +(.*)$/.exec(line) ?? [];
    if (!rest || /^(\+\+\+|---)/.test(rest)) continue;
    if (rest.endsWith('<unfinished ...>')) {
      begun.set(thread, rest.slice(0, -'<unfinished ...>'.length));
      continue;
    }
    const resumed = /^<\.\.\. \w+ resumed>(.*)$/.exec(rest);
    const whole = resumed ? `${begun.get(thread)}${resumed[1]}` : rest;
    const found = /^(\w+)\((.*)\)\s+= (-?\d+)(.*)$/.exec(whole);
    if (!found) continue;
    const [, call, args, result, tail] = found;
    const file = /^\d+<([^>]*)>/.exec(args)?.[1];
    const opened = /^\d*<([^>]*)>/.exec(tail)?.[1] ?? /^<([^>]*)>/.exec(tail)?.[1];
    const names = [...args.matchAll(/"((?:[^"\\]|\\.)*)"/g)].map((hit) => hit[1]);
    calls.push({
      thread,
      call,
      args,
      file,
      opened,
      names,
      result: Number(result),
      isInjected: tail.includes('INJECTED'),
      isInterrupted: tail.includes('EINTR'),
    });
  }
  return calls;
}

const inShort = ({ call, args, result, isInjected }) =>
  `  ${call}(${args.replaceAll(/\S*\//g, '')}) = ${result}${isInjected ? ' injected' : ''}`;

/**
 * Follows the files of a trace: an ack may be given only when all bytes of the log were synced after they were written,
 * none is left of those whose sync had failed, and the log's name was synced.
 */
function checkAcks(calls, place) {
  const files = new Map();
  const fileAt = (name) => {
    if (!files.has(name))
      files.set(name, { size: 0, dirtyFrom: Infinity, doubtfulFrom: Infinity, isNameNew: false });
    return files.get(name);
  };
  let acks = 0;
  for (const [number, { call, args, file, opened, names, result, isInterrupted }] of calls.entries()) {
    const ok = result >= 0;
    switch (call) {
      case 'openat':
        if (ok && opened && args.includes('O_CREAT') && !files.has(opened)) fileAt(opened).isNameNew = true;
        if (ok && opened && args.includes('O_TRUNC'))
          Object.assign(fileAt(opened), { size: 0, dirtyFrom: 0, doubtfulFrom: Infinity });
        break;
      case 'write':
        if (ok && file) {
          const at = fileAt(file);
          at.dirtyFrom = Math.min(at.dirtyFrom, at.size);
          at.size += result;
        }
        break;
      case 'ftruncate':
        if (ok && file) {
          const at = fileAt(file);
          at.size = Number(/, (\d+)\s*$/.exec(args)[1]);
          // A new length is durable with the next sync, also if an earlier sync failed.
          if (at.size <= at.doubtfulFrom) at.doubtfulFrom = Infinity;
          if (at.size <= at.dirtyFrom) at.dirtyFrom = Infinity;
        }
        break;
      case 'fsync':
      case 'fdatasync': {
        // An interrupted call is retried, and then it counts.
        if (!file || isInterrupted) break;
        const at = fileAt(file);
        if (ok) {
          at.dirtyFrom = Infinity;
          for (const [name, each] of files) if (path.dirname(name) === file) each.isNameNew = false;
        } else {
          at.doubtfulFrom = Math.min(at.doubtfulFrom, at.dirtyFrom);
        }
        break;
      }
      case 'rename':
        if (ok) {
          const moved = fileAt(names[0]);
          files.delete(names[0]);
          moved.isNameNew = true;
          files.set(names[1], moved);
          if (names[1].endsWith('.log')) {
            assert.equal(moved.dirtyFrom, Infinity, `${names[1]} was replaced by a file that is not synced`);
            assert.equal(
              moved.doubtfulFrom,
              Infinity,
              `${names[1]} was replaced by a file whose sync had failed`,
            );
          }
        }
        break;
      case 'pwrite64': {
        const [, log, name] = /"ack (\S+) (\w+)\\n"/.exec(args) ?? [];
        if (!log || log === '-') break;
        acks += 1;
        const at = fileAt(place.log(log));
        const before = calls.slice(0, number).filter((each) => JSON.stringify(each).includes(`/${log}.log`));
        const what = `ack ${acks} (${name}) of ${log}, after\n${before.slice(-15).map(inShort).join('\n')}\n`;
        assert.equal(at.doubtfulFrom, Infinity, `${what}: bytes are in the log whose sync had failed`);
        assert.equal(at.dirtyFrom, Infinity, `${what}: the log is not synced`);
        assert.equal(at.isNameNew, false, `${what}: the name of the log is not synced`);
        break;
      }
      default:
    }
  }
  return acks;
}

// ------------------------------------------------------------------------------------------------------ one run

/** Runs the child's day. `inject` are strace's expressions; `paths` limits the failures to calls on these files. */
async function run(t, { inject = [], paths = [], options = {} }) {
  const place = scene(t);
  const [trace, acks] = ['trace', 'acks'].map((name) => path.join(place.root, name));
  const only = paths.length > 0 ? paths.map((name) => path.join(place.data, name)) : [];
  const child = place.start('under-injection.mjs', [place.data, acks, JSON.stringify(options)], {
    command: (line) => [
      'strace',
      ...['-f', '-y', '-qq', '-s', '64', '-o', trace, '-e', `trace=${CALLS}`, '-e', 'signal=none'],
      ...only.flatMap((name) => ['-P', name]),
      ...inject.flatMap((expression) => ['-e', `inject=${expression}`]),
      ...line,
    ],
  });
  const { code, signal, stderr } = await child.ended;
  assert.deepEqual({ code, signal }, { code: 0, signal: null }, stderr);
  const calls = parseTrace(fs.readFileSync(trace, 'utf8'));
  const report = JSON.parse(fs.readFileSync(`${acks}.report`, 'utf8'));
  return { place, calls, report, stderr, showsAcks: only.length === 0 && !options.fsync };
}

/** What has to hold after a day with failures. `code` is the one that was injected, `syscalls` how we call them. */
async function check({ place, calls, report, stderr, showsAcks }, { code, syscalls, warnings = [] }) {
  for (const { error, name } of report.calls.filter((each) => !each.ok)) {
    const what = `${name}: ${JSON.stringify(error)}`;
    assert.equal(error.code, code, what);
    assert.ok(syscalls.includes(error.syscall), what);
    // The path may be a folder above: those are synced too.
    assert.ok(error.path?.startsWith(place.root) || place.data.startsWith(error.path), what);
    assert.ok(error.message.startsWith(`${code}: `), what);
  }
  assert.equal(report.unhandled, 0, 'no rejection but the caller’s own');
  assert.equal(report.isWellAgain, true, 'all calls work in the end');
  assert.deepEqual(report.disagreements, []);
  for (const [, warning] of stderr.matchAll(/\[(PS_\w+)\]/g)) {
    assert.ok(
      ['PS_MIRROR_FAILED', 'PS_COMPACTION_FAILED', 'PS_SLOW_SYNC', 'PS_LOCK_WAIT', ...warnings].includes(
        warning,
      ),
      stderr,
    );
  }

  // Another process compares the report of the dead one with the files.
  const storage = place.open();
  assert.deepEqual(await storage.loadPlayers(), report.players);
  assert.equal(
    report.players.user.totalGames,
    report.games,
    'what was acked is there, and what was not is not',
  );
  assert.deepEqual(await storage.collection('coins').entries(), report.coins);
  assert.deepEqual(await storage.readLogEntries('events'), report.events);
  assert.deepEqual(await storage.readLogEntries('audit'), report.audit);
  assert.equal(report.audit.length, report.notes, 'every entry that was acked, and no other');
  assert.equal((await storage.updatePlayerStats('user', 'name', 1)).totalGames, report.games + 1);
  await storage.close();
  for (const log of ['players', 'coins', 'tokens', 'game_state']) {
    assertSealed(place.logText(log));
    assert.deepEqual(place.mirrorState(log), place.replayed(log), `the mirror of ${log}`);
  }
  for (const kind of ['torn', 'corrupt']) {
    for (const log of ['players', 'events', 'coins']) assert.deepEqual(place.aside(`${log}.log.${kind}`), []);
  }
  assert.deepEqual(await place.old('loadPlayers'), place.replayed());
  if (showsAcks) checkAcks(calls, place);
}

// -------------------------------------------------------------------------------------------------------- tests

const LOGS = ['logs/players.log', 'logs/events.log', 'logs/coins.log'];
const OWN = [
  '.progressive-storage/lock',
  '.progressive-storage/queue',
  '.progressive-storage/players.mirror',
];

/**
 * Which calls fail: where (all files, or these), with what, and how the promise names the call. A failure of one call may
 * show as that of another where several serve one purpose.
 */
const failures = [
  { call: 'fdatasync', codes: ['EIO', 'ENOSPC'], syscalls: ['fdatasync'] },
  { call: 'fsync', codes: ['EIO'], syscalls: ['fsync'] },
  { call: 'write', codes: ['ENOSPC', 'EIO', 'EDQUOT'], paths: LOGS, syscalls: ['write'] },
  { call: 'write', codes: ['ENOSPC'], paths: OWN, syscalls: ['write'] },
  { call: 'rename', codes: ['EIO', 'ENOSPC'], syscalls: ['rename'] },
  { call: 'linkat', codes: ['EPERM', 'EIO'], syscalls: ['link', 'open', 'copyfile'] },
  { call: 'openat', codes: ['EMFILE', 'EACCES', 'EIO'], paths: LOGS, syscalls: ['open'] },
  { call: 'openat', codes: ['EIO'], paths: ['.', 'logs'], syscalls: ['open', 'scandir'] },
  { call: 'openat', codes: ['EMFILE'], paths: [...OWN, 'players.json'], syscalls: ['open'] },
  { call: 'mkdir', codes: ['ENOSPC', 'EROFS'], syscalls: ['mkdir'] },
  { call: 'unlink', codes: ['EIO'], syscalls: ['unlink'] },
  { call: 'flock', codes: ['ENOLCK'], paths: OWN, syscalls: ['flock'] },
];

/** How many of a kind of calls the busiest thread makes in a day. strace counts them by thread. */
function countOf(calls, { call, paths }, place) {
  const only = paths?.map((name) => path.join(place.data, name));
  const isMeant = (each) =>
    each.call === call &&
    (!only || only.includes(each.file ?? '') || each.names.some((name) => only.includes(name)));
  const counts = new Map();
  for (const each of calls.filter(isMeant)) counts.set(each.thread, (counts.get(each.thread) ?? 0) + 1);
  return Math.max(0, ...counts.values());
}

let quiet;
const quietDay = (t) => {
  quiet ??= run(t, {});
  return quiet;
};

test('a day without failures, traced', { skip }, async (t) => {
  const day = await quietDay(t);
  assert.ok(day.report.calls.every((each) => each.ok));
  await check(day, { code: 'none', syscalls: [] });
  t.diagnostic(`${checkAcks(day.calls, day.place)} acks, each after its sync`);
});

/** The failure, and that of what is done about it, at the same time. */
const doubles = [
  ['fdatasync:error=EIO:when=4', 'ftruncate:error=EIO:when=1..60'],
  ['fdatasync:error=EIO:when=4..6', 'fsync:error=EIO:when=8..20'],
  ['fdatasync:error=EIO:when=10..50+3', 'fsync:error=EIO:when=6..50+3'],
  ['fsync:error=EIO:when=1..20', 'mkdir:error=EIO:when=1..9'],
  ['rename:error=EIO:when=3..20', 'unlink:error=EIO:when=1..20'],
];

/** Some numbers from 1 to `most`, the first and the last among them; all of them in the long form. */
function spread(most, count) {
  if (isLong || most <= count) return range(most).map((n) => n + 1);
  return range(count).map((n) => 1 + Math.round((n * (most - 1)) / (count - 1)));
}

for (const failure of failures) {
  const { call, codes, paths } = failure;
  const where = paths ? ` (${paths.join(', ')})` : '';
  test(`${call} fails with ${codes.join(' or ')}${where}`, { skip }, async (t) => {
    const { calls, place } = await quietDay(t);
    const most = countOf(calls, failure, place);
    assert.ok(most > 0, 'the day has such calls');
    const seen = { runs: 0, failed: 0, rejected: 0 };
    for (const [turn, n] of spread(most, 6).entries()) {
      // Once, or for some calls in a row, so that a retry fails too.
      const whens = isLong ? [n, `${n}..${n + 4}`] : [turn % 2 === 0 ? n : `${n}..${n + 4}`];
      for (const when of whens) {
        const code = codes[turn % codes.length];
        const day = await run(t, { inject: [`${call}:error=${code}:when=${when}`], paths });
        try {
          await check(day, { ...failure, code });
        } catch (error) {
          error.message = `${call}:error=${code}:when=${when}${where}: ${error.message}`;
          throw error;
        }
        seen.runs += 1;
        seen.failed += day.calls.filter((each) => each.isInjected).length;
        seen.rejected += day.report.calls.filter((each) => !each.ok).length;
        await day.place.end();
      }
    }
    assert.ok(seen.failed > 0, 'something did fail');
    t.diagnostic(
      `${seen.runs} days, ${seen.failed} system calls failed, ${seen.rejected} promises were rejected`,
    );
  });
}

for (const inject of doubles) {
  test(`${inject.join(' and ')}`, { skip }, async (t) => {
    const day = await run(t, { inject });
    await check(day, {
      code: 'EIO',
      syscalls: ['fdatasync', 'fsync', 'ftruncate', 'mkdir', 'rename', 'unlink'],
    });
    const rejected = day.report.calls.filter((each) => !each.ok).length;
    t.diagnostic(
      `${day.calls.filter((each) => each.isInjected).length} failed, ${rejected} promises were rejected`,
    );
  });
}

for (const [call, paths] of [['write', LOGS], ['fdatasync'], ['fsync'], ['openat', LOGS]]) {
  test(`${call} is interrupted: no caller sees an error`, { skip }, async (t) => {
    const day = await run(t, { inject: [`${call}:error=EINTR:when=2..40+4`], paths });
    await check(day, { code: 'none', syscalls: [] });
    assert.ok(
      day.calls.some((each) => each.isInjected),
      'it was interrupted',
    );
    assert.equal(day.stderr, '');
  });
}

test("fsync: 'interval': after a failed sync the log is written anew", {
  skip,
}, async (t) => {
  for (const when of ['1', '2', '1..3', '2..5']) {
    const options = { fsync: 'interval', fsyncIntervalMs: 5 };
    const day = await run(t, { inject: [`fdatasync:error=EIO:when=${when}`], options });
    await check(day, { code: 'EIO', syscalls: ['fdatasync'], warnings: ['PS_SYNC_FAILED'] });
    checkSyncsInTheEnd(day.calls, day.place);
    await day.place.end();
  }
});

/** After the last call no byte of a log is left that no sync has written. */
function checkSyncsInTheEnd(calls, place) {
  const ends = ['players', 'events', 'coins', 'tokens', 'game_state', 'audit'].map((log) => ({
    call: 'pwrite64',
    args: `"ack ${log} end\\n"`,
    names: [],
    result: 0,
  }));
  checkAcks([...calls.filter((each) => each.call !== 'pwrite64'), ...ends], place);
}
