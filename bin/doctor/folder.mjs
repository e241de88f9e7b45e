// The data folder: whether it is readable and writable, who owns it, and which processes use it.

import { accessSync, constants, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { markOf } from '../migration/mark.mjs';
import { failureText } from '../support/errors.mjs';
import { logsIn } from '../support/log-files.mjs';
import { processesUsing } from '../support/processes.mjs';
import { noteOf, unfinishedTransaction } from '../support/transaction-note.mjs';
import { fail, info, ok, unchecked, warn } from './finding.mjs';

const SHOWN_MAX = 5;

export function folderFindings({ dataDir }) {
  return [
    ...movedFindings(dataDir),
    ...transactionFindings(dataDir),
    ...accessFindings(dataDir),
    ...ownerFindings(dataDir, statSync(dataDir)),
    ...userFindings(dataDir),
  ];
}

function movedFindings(dataDir) {
  const mark = markOf(dataDir);
  if (!statSync(mark, { throwIfNoEntry: false })) return [];
  const where = may(mark, constants.R_OK) ? `: ${readFileSync(mark, 'utf8').trim()}` : '';
  return [
    fail(
      'moved',
      `The data was moved to another place${where}`,
      'The files here are as they were then. A bot that is started here gets ERR_MOVED.',
      `Give the bot that place. To go on here as it was, remove '${mark}'.`,
    ),
  ];
}

function transactionFindings(dataDir) {
  let logs;
  try {
    logs = unfinishedTransaction(dataDir);
  } catch (error) {
    return [
      unchecked(
        'transaction',
        `The note of transactions cannot be read: ${failureText(error)}`,
        'Whether a crash cut a transaction short is known only from it, and the store reads no log without it.',
        `Let the bot's user read '${noteOf(dataDir)}'.`,
      ),
    ];
  }
  if (logs === undefined) return [];
  const meaning =
    'A process is writing it just now, or a crash cut it short. Readers see all of it, and the next write appends what a log lacks.';
  return [info('transaction', `A transaction over ${logs} is noted in '${noteOf(dataDir)}'`, meaning)];
}

export function nearestFolder(folder) {
  let parent = folder;
  while (!statSync(parent, { throwIfNoEntry: false })) parent = path.dirname(parent);
  return parent;
}

function may(file, mode) {
  try {
    accessSync(file, mode);
    return true;
  } catch {
    return false;
  }
}

// The folders of the store and the files of its logs.
function partsOf(dataDir) {
  const files = logsIn(dataDir).flatMap(({ log, mirror }) =>
    [log, mirror].filter(Boolean).map((file) => file.path),
  );
  const folders = [dataDir, path.join(dataDir, 'logs'), path.join(dataDir, '.progressive-storage')].filter(
    (folder) => statSync(folder, { throwIfNoEntry: false }),
  );
  return { files, folders };
}

const shown = (list) =>
  list.slice(0, SHOWN_MAX).join(', ') +
  (list.length > SHOWN_MAX ? ` and ${list.length - SHOWN_MAX} more` : '');

function accessFindings(dataDir) {
  const { files, folders } = partsOf(dataDir);
  const noRead = [
    ...folders.filter((folder) => !may(folder, constants.R_OK | constants.X_OK)),
    ...files.filter((file) => !may(file, constants.R_OK)),
  ];
  const noWrite = [...folders, ...files].filter((file) => !may(file, constants.W_OK));
  const user = process.getuid ? `user ${process.getuid()}` : 'this user';
  const findings = [];
  if (noRead.length > 0) {
    findings.push(
      fail(
        'readable',
        `Not readable: ${shown(noRead)}`,
        'The bot cannot load its data.',
        `Let ${user} read it (chown, chmod).`,
      ),
    );
  }
  if (noWrite.length > 0) {
    findings.push(
      fail(
        'writable',
        `Not writable: ${shown(noWrite)}`,
        'Reading works, but every write is rejected with EACCES or EROFS.',
        `Let ${user} write to it (chown, chmod), or mount it writable.`,
      ),
    );
  }
  if (findings.length === 0) findings.push(ok('permissions', `${user} may read and write everything`));
  return findings;
}

function ownerFindings(dataDir, stat) {
  if (!process.getuid) return [];
  const findings = [];
  const uid = process.getuid();
  const { files, folders } = partsOf(dataDir);
  const strange = [...folders, ...files].filter((file) => statSync(file).uid !== stat.uid);
  // Permissions do not stop root, so only the owners can show a problem. What root creates belongs to the folder's
  // owner.
  if (uid === 0 && strange.length > 0) {
    findings.push(
      warn(
        'owner',
        `The folder belongs to user ${stat.uid}, but not these in it: ${shown(strange)}`,
        'If the bot runs as the user who owns the folder, writing may fail with EACCES.',
        `chown -R ${stat.uid} '${dataDir}'`,
      ),
    );
  }
  if (uid !== 0 && stat.uid !== uid) {
    findings.push(
      warn(
        'owner',
        `The folder belongs to user ${stat.uid}, this is user ${uid}`,
        'Files that this user makes may not be writable for the other one, and the bot then fails with EACCES.',
        'Run this, and the bot, as the user who owns the folder.',
      ),
    );
  }
  if (stat.mode & 0o002 && !(stat.mode & 0o1000)) {
    findings.push(
      warn(
        'world-writable',
        'Everybody on this machine may write to the folder',
        'Any program here can change or delete the data.',
        `chmod o-w '${dataDir}'`,
      ),
    );
  }
  return findings;
}

function userFindings(dataDir) {
  const { isKnown, open } = processesUsing({ dataDir });
  const holder = lastHolder(dataDir);
  if (!isKnown) {
    return [
      unchecked(
        'users',
        'Who uses the folder: this system does not show it',
        holder ? `It was last written by process ${holder}.` : undefined,
        'Several processes of one machine may share it; those of two machines may not.',
      ),
    ];
  }
  if (open.length === 0) {
    const whose = process.getuid() === 0 ? '' : ' of this user';
    return [ok('users', `No process${whose} has files of the folder open, and nobody holds its lock`)];
  }
  const meaning = 'That is fine: several processes of one machine may share a folder.';
  return open.map(({ pid, command }) => {
    const wrote = holder === pid ? ', the last one that took the lock' : '';
    return info(
      'users',
      `In use by ${pid === null ? 'an unknown process' : `process ${pid}`}${wrote}: ${command}`,
      open.length > 1 ? meaning : undefined,
    );
  });
}

// The process that took the lock last. It may have ended: the kernel releases its lock then.
function lastHolder(dataDir) {
  try {
    const text = readFileSync(path.join(dataDir, '.progressive-storage', 'lock'), 'utf8');
    return Number(text.match(/^process (\d+)/)?.[1]) || undefined;
  } catch {
    return undefined;
  }
}
