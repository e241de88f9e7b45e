// The JavaScript test files: each folder of `__test__` with test files is an area. The other folders hold what tests
// use.

import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './tools.mjs';

const FOLDER = '__test__';
const testsIn = (area) => readdirSync(join(root, FOLDER, area)).filter((name) => name.endsWith('.test.mjs'));

/** The names of all areas, in the order in which Node's runner takes them: it sorts files by their paths. */
export const AREAS = readdirSync(join(root, FOLDER), { withFileTypes: true })
  .filter((entry) => entry.isDirectory() && testsIn(entry.name).length > 0)
  .map(({ name }) => name)
  .sort();

/** The paths of these areas' test files, such as `__test__/api/storage.test.mjs`. */
export const testFiles = (areas = AREAS) =>
  areas.flatMap((area) =>
    testsIn(area)
      .sort()
      .map((name) => `${FOLDER}/${area}/${name}`),
  );
