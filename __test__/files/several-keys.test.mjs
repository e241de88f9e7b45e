// Several keys at once in files: the lines that they leave, what is left of them at every byte at which a log may end, and
// what the old module makes of them. `api/several-keys` tests what the calls answer.

import assert from 'node:assert/strict';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { Storage } from '../../index.js';
import {
  logPath,
  oldModuleUrl,
  openCollection,
  readLogLines,
  runScript,
  temporaryFolder,
} from '../support/temp.mjs';

const masked = (lines) =>
  lines.map((line) => line.replace(/"timestamp":"[^"]*",|,"_crc":"[0-9a-f]{8}"/g, ''));

test('values that are set are one line, and removals with them are one operation', async (t) => {
  const { collection, dataDir } = await openCollection(t, Storage);
  await collection.setMany({ ann: 5, ben: 1 });
  await collection.updateMany(['ann', 'ben'], ({ ann, ben }) => ({ ann: ann - 2, ben: ben + 2 }));
  await collection.updateMany(['ann', 'ben', 'cid'], ({ ann }) => ({ ann: undefined, cid: ann }));
  await collection.deleteMany(['ben', 'nobody', 'cid']);
  assert.deepEqual(masked(await readLogLines(dataDir, 'coins')), [
    '{"op":"SET","data":{"ann":5,"ben":1}}',
    '{"op":"SET","data":{"ann":3,"ben":3}}',
    '{"op":"SET","key":"cid","value":3,"_more":2}',
    '{"op":"DELETE","key":"ann","_more":1}',
    '{"op":"END","_end":true}',
    '{"op":"DELETE","key":"ben","_more":2}',
    '{"op":"DELETE","key":"cid","_more":1}',
    '{"op":"END","_end":true}',
  ]);
});

test('what changes nothing writes nothing', async (t) => {
  const { collection, dataDir } = await openCollection(t, Storage);
  await collection.setMany({ ann: 5 });
  const lines = await readLogLines(dataDir, 'coins');
  await collection.setMany({});
  await collection.deleteMany(['nobody']);
  await collection.updateMany(['ann', 'ben'], () => ({}));
  await collection.updateMany(['ann', 'ben'], () => ({ ben: undefined }));
  const refused = collection.updateMany(['ann', 'ben'], () => {
    throw new RangeError('on purpose');
  });
  await assert.rejects(refused, RangeError);
  assert.deepEqual(await readLogLines(dataDir, 'coins'), lines);
});

test('the function of updateMany runs once while nobody else writes', async (t) => {
  const { collection } = await openCollection(t, Storage);
  await collection.setMany({ ann: 5 });
  const seen = [];
  const give = (values) => {
    seen.push({ ...values });
    return { ann: values.ann - 1, ben: (values.ben ?? 0) + 1 };
  };
  await collection.updateMany(['ann', 'ben'], give);
  await collection.updateMany(['ann', 'ben'], give);
  let refusals = 0;
  const refuse = () => {
    refusals++;
    throw new RangeError('on purpose');
  };
  await assert.rejects(collection.updateMany(['ann', 'nobody'], refuse), RangeError);
  assert.deepEqual(seen, [{ ann: 5 }, { ann: 4, ben: 1 }]);
  assert.equal(refusals, 1);
});

test('wherever the log ends, all of the keys were changed or none', async (t) => {
  const { collection, storage, dataDir } = await openCollection(t, Storage);
  const before = { ann: 5, ben: 1 };
  const after = { ben: 3, cid: 3 };
  await collection.setMany(before);
  const { length: start } = await readFile(logPath(dataDir, 'coins'));
  await collection.updateMany(['ann', 'ben', 'cid'], () => ({ ann: undefined, ...after }));
  await storage.close();
  const whole = await readFile(logPath(dataDir, 'coins'));
  const found = new Set();
  for (let end = start; end <= whole.length; end++) {
    const cut = path.join(await temporaryFolder(t), 'data');
    await mkdir(path.join(cut, 'logs'), { recursive: true });
    await writeFile(logPath(cut, 'coins'), whole.subarray(0, end));
    const again = new Storage({ dataDir: cut, fsync: 'never', logger: null });
    const entries = Object.fromEntries(await again.collection('coins').entries());
    // The line break of the last line may be missing.
    assert.deepEqual(entries, end >= whole.length - 1 ? after : before, `${end} of ${whole.length} bytes`);
    found.add(JSON.stringify(entries));
    await again.close();
  }
  assert.equal(found.size, 2);
});

test('the old module reads the same values', async (t) => {
  const { collection, storage, dataDir } = await openCollection(t, Storage);
  await collection.setMany({ ann: 5, ben: 1, dan: 4 });
  await collection.updateMany(['ann', 'ben', 'cid'], ({ ann, ben }) => ({
    ann: undefined,
    ben: ann + ben,
    cid: 1,
  }));
  await collection.deleteMany(['dan', 'cid']);
  await storage.close();
  const source = `const { rebuildStateFromLog } = await import('${oldModuleUrl}append-log.mjs');
    console.log(JSON.stringify(await rebuildStateFromLog('coins')));`;
  const { stdout, stderr } = await runScript(t, { source, env: { OLD_DATA_DIR: dataDir } });
  assert.equal(stderr, '');
  assert.deepEqual(JSON.parse(stdout), { ben: 6 });
});
