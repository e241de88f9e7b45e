// What the commands make of keys that end by themselves, in a folder. `postgres/ends` has the same on a server.

import { Storage } from '../../index.js';
import { runCli, runCliJson } from '../support/cli.mjs';
import { testEnds } from '../support/ends.mjs';
import { openStorage } from '../support/temp.mjs';

testEnds(async (t) => {
  const { storage, dataDir } = await openStorage(t, Storage);
  const env = { PROGRESSIVE_STORAGE_DIR: dataDir };
  return {
    storage,
    run: (...args) => runCliJson(t, args, { env }),
    text: (...args) => runCli(t, args, { env }),
  };
});
