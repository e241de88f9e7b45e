// The clock: whether its times fit those of the entries and of the file system.

import { randomBytes } from 'node:crypto';
import { closeSync, openSync, rmSync, statSync } from 'node:fs';
import path from 'node:path';
import { failureText } from '../support/errors.mjs';
import { duration } from '../support/format.mjs';
import { eachLine } from '../support/lines.mjs';
import { logsIn } from '../support/log-files.mjs';
import { ok, unchecked, warn } from './finding.mjs';
import { nearestFolder } from './folder.mjs';

const AHEAD_MS_MAX = 5000;
// A clock before this is wrong.
const EARLIEST_MS = Date.parse('2025-01-01T00:00:00Z');

export async function clockFindings({ dataDir, isReadOnly, now = Date.now() }) {
  const findings = [
    ...nowFindings(now),
    ...(await entryFindings(dataDir, now)),
    ...(isReadOnly ? [] : fileFindings(dataDir)),
  ];
  return findings.length > 0
    ? findings
    : [ok('clock', `${new Date(now).toISOString()}, not behind the data`)];
}

function nowFindings(now) {
  if (now >= EARLIEST_MS) return [];
  return [
    warn(
      'clock',
      `The clock says ${new Date(now).toISOString()}`,
      'That is in the past, so new entries seem older than those that are there.',
      'Set the clock (NTP). On a small computer without a clock chip, start the bot after the network is up.',
    ),
  ];
}

async function entryFindings(dataDir, now) {
  let newest;
  try {
    newest = await newestTime(dataDir);
  } catch (error) {
    return [
      unchecked(
        'log-times',
        `The times of the logs: ${failureText(error)}`,
        'They may be ahead of the clock.',
        'Remove the cause, and run this again.',
      ),
    ];
  }
  const aheadMs = newest ? Date.parse(newest.time) - now : 0;
  if (aheadMs <= AHEAD_MS_MAX) return [];
  return [
    warn(
      'future',
      `The newest entry of ${newest.log} is ${duration(aheadMs)} ahead of the clock`,
      'The clock was wrong then or is wrong now. The order of entries does not depend on it, but their times do.',
      'Set the clock (NTP).',
    ),
  ];
}

function fileFindings(dataDir) {
  const skewMs = fileSkewMs(nearestFolder(dataDir));
  if (skewMs === undefined) {
    return [
      unchecked(
        'file-times',
        "The file system's clock: no file could be created in the folder",
        'The times of files may come from another machine.',
        'Let this user write to the folder, or give --read-only.',
      ),
    ];
  }
  if (Math.abs(skewMs) <= AHEAD_MS_MAX) return [];
  return [
    warn(
      'file-times',
      `The file system's clock differs by ${duration(Math.abs(skewMs))}`,
      'It is the clock of another machine (a network disk), or this is a virtual machine that was paused.',
      'Set both clocks (NTP).',
    ),
  ];
}

async function newestTime(dataDir) {
  let newest;
  for (const { name, log } of logsIn(dataDir)) {
    if (!log) continue;
    let last;
    await eachLine(log.path, {
      want: { entries: false },
      onLine: ({ state, time }) => {
        if (state !== 'damaged' && typeof time === 'string' && !Number.isNaN(Date.parse(time))) last = time;
      },
    });
    if (last && (!newest || Date.parse(last) > Date.parse(newest.time))) newest = { log: name, time: last };
  }
  return newest;
}

// Undefined where no file could be created.
function fileSkewMs(folder) {
  const file = path.join(folder, `.progressive-storage-doctor-${randomBytes(8).toString('hex')}.clock`);
  try {
    const now = Date.now();
    closeSync(openSync(file, 'wx'));
    const skewMs = statSync(file).mtimeMs - now;
    rmSync(file);
    return skewMs;
  } catch {
    return undefined;
  }
}
