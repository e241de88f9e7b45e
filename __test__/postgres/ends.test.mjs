// What the commands make of keys that end by themselves, on a server. `tools/ends` has the same in a folder.

import { after, before } from 'node:test';
import { startServer, whyNoServer } from '../../scripts/postgres/index.mjs';
import { runCli, runCliJson } from '../support/cli.mjs';
import { testEnds } from '../support/ends.mjs';
import { newSchema, opened } from '../support/server-scene.mjs';

const skip = whyNoServer();
let server;

before(async () => {
  if (!skip) server = await startServer();
});
after(() => server?.remove());

testEnds(
  async (t) => {
    const schema = newSchema();
    const { storage } = opened(t, { url: server.url, schema });
    const env = { PROGRESSIVE_STORAGE_URL: server.url };
    return {
      storage,
      run: (...args) => runCliJson(t, [...args, '--schema', schema], { env }),
      text: (...args) => runCli(t, [...args, '--schema', schema], { env }),
    };
  },
  { skip },
);
