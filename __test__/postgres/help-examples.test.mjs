// The examples in the help texts of `postgres` and `migrate`, run as they stand by a shell, with the url of a server in the
// environment. `__test__/tools/help-examples` runs those of the other commands.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import * as migrate from '../../bin/commands/migrate.mjs';
import * as postgres from '../../bin/commands/postgres.mjs';
import { startServer, whyNoServer } from '../../scripts/postgres/index.mjs';
import { preparedFolder, runLine } from '../support/help-examples.mjs';

const skip = whyNoServer();

let server;
before(async () => {
  if (!skip) server = await startServer();
});
after(() => server?.remove());

// In their order: a move begins with tables, and ends with a folder that is marked as moved.
for (const [, line] of [...postgres.examples, ...migrate.examples]) {
  test(line, { skip }, async (t) => {
    const folder = await preparedFolder(t);
    const env = { PROGRESSIVE_STORAGE_URL: server.ownerUrl };
    const { code, stdout, stderr } = await runLine(t, line, { folder, env });
    assert.equal(code, 0, stdout + stderr);
    if (!line.endsWith('migrate data/ env --yes')) return;
    const moved = await runLine(t, 'progressive-storage get 43', { folder, env });
    assert.equal(JSON.parse(moved.stdout).username, 'Ben');
    const left = await runLine(t, 'progressive-storage get 43 data', { folder });
    assert.match(left.stderr, /moved/);
  });
}
