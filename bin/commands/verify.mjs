// `verify`: checks every line of every log, and its checksum.

import { statSync } from 'node:fs';
import path from 'node:path';
import { eachMember } from '../../lib/members.mjs';
import { verifyServer } from '../server/verify.mjs';
import { plainFile } from '../support/contents.mjs';
import { EXIT } from '../support/errors.mjs';
import { describeDamage, examine } from '../support/examine.mjs';
import { bytes, plural } from '../support/format.mjs';
import { vanishedLogs } from '../support/log-files.mjs';
import { placeOf, placeOptions } from '../support/place.mjs';

export const summary = 'check every line and checksum; names line, offset and key of damage';
export const usage = '[path] [options]';
export const help = `
Reads every line of the logs below path (a data folder or a bot's folder; default: the current folder) and
checks its checksum. A line without one (of the old module, or yours) must be a JSON object, and so must each
JSON file. Nothing is changed, and a bot may be running. Exit code 1 when something is damaged or torn, or
when a log was emptied or removed: beside its backups, or together with its JSON file.

On a server there are no lines. There the keys must be what the entries come to, and each key must have the version
of its last entry.
`;
export const examples = [
  ['all logs of the data in this folder', 'progressive-storage verify'],
  ['backups and archives too', 'progressive-storage verify bot/ --backups'],
];
export const positionals = { max: 1 };
export const options = {
  ...placeOptions,
  log: { type: 'string', multiple: true, value: 'NAME', description: 'only this log (may be given again)' },
  backups: { type: 'boolean', description: 'check backups and archives too' },
};

export async function run({ terminal, options, positionals, cwd, atEnd }) {
  const place = await placeOf({ options, cwd }, positionals[0]);
  if (place.isServer) return verifyServer({ terminal, atEnd }, place, options.log);
  const { dataDir } = place;
  const report = { dataDir, files: [], ok: true };
  terminal.title(`Logs in ${dataDir}`);
  for (const log of await place.logs(options.log)) {
    const files = [log.log, ...(options.backups ? [...log.backups, ...log.archives] : [])].filter(Boolean);
    for (const file of files) report.files.push(await verifyLog(terminal, file, atEnd));
    if (isEmptied(log)) report.files.push(showEmptied(terminal, log));
    if (log.mirror) report.files.push(await verifyMirror(terminal, log.mirror));
  }
  for (const name of options.log ? [] : vanishedLogs(dataDir)) {
    const problem = 'its log and its JSON file are gone';
    terminal.check({ ok: false, text: `${name}: ${problem}` });
    report.files.push({ file: null, log: name, ok: false, problem });
  }
  report.ok = report.files.every(({ ok }) => ok);
  if (!report.ok) {
    terminal.line();
    terminal.line('The next write sets damaged lines and torn ends aside; all other lines are used.');
    terminal.line('`progressive-storage repair` shows what can be recovered.');
  } else if (report.files.length === 0) terminal.line('  There are none.');
  terminal.result(report);
  return report.ok ? EXIT.ok : EXIT.found;
}

// A compaction leaves a log and its backups. So where the log is missing or empty, somebody removed or emptied it.
const isEmptied = ({ log, backups, archives }) =>
  backups.length + archives.length > 0 && (log?.sizeBytes ?? 0) === 0;

function showEmptied(terminal, { name, log }) {
  const problem = `${log ? 'the log is empty' : 'there is no log'}, and there are backups of it`;
  terminal.check({
    ok: false,
    text: `${name}: ${problem}`,
    details: ['`progressive-storage repair` shows what the backups have and the data lacks.'],
  });
  return { file: log?.path ?? null, log: name, ok: false, problem };
}

async function verifyLog(terminal, file, atEnd) {
  const name = path.basename(file.path);
  let plain;
  try {
    plain = await plainFile(terminal, file, atEnd);
  } catch (error) {
    if (error.code !== 'ERR_BACKUP_CORRUPT') throw error;
    terminal.check({ ok: false, text: `${name}: damaged`, details: [error.message, error.hint] });
    return { file: file.path, ok: false, problem: error.message };
  }
  const progress = terminal.progress(`Reading ${name}`, statSync(plain).size, { unit: bytes });
  const found = await examine(plain, { progress });
  progress.end();
  if (found === null) return { file: file.path, ok: true, isGone: true };
  const ok = found.damaged.length === 0 && found.torn === null;
  const parts = [plural(found.entries, 'entry', 'entries'), bytes(found.sizeBytes)];
  if (found.plain > 0) parts.push(`${found.plain} without a checksum`);
  if (found.damaged.length > 0) parts.push(terminal.red(`${found.damaged.length} damaged`));
  const details = found.damaged.map((damage) => describeDamage(damage));
  if (found.damaged.some(({ isCheckpoint }) => isCheckpoint))
    details.push('What a CHECKPOINT held is in the backups: `progressive-storage repair` offers it.');
  if (found.torn) details.push(`${describeDamage(found.torn)} (the end of the log, as a crash leaves it)`);
  terminal.check({ ok, text: `${name}: ${parts.join(', ')}`, details });
  return { file: file.path, ok, ...found };
}

async function verifyMirror(terminal, file) {
  const name = path.basename(file.path);
  let problem = null;
  const keys = new Set();
  const progress = terminal.progress(`Reading ${name}`, file.sizeBytes, { unit: bytes });
  try {
    await eachMember(file.path, { onMember: (key) => keys.add(key), progress });
  } catch (error) {
    problem = error.message;
  }
  progress.end();
  const ok = problem === null;
  const text = ok ? `${name}: ${plural(keys.size, 'key')}, ${bytes(file.sizeBytes)}` : `${name}: ${problem}`;
  terminal.check({
    ok,
    text,
    details: ok ? [] : ['The log is used instead; the next write writes the file anew.'],
  });
  return { file: file.path, ok, keys: keys.size, problem };
}
