// The texts of the repository, for tests of its documents.

import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { repositoryRoot } from './temp.mjs';

export const read = (name) => readFileSync(path.join(repositoryRoot, name), 'utf8');

// The paths of all files below a folder whose names end like this.
export function filesIn(folder, ending) {
  return readdirSync(path.join(repositoryRoot, folder), { withFileTypes: true }).flatMap((entry) => {
    const name = path.posix.join(folder, entry.name);
    if (entry.isDirectory()) return filesIn(name, ending);
    return name.endsWith(ending) ? [name] : [];
  });
}
