// `doctor`: checks everything around a store that can go wrong, and says what each finding means and what to do.

import { clockFindings } from '../doctor/clock.mjs';
import { diskFindings } from '../doctor/disk.mjs';
import { unchecked } from '../doctor/finding.mjs';
import { folderFindings } from '../doctor/folder.mjs';
import { logFindings } from '../doctor/logs.mjs';
import { platformFindings } from '../doctor/platform.mjs';
import { SERVER_AREAS } from '../server/doctor.mjs';
import { EXIT, failureText } from '../support/errors.mjs';
import { plural } from '../support/format.mjs';
import { givenUrl, placeOf, placeOptions } from '../support/place.mjs';

export const summary = 'what can go wrong on this machine and in this place, and what to do about it';
export const usage = '[path] [options]';
export const help = `
Checks this machine and the data below path (a data folder or a bot's folder; default: the current folder):
versions, platform and binary, permissions, who uses the folder, free space, the file system, whether its sync
is real and its data survives a restart, the clock, and every line of the logs. Each finding says what it means
and what to do.

Of a server it checks: version, encoding, encryption, syncs, what the role may do, standbys, the clock, the version
of the tables, their size, and how far back their entries go.

To try writing and syncing, it creates a file of its own in the folder and removes it again; --read-only leaves
that out. Exit code 0 when all is well, 1 when there is a warning or a failure, 5 when there is no data to
check, 6 when nothing is wrong but something could not be checked.
`;
export const examples = [
  ['this machine, and the data in this folder', 'progressive-storage doctor'],
  ['the same without a file that is written and removed', 'progressive-storage doctor bot/ --read-only'],
];
export const positionals = { max: 1 };
export const options = {
  ...placeOptions,
  'read-only': { type: 'boolean', description: 'do not try to write' },
};

const MARKS = { ok: '✔', info: '·', skipped: '·', unchecked: '?', warn: '!', fail: '✘' };

const FOLDER_AREAS = [
  ['Folder', folderFindings],
  ['Disk', diskFindings],
  ['Clock', clockFindings],
  ['Logs', logFindings],
];

// A server without tables is checked too.
const isServerGiven = (options, given) => givenUrl(options, given) !== undefined;

export async function run({ terminal, options, positionals, cwd, atEnd }) {
  const askedMs = Date.now();
  const place = await placeOf({ options, cwd }, positionals[0], {
    mayBegin: isServerGiven(options, positionals[0]),
  });
  const { dataDir } = place;
  const context = { dataDir, place, askedMs, answeredMs: Date.now(), terminal, atEnd };
  const isReadOnly = options['read-only'] === true;
  const report = { ...place.report, findings: [], ok: true };
  terminal.title(place.isServer ? `The ${place.title}` : `Data folder ${dataDir}`);
  const colours = {
    ok: terminal.green,
    info: terminal.dim,
    skipped: terminal.dim,
    unchecked: terminal.yellow,
    warn: terminal.yellow,
    fail: terminal.red,
  };
  for (const [title, check] of [
    ['Platform', platformFindings],
    ...(place.isServer ? SERVER_AREAS : FOLDER_AREAS),
  ]) {
    terminal.line();
    terminal.title(title);
    for (const finding of await findingsOf(title, check, { ...context, isReadOnly })) {
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
  terminal.line(verdict({ failed: of('fail').length, warned: of('warn').length, ...report }));
  for (const what of report.unchecked) terminal.line(`  not checked: ${what}`);
  for (const what of report.skipped) terminal.line(`  left out: ${what}`);
  terminal.result(report);
  if (isFound) return EXIT.found;
  return report.unchecked.length > 0 ? EXIT.unchecked : EXIT.ok;
}

// An area that fails is a finding itself. The other areas are still checked.
async function findingsOf(title, check, context) {
  try {
    return await check(context);
  } catch (error) {
    return [
      unchecked(
        'area',
        `${title}: this could not be checked: ${failureText(error)}`,
        'Its state is unknown.',
        'Remove the cause, and run this again.',
      ),
    ];
  }
}

function verdict({ failed, warned, unchecked: notChecked, skipped }) {
  const checked = notChecked.length === 0 ? '' : `, ${plural(notChecked.length, 'thing')} not checked`;
  if (failed + warned > 0) return `${failed} failed, ${warned} to check${checked}.`;
  if (notChecked.length > 0)
    return `Nothing was found, but ${plural(notChecked.length, 'thing')} could not be checked.`;
  return skipped.length > 0 ? 'All that was checked is well.' : 'All is well.';
}
