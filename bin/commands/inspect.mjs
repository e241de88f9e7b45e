// `inspect`: what the logs of a folder hold, how much of it is live, how old it is, and which files belong to them.

import path from 'node:path';
import { inspectServer } from '../server/inspect.mjs';
import { examine } from '../support/examine.mjs';
import { bytes, count, duration, percent, plural } from '../support/format.mjs';
import { eachChange } from '../support/lines.mjs';
import { placeOf, placeOptions } from '../support/place.mjs';

export const summary = 'sizes, entries, keys, live and dead share, ages, checkpoints, backups';
export const usage = '[path] [options]';
export const help = `
Shows for each log below path (a data folder, a bot's folder or a server; default: the current folder): its size, entries
and keys; which share of it is live (what its checkpoint would hold) and which is dead (older values and removed
keys); the times of its oldest and newest entry; checkpoints, backups, and what was set aside. Nothing is
changed, and a bot may be running.
`;
export const examples = [
  ['all logs of the data in this folder', 'progressive-storage inspect'],
  ['one log of the bot in bot/', 'progressive-storage inspect bot/ --log guilds'],
];
export const positionals = { max: 1 };
export const options = {
  ...placeOptions,
  log: { type: 'string', multiple: true, value: 'NAME', description: 'only this log (may be given again)' },
};

export async function run({ terminal, options, positionals, cwd }) {
  const place = await placeOf({ options, cwd }, positionals[0]);
  if (place.isServer) return inspectServer(terminal, place, options.log);
  const report = { ...place.report, logs: [] };
  terminal.title(place.title);
  for (const log of await place.logs(options.log)) {
    const found = await inspectLog(terminal, log);
    report.logs.push(found);
    terminal.line();
    show(terminal, found);
  }
  if (report.logs.length === 0) terminal.line('  There are no logs.');
  terminal.result(report);
  return undefined;
}

async function inspectLog(terminal, log) {
  const sizes = new Map();
  const expiries = new Map();
  const progress = terminal.progress(`Reading ${log.name}.log`, log.log?.sizeBytes ?? 0, { unit: bytes });
  const found =
    log.log &&
    (await examine(log.log.path, {
      want: { changes: true },
      onEntry: (line) =>
        eachChange(line, expiries, (key, value) => {
          if (value === undefined) sizes.delete(key);
          else
            sizes.set(
              key,
              Buffer.byteLength(JSON.stringify(value)) + Buffer.byteLength(JSON.stringify(key)) + 2,
            );
        }),
      onRestart: () => {
        sizes.clear();
        expiries.clear();
      },
      progress,
    }));
  progress.end();
  // What is over is there for nobody, though no line has removed it yet.
  for (const [key, expiresAt] of expiries) if (expiresAt <= Date.now()) sizes.delete(key);
  const liveBytes = [...sizes.values()].reduce((sum, size) => sum + size, 0);
  const total = found?.sizeBytes ?? 0;
  const liveShare = total === 0 ? 1 : Math.min(1, liveBytes / total);
  const files = (list) => ({
    number: list.length,
    sizeBytes: list.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
    oldest: list.length > 0 ? isoOf(list[0].number) : null,
    newest: list.length > 0 ? isoOf(list.at(-1).number) : null,
    files: list.map(({ path: file, sizeBytes, number }) => ({ file, sizeBytes, at: isoOf(number) })),
  });
  return {
    name: log.name,
    log: found && { file: log.log.path, ...found },
    keys: sizes.size,
    liveBytes,
    liveShare,
    deadShare: 1 - liveShare,
    mirror: log.mirror && {
      file: log.mirror.path,
      sizeBytes: log.mirror.sizeBytes,
      modified: new Date(log.mirror.modifiedMs).toISOString(),
    },
    backups: files(log.backups),
    archives: files(log.archives),
    corrupt: files(log.corrupt),
    torn: files(log.torn),
    brokenMirrors: files(log.brokenMirrors),
  };
}

const isoOf = (ms) => {
  const date = new Date(ms);
  return Number.isNaN(date.getTime()) ? null : date.toISOString();
};

function show(terminal, found) {
  const now = Date.now();
  const age = (iso) => {
    const ms = now - Date.parse(iso);
    return Number.isNaN(ms) ? iso : `${iso} (${ms < 0 ? 'in the future' : `${duration(ms)} ago`})`;
  };
  terminal.title(found.name);
  const { log } = found;
  if (log) {
    terminal.fact(
      'log',
      `${bytes(log.sizeBytes)}, ${plural(log.entries, 'entry', 'entries')}, ${plural(found.keys, 'key')}`,
    );
    terminal.fact(
      'live',
      `${percent(found.liveShare)} (${bytes(found.liveBytes)}); ${percent(found.deadShare)} dead`,
    );
    if (log.oldest) {
      terminal.fact('oldest entry', age(log.oldest));
      terminal.fact('newest entry', age(log.newest));
    }
    terminal.fact('checkpoints', count(log.checkpoints));
    if (log.plain > 0) terminal.fact('without checksum', plural(log.plain, 'line'));
    if (log.damaged.length > 0)
      terminal.fact('damaged', `${plural(log.damaged.length, 'line')}; see \`verify\``);
    if (log.torn) terminal.fact('torn', `line ${log.torn.line}, byte ${log.torn.offset}`);
  } else terminal.fact('log', 'none');
  terminal.fact(
    'JSON file',
    found.mirror ? `${bytes(found.mirror.sizeBytes)}, ${age(found.mirror.modified)}` : 'none',
  );
  for (const [label, list] of [
    ['backups', found.backups],
    ['archives', found.archives],
    ['damage set aside', found.corrupt],
    ['torn lines set aside', found.torn],
    ['broken JSON files', found.brokenMirrors],
  ]) {
    if (list.number === 0) continue;
    terminal.fact(label, `${count(list.number)}, ${bytes(list.sizeBytes)}, newest ${age(list.newest)}`);
    for (const { file } of list.files) terminal.line(`${' '.repeat(25)}${terminal.dim(path.basename(file))}`);
  }
}
