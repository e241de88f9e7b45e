// Examines a log file: its counts, its damaged lines, its torn end.

import { plural } from './format.mjs';
import { eachLine } from './lines.mjs';

// Counts what a log file holds, and lists every line that is not good; null where there is no such file. Calls
// `onEntry` with the line of each entry and `onDamage` with each damaged line; `want` as for `eachLine`.
export async function examine(
  file,
  { onEntry = () => {}, onDamage = () => {}, onRestart = () => {}, progress, want } = {},
) {
  let examination = new Examination(onEntry, onDamage);
  const read = await eachLine(file, {
    onLine: (line) => examination.add(line),
    onRestart: () => {
      examination = new Examination(onEntry, onDamage);
      onRestart();
    },
    progress,
    want: { entries: false, ...want },
  });
  return read && examination.end(read);
}

class Examination {
  #onEntry;
  #onDamage;
  // The operation of several lines that is not complete yet: where it starts, and how many lines are missing.
  #operation = null;
  found = {
    lines: 0,
    entries: 0,
    checked: 0,
    plain: 0,
    checkpoints: 0,
    edits: 0,
    // Whether the first entry is a checkpoint, as in every log that a compaction wrote.
    beginsWithCheckpoint: false,
    damaged: [],
    torn: null,
    oldest: null,
    newest: null,
    sizeBytes: 0,
  };

  constructor(onEntry, onDamage) {
    this.#onEntry = onEntry;
    this.#onDamage = onDamage;
  }

  add(line) {
    if (line.state === 'empty') return;
    this.found.lines += 1;
    if (line.state === 'damaged' || line.state === 'torn') this.#addDamage(line);
    else if (line.endsOperation) this.#operation = null;
    else {
      count(this.found, line);
      this.#operation = line.more
        ? { start: this.#operation?.start ?? placeOf(line), more: line.more }
        : null;
      this.#onEntry(line);
    }
  }

  #addDamage(line) {
    if (line.state === 'torn') this.found.torn = { ...placeOf(line), reason: 'it was cut short' };
    else {
      this.found.damaged.push(placeOf(line));
      this.#onDamage(line);
    }
    if (!this.#operation) return;
    if (!line.isPartOfLine) this.#operation.more -= 1;
    // The damage is reported as such; what the operation lacks behind it needs no second report.
    const isCutShort = line.state === 'damaged' && !line.isTerminated;
    if (this.#operation.more <= 0 || isCutShort) this.#operation = null;
  }

  end(read) {
    this.found.sizeBytes = read.sizeBytes;
    if (this.#operation) endWithin(this.found, this.#operation.start, read);
    return this.found;
  }
}

function placeOf({ line, offset, sizeBytes, key, reason, isCheckpoint }) {
  return { line, offset, sizeBytes, key: key ?? null, reason, isCheckpoint: isCheckpoint ?? false };
}

function count(found, line) {
  if (found.entries === 0) found.beginsWithCheckpoint = line.isCheckpoint ?? false;
  found.entries += 1;
  found[line.state] += 1;
  if (line.isEdit) found.edits += 1;
  if (line.isCheckpoint) found.checkpoints += 1;
  if (typeof line.time === 'string') {
    found.oldest ??= line.time;
    found.newest = line.time;
  }
}

// The file ends within an operation of several lines. A crash can leave an entry like that, but never a checkpoint:
// that is damage.
function endWithin(found, start, { sizeBytes, next }) {
  if (!start.isCheckpoint) {
    const { line, offset } = start;
    const reason = 'its operation of several lines is not complete';
    found.torn = { line, offset, sizeBytes: sizeBytes - offset, key: null, reason, isCheckpoint: false };
    return;
  }
  const { line, offset } = found.torn ?? { line: next.line, offset: sizeBytes };
  found.torn = null;
  const reason = 'the rest of the CHECKPOINT is missing';
  found.damaged.push({ line, offset, sizeBytes: sizeBytes - offset, key: null, reason, isCheckpoint: true });
}

// One damaged line as text: where it is, its key, and what is wrong.
export function describeDamage({ line, offset, sizeBytes, key, reason }) {
  const named = key === null ? '' : `, key ${JSON.stringify(key)}`;
  return `line ${line}, byte ${offset}, ${plural(sizeBytes, 'byte')}${named}: ${reason}`;
}
