// The clock: entries, backups and the daily token refresh carry its times.

import { randomBytes } from 'node:crypto';
import { closeSync, openSync, rmSync, statSync } from 'node:fs';
import path from 'node:path';
import { failureText } from '../support/errors.mjs';
import { logsIn } from '../support/folder.mjs';
import { duration } from '../support/format.mjs';
import { eachLine } from '../support/lines.mjs';
import { ok, unchecked, warn } from './finding.mjs';
import { nearestFolder } from './folder.mjs';

const AHEAD_MS_MAX = 5000;
// When this was written.
const BUILT_MS = Date.parse('2025-01-01T00:00:00Z');

export async function clockFindings({ dataDir, isReadOnly, now = Date.now() }) {
  const findings = [];
  if (now < BUILT_MS) {
    findings.push(
      warn(
        'clock',
        `The clock says ${new Date(now).toISOString()}`,
        'That is in the past, so new entries seem older than what is there.',
        'Set the clock (NTP). On a small computer without a clock chip, start the bot after the network is up.',
      ),
    );
  }
  let newest;
  try {
    newest = await newestTime(dataDir);
  } catch (error) {
    findings.push(
      unchecked(
        'log-times',
        `The times of the logs: ${failureText(error)}`,
        'They may be ahead of the clock.',
        'See to the cause, and run this again.',
      ),
    );
  }
  if (newest && Date.parse(newest.time) - now > AHEAD_MS_MAX) {
    findings.push(
      warn(
        'future',
        `The newest entry of ${newest.log} is ${duration(Date.parse(newest.time) - now)} ahead of the clock`,
        'The clock was wrong then or is wrong now. The order of entries does not depend on it, but their times do.',
        'Set the clock (NTP).',
      ),
    );
  }
  const skewMs = isReadOnly ? 0 : fileSkewMs(nearestFolder(dataDir));
  if (skewMs === undefined) {
    findings.push(
      unchecked(
        'file-times',
        "The file system's clock: no file could be made in the folder",
        'Times of files may be those of another machine.',
        'Let this user write to the folder, or give --read-only.',
      ),
    );
  } else if (Math.abs(skewMs) > AHEAD_MS_MAX) {
    findings.push(
      warn(
        'file-times',
        `The file system's clock differs by ${duration(Math.abs(skewMs))}`,
        'It is a clock of another machine: a network disk, or a virtual machine that was paused.',
        'Set both clocks (NTP).',
      ),
    );
  }
  if (findings.length === 0)
    findings.push(ok('clock', `${new Date(now).toISOString()}, not behind the data`));
  return findings;
}

async function newestTime(dataDir) {
  let newest;
  for (const { name, log } of logsIn(dataDir)) {
    if (!log) continue;
    let last;
    await eachLine(log.path, {
      told: { entries: false },
      onLine: ({ state, time }) => {
        if (state !== 'damaged' && typeof time === 'string' && !Number.isNaN(Date.parse(time))) last = time;
      },
    });
    if (last && (!newest || Date.parse(last) > Date.parse(newest.time))) newest = { log: name, time: last };
  }
  return newest;
}

// Undefined where no file could be made.
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
