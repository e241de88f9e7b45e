// `doctor`: looks at everything around a store that can go wrong, and says what each finding means and what to do.

import { statSync } from 'node:fs';
import path from 'node:path';
import { clockFindings } from '../doctor/clock.mjs';
import { diskFindings } from '../doctor/disk.mjs';
import { folderFindings } from '../doctor/folder.mjs';
import { logFindings } from '../doctor/logs.mjs';
import { platformFindings } from '../doctor/platform.mjs';
import { EXIT, usageError } from '../support/errors.mjs';
import { dataFolder } from '../support/folder.mjs';

export const summary = 'what can go wrong on this machine and in this folder, and what to do about it';
export const usage = '[path] [options]';
export const help = `
Looks at this machine and at the data below path (a data folder or a bot's folder; default: the current folder):
platform and binary, whether the folder may be written, free space, the file system and whether its sync is
real, whether it is kept over a restart, permissions, the clock, every line of the logs, who uses the folder,
versions. Each finding says what it means and what to do.

To try writing and syncing it makes a file of its own in the folder and removes it again; --read-only leaves
that out. Exit code 0 when all is well, 1 when there is a warning or a failure.
`;
export const positionals = { max: 1 };
export const options = {
  'read-only': { type: 'boolean', description: 'do not try to write' },
};

const MARKS = { ok: '✔', info: '·', warn: '!', fail: '✘' };

export async function run({ terminal, options, positionals, cwd, atEnd }) {
  const dataDir = folderToExamine(positionals[0], cwd);
  const isReadOnly = options['read-only'] === true;
  const report = { dataDir, findings: [], ok: true };
  terminal.title(`Data folder ${dataDir}`);
  const colours = { ok: terminal.green, info: terminal.dim, warn: terminal.yellow, fail: terminal.red };
  for (const [title, look] of [
    ['Platform', platformFindings],
    ['Folder', folderFindings],
    ['Disk', diskFindings],
    ['Clock', clockFindings],
    ['Logs', logFindings],
  ]) {
    terminal.line();
    terminal.title(title);
    for (const finding of await look({ dataDir, isReadOnly, terminal, atEnd })) {
      report.findings.push({ area: title.toLowerCase(), ...finding });
      terminal.line(`  ${colours[finding.level](MARKS[finding.level])} ${finding.what}`);
      for (const text of [finding.meaning, finding.advice]) if (text) terminal.line(`      ${text}`);
    }
  }
  const numbers = (level) => report.findings.filter((finding) => finding.level === level).length;
  report.ok = numbers('fail') === 0 && numbers('warn') === 0;
  terminal.line();
  terminal.line(report.ok ? 'All is well.' : `${numbers('fail')} failed, ${numbers('warn')} to look at.`);
  terminal.result(report);
  return report.ok ? EXIT.ok : EXIT.found;
}

// Also a folder that is not there yet: the first write makes it.
function folderToExamine(given, cwd) {
  try {
    return dataFolder(given, cwd);
  } catch (error) {
    const base = path.resolve(cwd, given ?? '.');
    if (!statSync(path.dirname(base), { throwIfNoEntry: false })?.isDirectory()) throw error;
    const stat = statSync(base, { throwIfNoEntry: false });
    if (stat && !stat.isDirectory()) throw usageError(`'${base}' is not a folder.`);
    return given === undefined ? path.join(base, 'data') : base;
  }
}
