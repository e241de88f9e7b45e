// What damage has cost a log.
//
// A key is lost where a damaged line changed it and no later line sets it again. Damaged lines are in the log, or in
// files that were set aside earlier.
//
// Any key may be lost (`isKeyUnknown`) where a damaged line names no key, such as a CHECKPOINT, and where the log
// itself was emptied, cut or removed (`isBeheaded`).

import { examine } from '../support/examine.mjs';
import { bytes } from '../support/format.mjs';
import { eachChange, eachLine } from '../support/lines.mjs';

// `{ damaged, torn, isBeheaded, isKeyUnknown, keys, deleted }`. `keys` maps each lost key to what the damaged line would have
// set, where that can be read: `{ value, expiresAt }`. `deleted` are the keys that the log removes.
export async function lossesOf(terminal, log) {
  const { examined, later, deleted, damages } = await readLog(terminal, log);
  const damaged = examined?.damaged ?? [];
  const hasOld = log.backups.length + log.archives.length > 0;
  // A log that a compaction wrote begins with a checkpoint, and has backups.
  const isBeheaded = hasOld && damaged.length === 0 && !examined?.beginsWithCheckpoint;
  const lost = {
    damaged,
    torn: examined?.torn ?? null,
    isBeheaded,
    isKeyUnknown: isBeheaded || damaged.some(({ isCheckpoint }) => isCheckpoint),
    keys: new Map(),
    deleted,
  };
  for (const file of log.corrupt) {
    await eachLine(file.path, {
      want: { entries: false, changes: true },
      onLine: (line) => {
        // Its place in the log is no longer known, so times decide what came later.
        const ms = Date.parse(line.time ?? '');
        addLosses(lost, line, (key) => later.get(key)?.ms >= (Number.isNaN(ms) ? file.number : ms));
      },
    });
  }
  for (const damage of damages) addLosses(lost, damage, (key) => later.get(key)?.line > damage.line);
  return lost;
}

// The damaged lines of the log, and for each key where and when the log sets it last.
async function readLog(terminal, log) {
  let read;
  const expiries = new Map();
  const begin = () => {
    read = { later: new Map(), deleted: new Set(), damages: [] };
    expiries.clear();
  };
  begin();
  const progress = terminal.progress(`Reading ${log.name}.log`, log.log?.sizeBytes ?? 0, { unit: bytes });
  const examined =
    log.log &&
    (await examine(log.log.path, {
      want: { changes: true },
      onEntry: (line) =>
        eachChange(line, expiries, (key, value) => {
          read.later.set(key, { line: line.line, ms: Date.parse(line.time ?? '') });
          if (value === undefined) read.deleted.add(key);
          else read.deleted.delete(key);
        }),
      onDamage: (line) => read.damages.push(line),
      onRestart: begin,
      progress,
    }));
  progress.end();
  return { examined, ...read };
}

function addLosses(lost, { state, changes = [], key, isPartOfLine }, isSetAgain) {
  const members = changes.filter((change) => change.length > 1);
  if (members.length === 0 && key !== undefined) members.push([key, undefined]);
  // Garbage that only replaced a line break has cost nothing.
  if (members.length === 0 && state !== 'empty' && !isPartOfLine) lost.isKeyUnknown = true;
  for (const [name, value, expiresAt] of members)
    if (!isSetAgain(name)) lost.keys.set(name, { value, expiresAt });
}
