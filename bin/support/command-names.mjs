// The names of the commands, as the program and the completion of shells list them.

import { readdirSync } from 'node:fs';

export const COMMANDS = new URL('../commands/', import.meta.url);

export function commandNames() {
  return readdirSync(COMMANDS)
    .filter((name) => name.endsWith('.mjs'))
    .map((name) => name.slice(0, -'.mjs'.length))
    .sort();
}
