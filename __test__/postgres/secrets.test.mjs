// The password of a server is nowhere to be seen: not in an error, an event, a metric, a warning, an inspected object, nor
// in what a process prints when it fails, in whichever way it fails and wherever the password came from.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { DATABASE, startServer, whyNoServer } from '../../scripts/postgres/index.mjs';
import { runScript, temporaryFolder } from '../support/temp.mjs';

const skip = whyNoServer();
const server = skip ? null : await startServer();
after(() => server?.remove());

const CHILD = fileURLToPath(new URL('../children/server-secrets.mjs', import.meta.url));
// With characters that a url has to write otherwise.
const CANARY = 'c4nary@of/the:mine?#%';
const SPELLINGS = [CANARY, encodeURIComponent(CANARY), 'c4nary', Buffer.from(CANARY).toString('base64')];

await server?.psql(`CREATE ROLE spy LOGIN PASSWORD '${CANARY}'`);
await server?.psql(`GRANT CREATE ON DATABASE ${DATABASE} TO spy`);
await server?.psql("CREATE DATABASE latin ENCODING 'LATIN1' TEMPLATE template0");
await server?.psql('CREATE DATABASE closed');

/** What fails, or not: the user, where, and the code that the errors have. A call that waits in vain has a short time. */
const CASES = {
  nothing: { code: null },
  'the password': { user: 'bot', code: 'ERR_SERVER_LOGIN' },
  'the user': { user: 'nobody', code: 'ERR_SERVER_LOGIN' },
  'the database': { database: 'missing', code: 'ERR_SERVER_DATABASE' },
  'the encoding': { database: 'latin', code: 'ERR_SERVER_ENCODING' },
  'the rights': { database: 'closed', code: 'ERR_SERVER_RIGHTS' },
  TLS: { query: '?sslmode=require', code: 'ERR_SERVER_TLS' },
  'the certificate': { query: '?sslmode=verify-full&sslrootcert=/missing', code: 'ERR_INVALID_ARG_VALUE' },
  // Nobody listens at port 1.
  'the port': { port: 1, timeoutMs: 700, code: 'ERR_TIMEOUT' },
  'the host': { host: 'host.invalid', timeoutMs: 700, code: 'ERR_TIMEOUT' },
  'an option of the url': { query: '?sslmod=require', code: 'ERR_INVALID_ARG_VALUE' },
  'the port in the url': { port: 'x', code: 'ERR_INVALID_ARG_VALUE' },
  'the option schema': { schema: 'A B', code: 'ERR_INVALID_ARG_VALUE' },
};

/** The password in the url, in the variable with the url, in PGPASSWORD, in the password file. */
async function given(
  t,
  carrier,
  { user = 'spy', host = '127.0.0.1', port, database = DATABASE, query = '', schema, timeoutMs = 20_000 },
) {
  const place = `${host}:${port ?? server.port}/${database}${query}`;
  const options = { timeoutMs, ...(schema && { schema }) };
  const withSecret = `postgres://${user}:${encodeURIComponent(CANARY)}@${place}`;
  const url = `postgres://${user}@${place}`;
  if (carrier === 'url') return { options: { ...options, url: withSecret }, env: {} };
  if (carrier === 'variable') return { options, env: { PROGRESSIVE_STORAGE_URL: withSecret } };
  if (carrier === 'PGPASSWORD') return { options: { ...options, url }, env: { PGPASSWORD: CANARY } };
  const file = path.join(await temporaryFolder(t), 'passwords');
  fs.writeFileSync(file, `*:*:*:*:${CANARY.replaceAll(/[\\:]/g, '\\$&')}\n`, { mode: 0o600 });
  return { options: { ...options, url }, env: { PGPASSFILE: file } };
}

/** The cases for each place that a password comes from; the others are for the url. */
const OF_EACH = ['nothing', 'the password', 'the port', 'an option of the url'];

const WAYS = ['natural', 'rejection', 'throw', 'exit'];
let runs = 0;

for (const carrier of ['url', 'variable', 'PGPASSWORD', 'file']) {
  test(`a password in the ${carrier}`, { skip }, async (t) => {
    for (const [what, wrong] of Object.entries(CASES)) {
      // Wherever it came from, it goes the same ways after that.
      if (carrier !== 'url' && !OF_EACH.includes(what)) continue;
      const { options, env } = await given(t, carrier, wrong);
      const way = WAYS[runs++ % WAYS.length];
      const args = [JSON.stringify(options), way];
      const { stdout, stderr } = await runScript(t, { file: CHILD, args, env });
      const output = stdout + stderr;
      if (wrong.code) assert.ok(output.includes(wrong.code), `${what} is wrong: ${output.slice(0, 400)}`);
      else assert.ok(!output.includes('ERR_'), `${what} is wrong: ${output.slice(0, 400)}`);
      for (const spelling of SPELLINGS) {
        const at = output.indexOf(spelling);
        assert.ok(at < 0, `${what} is wrong (${way}): ${output.slice(Math.max(0, at - 300), at + 100)}`);
      }
    }
  });
}
