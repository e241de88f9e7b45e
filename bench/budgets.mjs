/**
 * The rows of the budget table, from the results of the scenarios: each figure beside its budget. README.md in this
 * folder explains each budget.
 */

import { SIZE_MAX_BYTES } from '../scripts/binary.mjs';
import { megabytes, megabytesPerSecond, ms, percent, whole } from './support/table.mjs';

const WAKE_UPS_MS = 0.1;
const IN_FLIGHT_LARGE_PER_SECOND = 60_000;
const IN_FLIGHT_LARGE_SHARE = 0.7;
const IN_FLIGHT_SMALL_PER_SECOND = 300_000;
const LOOP_DELAY_MS = 2;
const REPLAY_BYTES_PER_SECOND = 1e9;
const REPLAY_LARGE_BYTES = 50e6;
const MEMORY_FACTOR = 1.5;
const MEMORY_BASE_BYTES = 30e6;
const COMPACTION_FACTOR = 2;
const OPEN_MS = 10;

function row(section, what, figure, budget = null, met = null) {
  return { section, what, figure, budget, met };
}

const spread = ({ median, p90, p99 }) => `${ms(median)} (90th ${ms(p90)}, 99th ${ms(p99)})`;

export function bareDiskRows({ append, sequential }) {
  const section = 'The bare disk';
  return [
    ...Object.entries(append).map(([size, times]) =>
      row(section, `append + fdatasync, ${whole(Number(size))} bytes`, spread(times)),
    ),
    row(
      section,
      'sequential write + one sync, 256 MiB',
      `${megabytesPerSecond(sequential.median)} (median of 5)`,
    ),
  ];
}

export function oneUpdateRows({ players, ours, disk, entryBytes, firstMs, closeMs }) {
  const section = 'One awaited update, 50 games of history each';
  const limit = disk.median + WAKE_UPS_MS;
  return [
    row(
      section,
      `${whole(players)} players, ${whole(entryBytes)} bytes`,
      spread(ours),
      `bare disk ${ms(disk.median)} + 0.1 = ${ms(limit)}`,
      ours.median <= limit,
    ),
    row(section, '  first update after the start; close', `${ms(firstMs)}; ${ms(closeMs)}`),
  ];
}

export function inFlightRows({ kind, total, window, ...result }) {
  const section = `Many updates in flight (${whole(window)} at any time)`;
  const rate = `${whole(result.entriesPerSecond)}/s, ${megabytesPerSecond(result.bytesPerSecond)}`;
  const bare = `bare disk ${megabytesPerSecond(result.bareBytesPerSecond)}: ${percent(result.share)}`;
  const alone = `JSON.stringify alone ${whole(result.stringifyPerSecond)}/s`;
  const small = result.entryBytes < 1000;
  const what = `${whole(total)} of ${whole(result.entryBytes)} bytes (a ${kind})`;
  if (small) {
    const met = result.entriesPerSecond >= IN_FLIGHT_SMALL_PER_SECOND;
    return [row(section, what, rate, `${whole(IN_FLIGHT_SMALL_PER_SECOND)}/s`, met), row(section, '', bare)];
  }
  const met = result.entriesPerSecond >= IN_FLIGHT_LARGE_PER_SECOND || result.share >= IN_FLIGHT_LARGE_SHARE;
  const budget = `${whole(IN_FLIGHT_LARGE_PER_SECOND)}/s or ${percent(IN_FLIGHT_LARGE_SHARE)} of the bare disk`;
  return [row(section, what, rate, budget, met), row(section, '', `${bare}; ${alone}`)];
}

export function eventLoopRows({ from, callers, idle, busy, updatesPerSecond }) {
  const section = 'Event loop: 99th percentile of its delay';
  const who = from === 'main' ? 'calls from this thread' : 'calls from a worker thread';
  return [
    row(
      section,
      `${who}, ${whole(callers)} waiting, ${whole(updatesPerSecond)}/s`,
      `${ms(busy.p99)} (longest ${ms(busy.max)})`,
      `idle ${ms(idle.p99)} + ${LOOP_DELAY_MS} = ${ms(idle.p99 + LOOP_DELAY_MS)}`,
      busy.p99 <= idle.p99 + LOOP_DELAY_MS,
    ),
  ];
}

export function openAddonRows({ times, binaryBytes }) {
  const section = 'Opening the addon';
  return [
    row(
      section,
      'require()',
      `${ms(times.median)} (longest ${ms(times.max)})`,
      `${OPEN_MS} ms`,
      times.median < OPEN_MS,
    ),
    row(
      section,
      'size of the .node file',
      megabytesFine(binaryBytes),
      megabytesFine(SIZE_MAX_BYTES),
      binaryBytes < SIZE_MAX_BYTES,
    ),
  ];
}

const megabytesFine = (bytes) => `${(bytes / 1e6).toFixed(2)} MB`;

export function loadRows(fixture, result, start) {
  const section = `A start: ${start}`;
  const what = `${whole(fixture.players)} players, ${megabytes(result.logBytes)} log`;
  const rate = result.logBytes / (result.replayMs / 1000);
  // In a small log, fixed costs take most of the time, so a rate says nothing there.
  const large = result.logBytes >= REPLAY_LARGE_BYTES;
  const memoryLimit = MEMORY_FACTOR * fixture.liveBytes + MEMORY_BASE_BYTES;
  return [
    row(
      section,
      what,
      `first read after ${ms(result.replayMs)}: ${megabytesPerSecond(rate)}`,
      large ? megabytesPerSecond(REPLAY_BYTES_PER_SECOND) : null,
      large ? rate >= REPLAY_BYTES_PER_SECOND : null,
    ),
    row(
      section,
      '  memory after it; at its highest',
      `${megabytes(result.engineBytes)}; ${megabytes(result.peakBytes)}`,
      `1.5 × ${megabytes(fixture.liveBytes)} + 30 = ${megabytes(memoryLimit)}`,
      result.engineBytes <= memoryLimit,
    ),
    row(
      section,
      '  loadPlayers; leaderboard; rank',
      `${ms(result.loadPlayersMs)}; ${ms(result.leaderboardMs)}; ${ms(result.rankMs)}`,
    ),
  ];
}

export function compactionRows({ players, quiet, during, compactionMs, bareDuring }) {
  const section = 'Updates during a compaction';
  return [
    row(
      section,
      `${whole(players)} players, ${during.samples} updates in ${compactionMs.samples} compactions`,
      `99th ${ms(during.p99)} (median ${ms(during.median)}, longest ${ms(during.max)})`,
      `2 × quiet 99th ${ms(quiet.p99)} = ${ms(COMPACTION_FACTOR * quiet.p99)}`,
      during.p99 <= COMPACTION_FACTOR * quiet.p99,
    ),
    row(
      section,
      '  the bare disk beside a thread that writes as many bytes',
      `99th ${ms(bareDuring.p99)} (median ${ms(bareDuring.median)}, longest ${ms(bareDuring.max)})`,
    ),
    row(section, '  one compaction', `${ms(compactionMs.median)} (longest ${ms(compactionMs.max)})`),
  ];
}
