// The logs that a command works on: those that `--log` names, or all.

import { checkReadable } from './data-folder.mjs';
import { placeError } from './errors.mjs';
import { logsIn } from './log-files.mjs';
import { nearest } from './nearest.mjs';

// The command ends (exit code 5) where a log is missing or cannot be read.
export function chosenLogs(dataDir, names) {
  const all = logsIn(dataDir);
  const chosen =
    names === undefined || names.length === 0 ? all : names.map((name) => named(all, name, dataDir));
  for (const { log, mirror, odd } of chosen) {
    if (odd.length > 0) {
      throw placeError(
        'ERR_NOT_A_FILE',
        `'${odd[0]}' is not a file.`,
        'A folder, a device or a link to nothing stands there; move it away.',
      );
    }
    for (const file of [log, mirror]) if (file) checkReadable(file.path);
  }
  return chosen;
}

function named(all, name, dataDir) {
  const found = all.find((log) => log.name === name);
  if (found) return found;
  const names = all.map((log) => log.name);
  const meant = nearest(name, names);
  throw placeError(
    'ERR_NO_LOG',
    `There is no log '${name}' in '${dataDir}'.${meant ? ` Did you mean '${meant}'?` : ''}`,
    `The logs there: ${names.join(', ') || 'none'}.`,
  );
}

// One log by its name; the default is players.
export function chosenLog(dataDir, name = 'players') {
  return chosenLogs(dataDir, [name])[0];
}
