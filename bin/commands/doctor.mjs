// `doctor`: looks at everything around a store that can go wrong, and says what each finding means and what to do.

import { clockFindings } from '../doctor/clock.mjs';
import { diskFindings } from '../doctor/disk.mjs';
import { unchecked } from '../doctor/finding.mjs';
import { folderFindings } from '../doctor/folder.mjs';
import { logFindings } from '../doctor/logs.mjs';
import { platformFindings } from '../doctor/platform.mjs';
import { EXIT, failureText } from '../support/errors.mjs';
import { dataFolder } from '../support/folder.mjs';
import { plural } from '../support/format.mjs';

export const summary = 'what can go wrong on this machine and in this folder, and what to do about it';
export const usage = '[path] [options]';
export const help = `
Looks at this machine and at the data below path (a data folder or a bot's folder; default: the current folder):
platform and binary, whether the folder may be written, free space, the file system and whether its sync is
real, whether it is kept over a restart, permissions, the clock, every line of the logs, who uses the folder,
versions. Each finding says what it means and what to do.

To try writing and syncing it makes a file of its own in the folder and removes it again; --read-only leaves
that out. Exit code 0 when all is well, 1 when there is a warning or a failure, 5 when there is no data to look at,
6 when nothing was found and something could not be checked.
`;
export const positionals = { max: 1 };
export const options = {
  'read-only': { type: 'boolean', description: 'do not try to write' },
};

const MARKS = { ok: '✔', info: '·', skipped: '·', unchecked: '?', warn: '!', fail: '✘' };

export async function run({ terminal, options, positionals, cwd, atEnd }) {
  const dataDir = dataFolder(positionals[0], cwd);
  const isReadOnly = options['read-only'] === true;
  const report = { dataDir, findings: [], ok: true };
  terminal.title(`Data folder ${dataDir}`);
  const colours = {
    ok: terminal.green,
    info: terminal.dim,
    skipped: terminal.dim,
    unchecked: terminal.yellow,
    warn: terminal.yellow,
    fail: terminal.red,
  };
  for (const [title, look] of [
    ['Platform', platformFindings],
    ['Folder', folderFindings],
    ['Disk', diskFindings],
    ['Clock', clockFindings],
    ['Logs', logFindings],
  ]) {
    terminal.line();
    terminal.title(title);
    for (const finding of await findingsOf(title, look, { dataDir, isReadOnly, terminal, atEnd })) {
      report.findings.push({ area: title.toLowerCase(), ...finding });
      terminal.line(`  ${colours[finding.level](MARKS[finding.level])} ${finding.what}`);
      for (const text of [finding.meaning, finding.advice]) if (text) terminal.line(`      ${text}`);
    }
  }
  const of = (level) => report.findings.filter((finding) => finding.level === level);
  const whats = (level) => of(level).map(({ what }) => what);
  const isFound = of('fail').length + of('warn').length > 0;
  report.unchecked = whats('unchecked');
  report.skipped = whats('skipped');
  report.ok = !isFound && report.unchecked.length === 0;
  terminal.line();
  terminal.line(verdict(of('fail').length, of('warn').length, report));
  for (const what of report.unchecked) terminal.line(`  not checked: ${what}`);
  for (const what of report.skipped) terminal.line(`  left out: ${what}`);
  terminal.result(report);
  if (isFound) return EXIT.found;
  return report.unchecked.length > 0 ? EXIT.unchecked : EXIT.ok;
}

// One area that fails takes nothing from the others, and is no area without findings.
async function findingsOf(title, look, context) {
  try {
    return await look(context);
  } catch (error) {
    return [
      unchecked(
        'area',
        `${title}: this could not be checked: ${failureText(error)}`,
        'Nobody knows whether it is well.',
        'See to the cause, and run this again.',
      ),
    ];
  }
}

function verdict(failed, warned, { unchecked: notChecked, skipped }) {
  const checked = notChecked.length === 0 ? '' : `, ${plural(notChecked.length, 'thing')} not checked`;
  if (failed + warned > 0) return `${failed} failed, ${warned} to look at${checked}.`;
  if (notChecked.length > 0)
    return `Nothing was found, but ${plural(notChecked.length, 'thing')} could not be checked.`;
  return skipped.length > 0 ? 'All that was checked is well.' : 'All is well.';
}
