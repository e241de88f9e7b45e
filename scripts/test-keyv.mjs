// `npm run test:keyv`: Keyv's own test suite on `progressive-storage/keyv`, in a folder, and on a PostgreSQL server where there
// is one. The suite, Keyv and Vitest are installed from the npm registry into target/keyv, at fixed versions; they are no
// development dependencies, so that `npm ci` stays small.
//
// The addon must be built (`npm run build`).

import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startServer, whyNoServer } from './postgres/index.mjs';
import { root, run } from './tools.mjs';

const VERSIONS = { '@keyv/test-suite': '2.1.2', keyv: '5.6.0', vitest: '4.1.12' };
const folder = join(root, 'target', 'keyv');

mkdirSync(folder, { recursive: true });
writeFileSync(join(folder, 'package.json'), JSON.stringify({ private: true, dependencies: VERSIONS }));
// The suite names a database that needs a build of its own, and does not use it.
run('npm', ['install', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'], { cwd: folder });
cpSync(join(root, '__test__', 'keyv', 'suite.mjs'), join(folder, 'suite.test.mjs'));

function runSuite(place) {
  const env = { ...process.env, KEYV_PLACE: place, KEYV_REPOSITORY: root };
  run('npx', ['vitest', 'run', '--root', folder, '--no-file-parallelism'], { cwd: folder, env });
}

const data = mkdtempSync(join(tmpdir(), 'progressive-storage-keyv-'));
try {
  runSuite(join(data, 'data'));
} finally {
  rmSync(data, { recursive: true, force: true, maxRetries: 3 });
}
const why = whyNoServer();
if (why) console.log(`Keyv's suite on a server was left out: ${why}.`);
else {
  const server = await startServer();
  try {
    runSuite(server.ownerUrl);
  } finally {
    await server.remove();
  }
}
