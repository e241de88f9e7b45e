// `verify` on a server: the keys of each log are what its entries come to, and their versions are those of the entries.

import { equal } from '../../lib/values.mjs';
import { EXIT } from '../support/errors.mjs';
import { count, plural } from '../support/format.mjs';

const TRIES = 5;
const SHOWN_MAX = 20;

export async function verifyServer({ terminal, atEnd }, place, names) {
  const report = { ...place.report, logs: [], ok: true };
  const storage = place.open(atEnd);
  terminal.title(`Logs in the ${place.title}`);
  for (const { name, counts } of await place.counted(names)) {
    const found = await terminal.waiting(`Reading ${name}`, verifyLog(place, storage, name));
    report.logs.push({ name, ...found });
    const text = `${name}: ${plural(counts.entries, 'entry', 'entries')}, ${plural(found.keys, 'key')}`;
    terminal.check({ ok: found.ok, text, details: found.problems });
  }
  report.ok = report.logs.every(({ ok }) => ok);
  if (report.logs.length === 0) terminal.line('  There are none.');
  if (!report.ok) {
    terminal.line();
    terminal.line('Somebody changed the tables by other means. `history` shows what is recorded of a key.');
  }
  terminal.result(report);
  return report.ok ? EXIT.ok : EXIT.found;
}

// A bot may be writing: what is read twice counts where the last entry is the same before and after.
async function verifyLog(place, storage, name) {
  for (let attempt = 1; ; attempt++) {
    const [before] = await place.ask('problems', name);
    const now = Object.fromEntries(await storage.collection(name).entries());
    const replayed = await storage.rebuildStateFromLog(name);
    const [after] = await place.ask('problems', name);
    if (before.lastSeq !== after.lastSeq && attempt < TRIES) continue;
    const isCertain = before.lastSeq === after.lastSeq;
    const problems = problemsOf(after);
    if (isCertain) problems.push(...differences(now, replayed));
    else problems.push('It is written to all the time, so its keys were not compared with its entries.');
    return { ok: problems.length === 0, keys: Object.keys(now).length, compared: isCertain, problems };
  }
}

function problemsOf({ withoutEntry, outOfOrder, changesTwice }) {
  const problems = [];
  for (const key of withoutEntry) problems.push(`${key}: no entry has its version`);
  for (const key of outOfOrder) problems.push(`${key}: its version is not above the one before`);
  if (changesTwice > 0) problems.push(`${plural(changesTwice, 'change')} applied twice`);
  return problems;
}

function differences(now, replayed) {
  const own = (state, key) => (Object.hasOwn(state, key) ? state[key] : undefined);
  const keys = [...new Set([...Object.keys(now), ...Object.keys(replayed)])];
  const found = keys.filter((key) => !equal(own(now, key), own(replayed, key)));
  const texts = found
    .slice(0, SHOWN_MAX)
    .map((key) => `${JSON.stringify(key)}: its value is not that of its entries`);
  if (found.length > SHOWN_MAX) texts.push(`${count(found.length - SHOWN_MAX)} keys more`);
  return texts;
}
