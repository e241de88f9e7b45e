// `compact`: replaces logs by their checkpoints, as the scheduler does. A bot may be running.

import { EXIT, placeError } from '../support/errors.mjs';
import { bytes } from '../support/format.mjs';
import { bytesToRead } from '../support/log-files.mjs';
import { placeOf, placeOptions } from '../support/place.mjs';

export const summary = 'replace logs by their checkpoints; the old ones stay as backups';
export const usage = '[path] [options]';
export const help = `
Compacts the logs below path (a data folder or a bot's folder; default: the current folder). The old log is kept
as a backup. No older backup is removed here: the bot's next compaction does that, as its options say. A bot may
be running: what it writes meanwhile is in the new log.

On a server the checkpoint begins a new generation of entries. The newest three old ones stay, and others that ended
less than a day ago.
`;
export const examples = [
  ['all logs of the data in this folder', 'progressive-storage compact'],
  ['one log of the bot in bot/', 'progressive-storage compact bot/ --log players'],
];
export const positionals = { max: 1 };
export const options = {
  ...placeOptions,
  log: { type: 'string', multiple: true, value: 'NAME', description: 'only this log (may be given again)' },
};

export async function run({ terminal, options, positionals, cwd, atEnd }) {
  const place = await placeOf({ options, cwd }, positionals[0]);
  const chosen = await place.logs(options.log);
  const logs = chosen.filter(({ log }) => log !== null);
  const without = chosen.find(({ log }) => log === null);
  if (options.log && without)
    throw placeError(
      'ERR_NO_LOG',
      `There is no log '${without.name}' in '${place.title}': only its JSON file or old logs of it.`,
      'The first write of the bot starts one.',
    );
  const report = { ...place.report, logs: [], ok: true };
  const storage = place.open(atEnd);
  for (const log of logs) {
    const { name } = log;
    try {
      const before = await terminal.waiting(`Reading ${name}`, storage.getLogSize(name), bytesToRead(log));
      // The checkpoint is about as large as the live data. A JSON file that is behind is written too.
      const toMove = place.isServer ? 0 : storage.metrics().logs[name].liveBytes;
      await terminal.waiting(`Compacting ${name}`, storage.compactLog(name), toMove);
      const after = await storage.getLogSize(name);
      terminal.check({ ok: true, text: `${name}: ${bytes(before)} → ${bytes(after)}` });
      report.logs.push({ name, ok: true, beforeBytes: before, afterBytes: after });
    } catch (error) {
      terminal.check({ ok: false, text: `${name}: ${error.message}`, details: ['The log is as it was.'] });
      report.logs.push({ name, ok: false, error: { code: error.code, message: error.message } });
      report.ok = false;
    }
  }
  if (logs.length === 0) terminal.line('There are no logs.');
  terminal.result(report);
  return report.ok ? EXIT.ok : EXIT.failed;
}
