// `snapshot`: a copy of all data as it is at one moment, and a command to run with it. A bot may be running.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { EXIT, Stop, usageError } from '../support/errors.mjs';
import { bytes, plural } from '../support/format.mjs';
import { placeOf, placeOptions } from '../support/place.mjs';

export const summary = 'a copy of all data as it is at one moment, while the bot runs';
export const usage = 'FOLDER [path] [options]';
export const help = `
Copies the data below path (a data folder, a bot's folder or a server; default: the current folder) to FOLDER, as it
is at one moment: logs, JSON files, backups and archives. FOLDER must not be there, or be empty; it appears when the
copy is complete, synced, read back and checked. Backups and archives get a second name there where the disk can do
that. Of a server, FOLDER gets every entry. A bot may be running.

With --run, the command is run by the shell once the copy is there, with its path in the variable SNAPSHOT.
Should it fail, the copy stays, and this command ends with the same exit code.
`;
export const examples = [
  ['a copy of the data in this folder', 'progressive-storage snapshot backups/today'],
  [
    'the same of the bot in bot/, and an archive of it',
    `progressive-storage snapshot backups/today bot/ --run 'tar -czf today.tar.gz "$SNAPSHOT"'`,
  ],
];
export const positionals = { min: 1, max: 2 };
export const options = {
  ...placeOptions,
  run: { type: 'string', value: 'COMMAND', description: 'a shell command to run with the copy' },
};

export async function run({ terminal, options, positionals, cwd, atEnd }) {
  const [target, where] = positionals;
  if (options.run === '') throw usageError('--run is empty.', 'Give a shell command, or leave it out.');
  const place = await placeOf({ options, cwd }, where);
  // A file that this user cannot read is named before anything is copied.
  await place.logs();
  const storage = place.open(atEnd);
  const copying = storage.snapshot(path.resolve(cwd, target));
  // Should this be interrupted, the copy is still completed or removed.
  atEnd(() => copying.catch(() => {}));
  const { folder, sizeBytes, logs } = await terminal.waiting('Copying', copying, 0);
  for (const { name, entries, damagedLines, sizeBytes: size, oldLogs } of logs) {
    const old = oldLogs === 0 ? '' : `, and ${plural(oldLogs, 'old log')}`;
    const damaged = damagedLines === 0 ? '' : `; ${plural(damagedLines, 'line')} cannot be used`;
    const text = `${name}: ${plural(entries, 'entry', 'entries')}, ${bytes(size)}${old}${damaged}`;
    terminal.check({ ok: damagedLines === 0, text });
  }
  terminal.line(`Copied ${bytes(sizeBytes)} of logs to '${folder}'.`);
  const ok = logs.every(({ damagedLines }) => damagedLines === 0);
  const report = { ...place.report, folder, sizeBytes, logs, ok };
  if (options.run !== undefined) report.exitCode = await runWith(options.run, folder);
  terminal.result(report);
  if (report.exitCode) return report.exitCode;
  return ok ? EXIT.ok : EXIT.found;
}

// What the command prints goes to stderr: with --json, stdout is the report alone.
async function runWith(command, folder) {
  const env = { ...process.env, SNAPSHOT: folder };
  const child = spawn(command, { shell: true, stdio: ['ignore', 2, 2], env });
  const [code, signal] = await once(child, 'exit');
  if (signal) throw new Stop(`The command was ended by ${signal}.`, { hint: `The copy is in '${folder}'.` });
  return code;
}
