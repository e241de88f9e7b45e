// The logs, and the files beside them: damage, torn ends, JSON files, leftovers.

import { readdirSync, statSync } from 'node:fs';
import path from 'node:path';
import { eachMember } from '../../lib/members.mjs';
import { failureText } from '../support/errors.mjs';
import { describeDamage, examine } from '../support/examine.mjs';
import { bytes, plural } from '../support/format.mjs';
import { logsIn, vanishedLogs } from '../support/log-files.mjs';
import { fail, info, ok, unchecked, warn } from './finding.mjs';

const DAY_MS = 86_400_000;
const LEFTOVER = /\.tmp$/;

export async function logFindings({ dataDir, terminal }) {
  const logs = logsIn(dataDir);
  const findings = vanishedLogs(dataDir).map((name) =>
    warn(
      'gone',
      `${name}: its log and its JSON file are gone`,
      'The store kept both here. Somebody removed them, so the bot starts without this data.',
      'If that was a mistake, stop the bot and put them back from a copy or a backup (`progressive-storage repair`).',
    ),
  );
  if (logs.length === 0 && findings.length === 0) return [info('logs', 'There are no logs yet')];
  for (const log of logs) {
    try {
      findings.push(...(await logFinding(log, terminal)));
    } catch (error) {
      const make = error.code === 'ERR_LOG_REPLACED' ? unchecked : fail;
      findings.push(
        make(
          'log',
          `${log.name}: ${failureText(error)}`,
          'It could not be read, so its state is unknown.',
          'Remove the cause, and run this again.',
        ),
      );
    }
    for (const file of log.odd) {
      findings.push(
        fail(
          'not-a-file',
          `${log.name}: '${file}' is not a file`,
          'A folder, a device or a link to nothing is where a log or JSON file should be.',
          'Move it away, and put the file there if you have it.',
        ),
      );
    }
  }
  if (logs.some(({ backups, archives }) => backups.length + archives.length > 0)) {
    findings.push(info('old-logs', 'Backups and archives are not read here; `verify --backups` reads them'));
  }
  findings.push(...leftovers(dataDir));
  return findings;
}

async function logFinding(log, terminal) {
  return [
    ...(await lineFindings(log, terminal)),
    ...(log.mirror ? await mirrorFindings(log.name, log.mirror) : []),
    ...besideFindings(log),
  ];
}

async function lineFindings({ name, log, backups, archives }, terminal) {
  const hasOld = backups.length + archives.length > 0;
  if (hasOld && (log?.sizeBytes ?? 0) === 0) {
    return [
      fail(
        'log',
        `${name}: ${log ? 'the log is empty' : 'there is no log'}, and there are backups of it`,
        'A compaction leaves a log and its backups, so somebody emptied or removed the log.',
        '`progressive-storage repair` shows what the backups have and the data lacks.',
      ),
    ];
  }
  if (!log) {
    return [
      info(
        'log',
        `${name}: a JSON file without a log`,
        'The data is older than the log, or the log was deleted. The first write takes the data over.',
      ),
    ];
  }
  const progress = terminal.progress(`Reading ${name}.log`, log.sizeBytes, { unit: bytes });
  const found = await examine(log.path, { progress });
  progress.end();
  if (!found) return [];
  const findings = [...damageFindings(name, found), ...tornFindings(name, found)];
  if (findings.length > 0) return findings;
  const entries = plural(found.entries, 'entry', 'entries');
  return [ok('log', `${name}: ${entries}, ${bytes(found.sizeBytes)}, all lines are good`)];
}

function damageFindings(name, { damaged, lines }) {
  if (damaged.length === 0) return [];
  const count = plural(damaged.length, 'damaged line');
  return [
    fail(
      'damage',
      `${name}: ${count} of ${lines}; the first is ${describeDamage(damaged[0])}`,
      'All other lines are used. The next write sets the damaged ones aside.',
      damaged.some(({ isCheckpoint }) => isCheckpoint)
        ? 'What a CHECKPOINT held is in the backups: `progressive-storage repair` offers it. Check the disk.'
        : '`progressive-storage verify` shows them, `repair` what can be recovered. If it happens again, check the disk.',
    ),
  ];
}

function tornFindings(name, { torn }) {
  if (!torn) return [];
  return [
    info(
      'torn',
      `${name}: the log ends with a line that was cut short (line ${torn.line}, byte ${torn.offset})`,
      'A crash does that. The line was never acknowledged; the next write sets it aside.',
    ),
  ];
}

function besideFindings({ name, log, backups, corrupt, brokenMirrors }) {
  const findings = [];
  if (corrupt.length + brokenMirrors.length > 0) {
    const files = [...corrupt, ...brokenMirrors].map((file) => path.basename(file.path)).join(', ');
    findings.push(
      info(
        'set-aside',
        `${name}: set aside earlier: ${files}`,
        'Kept until you delete them. `progressive-storage repair` shows what can be recovered.',
      ),
    );
  }
  if (log && log.sizeBytes > 1 << 20 && backups.length === 0) {
    findings.push(
      info(
        'backups',
        `${name}: no backup`,
        'The first compaction makes one. A copy of the folder in another place is worth more.',
      ),
    );
  }
  return findings;
}

async function mirrorFindings(name, mirror) {
  try {
    await eachMember(mirror.path, { onMember: () => {} });
    return [];
  } catch (error) {
    if (error.code) throw error;
  }
  return [
    warn(
      'mirror',
      `${name}.json is not a JSON object`,
      'The log is used; the next write sets the file aside and writes a new one.',
      'If you have just edited it, correct the mistake before the bot writes.',
    ),
  ];
}

// Temporary files of a process that was killed.
function leftovers(dataDir) {
  const old = [];
  for (const folder of [dataDir, path.join(dataDir, 'logs')]) {
    const names = statSync(folder, { throwIfNoEntry: false })?.isDirectory() ? readdirSync(folder) : [];
    for (const name of names.filter((file) => LEFTOVER.test(file))) {
      const stat = statSync(path.join(folder, name), { throwIfNoEntry: false });
      if (stat && Date.now() - stat.mtimeMs > DAY_MS) old.push(name);
    }
  }
  if (old.length === 0) return [];
  return [
    info(
      'leftovers',
      `Left by a killed process: ${old.join(', ')}`,
      'They are not needed. The bot removes its own at its next start; while it is stopped, you can delete them.',
    ),
  ];
}
