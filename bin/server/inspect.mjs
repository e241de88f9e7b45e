// `inspect` on a server: what its logs hold, and which generations of entries are kept.

import { bytes, count, duration, percent, plural } from '../support/format.mjs';

const isoOf = (ms) => (ms === null ? null : new Date(ms).toISOString());

export async function inspectServer(terminal, place, names) {
  const report = { ...place.report, logs: [] };
  terminal.title(place.title);
  for (const { name, counts } of await place.counted(names)) {
    const generations = (await place.ask('generations', name)).map(({ seq, atMs, oldestMs, ...rest }) => ({
      seq,
      begun: isoOf(atMs ?? oldestMs),
      ...rest,
    }));
    const { keys, entries, sizeBytes, liveBytes, oldestMs, newestMs } = counts;
    const liveShare = sizeBytes === 0 ? 1 : Math.min(1, liveBytes / sizeBytes);
    const times = { oldest: isoOf(oldestMs), newest: isoOf(newestMs) };
    report.logs.push({ name, keys, entries, sizeBytes, liveBytes, liveShare, ...times, generations });
    terminal.line();
    show(terminal, report.logs.at(-1));
  }
  if (report.logs.length === 0) terminal.line('  There are no logs.');
  terminal.result(report);
}

function show(terminal, found) {
  const age = (iso) => {
    const ms = Date.now() - Date.parse(iso);
    return `${iso} (${ms < 0 ? 'in the future' : `${duration(ms)} ago`})`;
  };
  terminal.title(found.name);
  terminal.fact(
    'log',
    `${bytes(found.sizeBytes)}, ${plural(found.entries, 'entry', 'entries')}, ${plural(found.keys, 'key')}`,
  );
  terminal.fact('live', `${percent(found.liveShare)} (${bytes(found.liveBytes)})`);
  if (found.oldest) {
    terminal.fact('oldest entry', age(found.oldest));
    terminal.fact('newest entry', age(found.newest));
  }
  terminal.fact('generations', count(found.generations.length));
  for (const { begun, entries, sizeBytes } of found.generations) {
    const text = `from ${begun}: ${plural(entries, 'entry', 'entries')}, ${bytes(sizeBytes)}`;
    terminal.line(`${' '.repeat(25)}${terminal.dim(text)}`);
  }
}
