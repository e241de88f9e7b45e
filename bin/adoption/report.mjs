// What `adopt` and `revert` share: their options, and the parts of their report that are the same.

import path from 'node:path';
import { confirmOptions } from '../support/confirm.mjs';
import { ignoreProcessOption } from './running.mjs';

// `dataDescription` says what the option --data is for.
export function adoptionOptions(dataDescription) {
  return {
    ...confirmOptions,
    'dry-run': {
      type: 'boolean',
      description: 'run the checks, show what would be done, and change nothing',
    },
    services: {
      type: 'string',
      value: 'DIR',
      description: 'the folder of the two files, where it is not found',
    },
    data: { type: 'string', value: 'DIR', description: dataDescription },
    'ignore-process': ignoreProcessOption,
  };
}

export function reportOn(bot) {
  const { root, servicesDir, dataDir } = bot;
  return { root, services: servicesDir, dataDir, checks: [], changed: [], done: false };
}

export function showChanged(terminal, { root, changed }) {
  terminal.line();
  terminal.line('Changed:');
  for (const file of changed) terminal.line(`  ${path.relative(root, file) || file}`);
}
