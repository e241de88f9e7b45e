// The health of the logs and of what stands beside them.

import { readdirSync, statSync } from 'node:fs';
import path from 'node:path';
import { eachMember } from '../../lib/members.mjs';
import { failureText } from '../support/errors.mjs';
import { describeDamage, examine } from '../support/examine.mjs';
import { logsIn, vanishedLogs } from '../support/folder.mjs';
import { bytes, plural } from '../support/format.mjs';
import { fail, info, ok, unchecked, warn } from './finding.mjs';

const DAY_MS = 86_400_000;
const LEFTOVER = /\.tmp$/;

export async function logFindings({ dataDir, terminal }) {
  const logs = logsIn(dataDir);
  const findings = vanishedLogs(dataDir).map((name) =>
    warn(
      'gone',
      `${name}: its log and its JSON file are gone`,
      'The store kept both here. Somebody removed them, so the bot begins without this data.',
      'If that was not meant: stop the bot, and put them back from a copy or a backup (`progressive-storage repair`).',
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
          'It could not be read, so nobody knows whether it is well.',
          'See to the cause, and run this again.',
        ),
      );
    }
    for (const file of log.odd) {
      findings.push(
        fail(
          'not-a-file',
          `${log.name}: '${file}' is not a file`,
          'A folder, a device or a link to nothing stands where a log or JSON file should.',
          'Move it away, and put the file there if you have it.',
        ),
      );
    }
  }
  if (logs.some(({ backups, archives }) => backups.length + archives.length > 0)) {
    findings.push(info('old-logs', 'Backups and archives are not read here; `verify --backups` does'));
  }
  findings.push(...leftovers(dataDir));
  return findings;
}

async function logFinding({ name, log, mirror, backups, archives, corrupt, brokenMirrors }, terminal) {
  const findings = [];
  const hasOld = backups.length + archives.length > 0;
  if (hasOld && (log?.sizeBytes ?? 0) === 0) {
    findings.push(
      fail(
        'log',
        `${name}: ${log ? 'the log is empty' : 'there is no log'}, and there are backups of it`,
        'A compaction leaves a log and its backups, so somebody emptied or removed it.',
        'See with `progressive-storage repair` what the backups have and the data lacks.',
      ),
    );
  } else if (!log) {
    findings.push(
      info(
        'log',
        `${name}: a JSON file without a log`,
        'Data of before there was a log, or the log was deleted. It is taken over with the first write.',
      ),
    );
  } else {
    const progress = terminal.progress(`Reading ${name}.log`, log.sizeBytes, bytes);
    const found = await examine(log.path, { progress });
    progress.end();
    if (found && found.damaged.length > 0) {
      findings.push(
        fail(
          'damage',
          `${name}: ${plural(found.damaged.length, 'damaged line')} of ${found.lines}; the first is ${describeDamage(found.damaged[0])}`,
          'All other lines are used. The damaged ones are set aside by the next write.',
          found.damaged.some(({ isCheckpoint }) => isCheckpoint)
            ? 'What a CHECKPOINT held is in the backups: `progressive-storage repair` offers it. Check the disk.'
            : 'Look at them with `progressive-storage verify`, and at what can be had back with `repair`. If it happens again, check the disk.',
        ),
      );
    }
    if (found?.torn) {
      findings.push(
        info(
          'torn',
          `${name}: the log ends with a line that was cut short (line ${found.torn.line}, byte ${found.torn.offset})`,
          'A crash does that. It was never acknowledged; the next write moves it aside.',
        ),
      );
    }
    if (found && findings.length === 0) {
      findings.push(
        ok(
          'log',
          `${name}: ${plural(found.entries, 'entry', 'entries')}, ${bytes(found.sizeBytes)}, all lines are good`,
        ),
      );
    }
  }
  if (mirror) findings.push(...(await mirrorFindings(name, mirror)));
  if (corrupt.length + brokenMirrors.length > 0) {
    const files = [...corrupt, ...brokenMirrors].map((file) => path.basename(file.path)).join(', ');
    findings.push(
      info(
        'set-aside',
        `${name}: set aside earlier: ${files}`,
        'Kept until you delete them. `progressive-storage repair` shows what can be had back.',
      ),
    );
  }
  if (log && log.sizeBytes > 1 << 20 && backups.length === 0) {
    findings.push(
      info(
        'backups',
        `${name}: no backup`,
        'There is one after the first compaction. A copy of the folder elsewhere is worth more.',
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
      'The log is used; the next write sets the file aside and makes it anew.',
      'If you have just edited it, mend the mistake before the bot writes.',
    ),
  ];
}

// Files that a killed process was writing.
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
      'They are of no use; the next start of the bot removes its own, and you may delete them while it is stopped.',
    ),
  ];
}
