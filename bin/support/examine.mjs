// Examining a log file: its counts, its damaged lines, its torn end.

import { plural } from './format.mjs';
import { eachLine } from './lines.mjs';

// What a log file is made of, and every line that is not good. `onEntry` is called with the line of each entry,
// `onDamage` with each damaged one; `told` says what they have beside their place.
export async function examine(
  file,
  { onEntry = () => {}, onDamage = () => {}, onRestart = () => {}, progress, told } = {},
) {
  let found;
  let operation;
  const begin = () => {
    operation = null;
    found = {
      lines: 0,
      entries: 0,
      checked: 0,
      plain: 0,
      checkpoints: 0,
      edits: 0,
      // Whether the first entry is a checkpoint, as in every log that a compaction left backups of.
      beginsWithCheckpoint: false,
      damaged: [],
      torn: null,
      oldest: null,
      newest: null,
      sizeBytes: 0,
    };
  };
  begin();
  const read = await eachLine(file, {
    onLine: (line) => {
      if (line.state === 'empty') return;
      if (line.state === 'damaged' || line.state === 'torn') {
        if (line.state === 'torn') found.torn = { ...placeOf(line), reason: 'it was cut short' };
        else {
          found.damaged.push(placeOf(line));
          onDamage(line);
        }
        if (operation && !line.isPartOfLine) operation.more -= 1;
        // One that is cut short tells itself that the rest is missing.
        if (operation && (operation.more <= 0 || (line.state === 'damaged' && !line.isTerminated)))
          operation = null;
      } else if (line.endsOperation) operation = null;
      else {
        count(found, line);
        if (line.more) operation = { start: operation?.start ?? placeOf(line), more: line.more };
        else operation = null;
        onEntry(line);
      }
      found.lines += 1;
    },
    onRestart: () => {
      begin();
      onRestart();
    },
    progress,
    told: { entries: false, ...told },
  });
  if (read === null) return null;
  found.sizeBytes = read.sizeBytes;
  if (operation) endWithin(found, operation.start, read);
  return found;
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

// The file ends within an operation of several lines: a crash leaves an entry so, but never a checkpoint.
function endWithin(found, start, { sizeBytes, next }) {
  if (!start.isCheckpoint) {
    const { line, offset } = start;
    const reason = 'its operation of several lines was not finished';
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
