// Keyv's own test suite, unchanged, on `KeyvStorage`. `npm run test:keyv` copies this file to where the suite is installed and
// runs it with Vitest; the environment says where the data is: KEYV_PLACE is a folder or the url of a server.

import path from 'node:path';
import keyvTestSuite, { keyvIteratorTests } from '@keyv/test-suite';
import Keyv from 'keyv';
import * as test from 'vitest';

const { KeyvStorage } = await import(path.join(process.env.KEYV_REPOSITORY, 'lib', 'keyv.js'));
const place = process.env.KEYV_PLACE;
const options = place.includes('://') ? { url: place } : { dataDir: place };
const stores = [];
const store = () => {
  const made = new KeyvStorage(options);
  stores.push(made);
  return made;
};

test.afterAll(() => Promise.all(stores.map((made) => made.disconnect())));

keyvTestSuite(test, Keyv, store);
keyvIteratorTests(test, Keyv, store);
