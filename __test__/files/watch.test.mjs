// watch on a folder: what other processes write, edit, compact and remove, and that nothing runs while nobody watches.

import assert from 'node:assert/strict';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { test } from 'node:test';
import { Storage } from '../../index.js';
import {
  logPath,
  mirrorPath,
  openStorage,
  packageUrl,
  runScript,
  startScript,
  waitUntil,
} from '../support/temp.mjs';

const setUp = async (t, options) => {
  const { storage, dataDir } = await openStorage(t, Storage, options);
  return { storage, dataDir, things: storage.collection('things') };
};

/** A script that has the collection open in a process of its own. */
const inProcess = (body) => `
  import { Storage } from ${JSON.stringify(packageUrl)};
  const [dataDir] = process.argv.slice(2);
  const storage = new Storage({ dataDir, fsync: 'never' });
  const things = storage.collection('things');
  ${body}
`;

const ended = async (t, dataDir, body) => {
  const { code, stderr } = await runScript(t, {
    source: inProcess(`${body}\nawait storage.close();`),
    args: [dataDir],
  });
  assert.equal(code, 0, stderr);
};

/** All changes from now on, as they come. */
async function gathered(collection, watched) {
  const changes = [];
  const end = collection.watch(watched, (change) => changes.push(change));
  // Behind the first look: what is done to the files from now on is seen.
  await collection.size();
  return { changes, end };
}

/** Each change goes on from the value of the one before. */
function assertChain(changes, first) {
  const known = new Map(first);
  for (const { key, previous, value } of changes) {
    assert.deepEqual(previous, known.get(key), `${key}: ${JSON.stringify(value)}`);
    known.set(key, value);
  }
  return known;
}

test('changes of another process are seen, each once, in order', async (t) => {
  const { dataDir, things } = await setUp(t);
  await things.set('a', 0);
  const { changes, end } = await gathered(things);
  await ended(
    t,
    dataDir,
    `for (let i = 1; i <= 50; i++) things.set('a', i); await things.delete('a'); await things.set('b', 1);`,
  );
  await waitUntil(() => changes.at(-1)?.key === 'b', { what: 'the last change' });
  assert.deepEqual(
    changes.map(({ value }) => value),
    [...Array.from({ length: 50 }, (_, i) => i + 1), undefined, 1],
  );
  assertChain(changes, [['a', 0]]);
  end();
});

test('a log that others begin is seen line by line', async (t) => {
  const { dataDir, things } = await setUp(t);
  const { changes, end } = await gathered(things);
  await ended(
    t,
    dataDir,
    `for (let i = 1; i <= 20; i++) things.set('a', i); await storage.compactLog('things'); await things.set('end', 1);`,
  );
  await waitUntil(() => changes.at(-1)?.key === 'end', { what: 'the last change' });
  assertChain(changes);
  assert.equal(changes.at(-2).value, 20);
  end();
});

test('a watch on a folder that is not there yet', async (t) => {
  const { dataDir, things } = await setUp(t);
  const { changes, end } = await gathered(things, 'a');
  await ended(t, dataDir, `await things.set('b', 1); await things.set('a', 2);`);
  await waitUntil(() => changes.length === 1, { what: 'the change' });
  assert.deepEqual([changes[0].key, changes[0].value, changes[0].previous], ['a', 2, undefined]);
  end();
});

for (const count of [0, 3]) {
  test(`compactions by another process: no change is missed or doubled, ${count} lines copied`, async (t) => {
    const { dataDir, things } = await setUp(t);
    await things.set('a', 0);
    const { changes, end } = await gathered(things);
    const rounds = 6;
    await ended(
      t,
      dataDir,
      `let n = 0;
      for (let round = 0; round < ${rounds}; round++) {
        for (let i = 0; i < 5; i++) await things.set('a', ++n);
        const compacted = storage.compactLog('things');
        for (let i = 0; i < ${count}; i++) things.set('a', ++n);
        await compacted;
        for (let i = 0; i < 5; i++) await things.set('a', ++n);
        await new Promise((resolve) => setTimeout(resolve, 60));
      }
      await things.set('end', 1);`,
    );
    await waitUntil(() => changes.at(-1)?.key === 'end', { what: 'the last change' });
    assert.deepEqual(
      changes.slice(0, -1).map(({ value }) => value),
      Array.from({ length: rounds * (10 + count) }, (_, i) => i + 1),
    );
    assertChain(changes, [['a', 0]]);
    end();
  });
}

test('several compactions between two looks: what is known is the newest, and a chain', async (t) => {
  const { dataDir, things } = await setUp(t);
  await things.set('a', 0);
  const { changes, end } = await gathered(things);
  await ended(
    t,
    dataDir,
    `for (let i = 1; i <= 40; i++) { await things.set('a', i); if (i % 4 === 0) await storage.compactLog('things'); }
    await things.set('end', 1);`,
  );
  await waitUntil(() => changes.some(({ key }) => key === 'end'), { what: 'the last change' });
  assert.deepEqual(Object.fromEntries(assertChain(changes, [['a', 0]])), { a: 40, end: 1 });
  end();
});

test('a compaction of its own and one of a quiet log are no changes', async (t) => {
  const { storage, dataDir, things } = await setUp(t);
  for (let i = 0; i < 10; i++) await things.set(`k${i}`, i);
  const { changes, end } = await gathered(things);
  await storage.compactLog('things');
  await ended(t, dataDir, `await storage.compactLog('things');`);
  await things.set('k1', 'new');
  await ended(t, dataDir, `await storage.compactLog('things'); await things.set('k2', 'new');`);
  await waitUntil(() => changes.some(({ key }) => key === 'k2'), { what: 'the last change' });
  assert.deepEqual(
    changes.map(({ key, value, previous }) => [key, value, previous]),
    [
      ['k1', 'new', 1],
      ['k2', 'new', 2],
    ],
  );
  end();
});

test('a writer that is killed: what it had acknowledged is seen once', async (t) => {
  const { dataDir, things } = await setUp(t);
  await things.set('a', 0);
  const { changes, end } = await gathered(things);
  for (let round = 0; round < 3; round++) {
    const {
      child,
      output,
      ended: over,
    } = await startScript(t, {
      source: inProcess(`
        let n = (await things.get('a')) ?? 0;
        for (;;) { await things.set('a', ++n); console.log(n); if (n % 20 === 0) storage.compactLog('things'); }`),
      args: [dataDir],
    });
    await waitUntil(() => output.stdout.split('\n').length > 50, { what: 'some writes' });
    child.kill('SIGKILL');
    await over;
  }
  await things.set('end', 1);
  await waitUntil(() => changes.at(-1)?.key === 'end', { what: 'the last change' });
  const known = assertChain(changes, [['a', 0]]);
  assert.equal(known.get('a'), await things.get('a'));
  end();
});

test('an edit of the JSON file is a change, and none once more when it is logged', async (t) => {
  const { dataDir, things } = await setUp(t);
  await things.set('a', 1);
  await things.set('b', 1);
  const { changes, end } = await gathered(things);
  await writeFile(mirrorPath(dataDir, 'things'), JSON.stringify({ a: 'edited', c: 'new' }, null, 2));
  await waitUntil(() => changes.length === 3, { what: 'three changes' });
  await things.set('d', 1);
  await ended(t, dataDir, `await things.set('e', 1);`);
  await waitUntil(() => changes.length === 5, { what: 'five changes' });
  const sorted = changes.map(({ key, value, previous }) => `${key}: ${previous} to ${value}`).sort();
  assert.deepEqual(sorted, [
    'a: 1 to edited',
    'b: 1 to undefined',
    'c: undefined to new',
    'd: undefined to 1',
    'e: undefined to 1',
  ]);
  end();
});

test('a log that was lost is no change; data that is gone is one', async (t) => {
  const { dataDir, things } = await setUp(t, { logger: null });
  await things.set('a', 1);
  await things.set('b', 2);
  const { changes, end } = await gathered(things);
  await rm(logPath(dataDir, 'things'));
  await things.set('c', 3);
  await waitUntil(() => changes.length > 0, { what: 'the change' });
  assert.deepEqual(
    changes.map(({ key, value }) => [key, value]),
    [['c', 3]],
  );
  await rm(logPath(dataDir, 'things'));
  await rm(mirrorPath(dataDir, 'things'));
  await waitUntil(() => changes.length === 4, { what: 'the removals' });
  assert.deepEqual(
    changes.slice(1).map(({ key, value, previous }) => [key, value, previous]),
    [
      ['a', undefined, 1],
      ['b', undefined, 2],
      ['c', undefined, 3],
    ],
  );
  end();
});

test('lines of another program, and a damaged one', async (t) => {
  const { dataDir, things } = await setUp(t, { logger: null });
  await things.set('a', 1);
  const { changes, end } = await gathered(things);
  const line = (value) =>
    `${JSON.stringify({ timestamp: '2026-01-01T00:00:00.000Z', op: 'SET', key: 'a', value })}\n`;
  await writeFile(logPath(dataDir, 'things'), line(2) + line(3), { flag: 'a' });
  await waitUntil(() => changes.length === 2, { what: 'two changes' });
  assert.equal(changes[0].timestamp, '2026-01-01T00:00:00.000Z');
  await writeFile(logPath(dataDir, 'things'), `garbage\n${line(4)}`, { flag: 'a' });
  await waitUntil(() => changes.length === 3, { what: 'the change behind the damage' });
  assert.deepEqual(
    changes.map(({ value, previous }) => [previous, value]),
    [
      [1, 2],
      [2, 3],
      [3, 4],
    ],
  );
  end();
});

test('a watch does not keep its process alive, and an open one does not hold up an end', async (t) => {
  const { dataDir, things } = await setUp(t);
  await things.set('a', 1);
  const { code, stdout, stderr } = await runScript(t, {
    source: inProcess(`
      things.watch(undefined, ({ key, value }) => console.log(key, value));
      await things.set('a', 2);
      await new Promise((resolve) => setTimeout(resolve, 50));
      console.log('over');`),
    args: [dataDir],
  });
  assert.equal(code, 0, stderr);
  assert.equal(stdout, 'a 2\nover\n');
});

test('nothing runs while nobody watches', async (t) => {
  const { code, stdout, stderr } = await runScript(t, {
    source: `
      import fs from 'node:fs';
      import timers from 'node:timers';
      import { createRequire } from 'node:module';
      const counts = { timers: 0, folders: 0 };
      const open = { timers: new Set(), folders: new Set() };
      const { setInterval, clearInterval, setTimeout, clearTimeout } = timers;
      timers.setInterval = (...args) => { const timer = setInterval(...args); counts.timers++; open.timers.add(timer); return timer; };
      timers.clearInterval = (timer) => { open.timers.delete(timer); clearInterval(timer); };
      timers.setTimeout = (fn, ms) => { counts.timers++; const timer = setTimeout(() => { open.timers.delete(timer); fn(); }, ms); open.timers.add(timer); return timer; };
      timers.clearTimeout = (timer) => { open.timers.delete(timer); clearTimeout(timer); };
      const { watch } = fs;
      fs.watch = (...args) => {
        const watcher = watch(...args);
        counts.folders++;
        open.folders.add(watcher);
        watcher.on('close', () => open.folders.delete(watcher));
        return watcher;
      };
      const require = createRequire(${JSON.stringify(packageUrl)});
      const { Storage } = require('./index.js');
      const storage = new Storage({ dataDir: process.argv[2], fsync: 'never' });
      const things = storage.collection('things');
      const sizes = () => [open.timers.size, open.folders.size];
      await things.set('a', 1);
      const before = { ...counts };
      const streams = [things.watch(), things.watch('a')];
      const end = things.watch({ prefix: 'a' }, () => {});
      await things.set('a', 2);
      await streams[0].next();
      const during = sizes();
      for (const stream of streams) await stream.return();
      const almost = sizes();
      end();
      const after = { ...counts };
      await new Promise((resolve) => globalThis.setTimeout(resolve, 1500));
      await things.set('a', 3);
      await new Promise((resolve) => globalThis.setTimeout(resolve, 100));
      console.log(JSON.stringify({ before, during, almost, open: sizes(), isSame: counts.timers === after.timers && counts.folders === after.folders }));
      await storage.close();`,
    args: [(await setUp(t)).dataDir],
  });
  assert.equal(code, 0, stderr);
  const found = JSON.parse(stdout);
  assert.deepEqual(found.before, { timers: 0, folders: 0 });
  assert.ok(found.during[0] >= 1 && found.during[1] === 2, stdout);
  assert.ok(found.almost[0] >= 1 && found.almost[1] === 2, 'one still watches');
  assert.deepEqual(found.open, [0, 0]);
  assert.equal(found.isSame, true);
});

test('what is watched is in the log as it is: nothing is written by it', async (t) => {
  const { dataDir, things } = await setUp(t);
  await things.set('a', 1);
  const before = await readFile(logPath(dataDir, 'things'), 'utf8');
  const { end } = await gathered(things);
  await new Promise((resolve) => setTimeout(resolve, 50));
  end();
  await things.get('a');
  assert.equal(await readFile(logPath(dataDir, 'things'), 'utf8'), before);
});

// A process that watches, in which one of the two ways to hear of others' writes does not work.
async function watchedBy(t, without) {
  const { dataDir, things } = await setUp(t);
  await things.set('a', 0);
  const {
    child,
    output,
    ended: over,
  } = await startScript(t, {
    source: `
      import fs from 'node:fs';
      import timers from 'node:timers';
      import { createRequire } from 'node:module';
      const { setInterval, setTimeout } = timers;
      ${without}
      const require = createRequire(${JSON.stringify(packageUrl)});
      const { Storage } = require('./index.js');
      const storage = new Storage({ dataDir: process.argv[2], fsync: 'never' });
      const things = storage.collection('things');
      things.watch('a', ({ previous, value }) => console.log(previous, value));
      await things.size();
      console.log('watching');
      setInterval(() => {}, 1000);`,
    args: [dataDir],
  });
  await waitUntil(() => output.stdout.includes('watching'), { what: 'the watch' });
  await things.set('a', 1);
  await waitUntil(() => output.stdout.includes('0 1'), { what: 'the change' });
  await things.set('a', 2);
  await waitUntil(() => output.stdout.includes('1 2'), { what: 'the next change' });
  child.kill();
  await over;
}

test(
  'where the system tells of changed files, the look each second is not needed',
  {
    skip: !['linux', 'darwin', 'win32'].includes(process.platform) && 'this system may not tell',
  },
  (t) => watchedBy(t, 'timers.setInterval = () => ({ unref() { return this; } });'),
);

test('where the system does not tell of changed files, a look each second finds them', (t) =>
  watchedBy(t, "fs.watch = () => { throw new Error('it does not'); };"));

test('a worker thread that writes is seen by the main thread, and the other way round', async (t) => {
  const { dataDir, things } = await setUp(t);
  const { changes, end } = await gathered(things, 'of worker');
  const { code, stdout, stderr } = await runScript(t, {
    source: `
      import { Worker, isMainThread, workerData } from 'node:worker_threads';
      import { fileURLToPath } from 'node:url';
      import { Storage } from ${JSON.stringify(packageUrl)};
      const dataDir = isMainThread ? process.argv[2] : workerData;
      const things = new Storage({ dataDir, fsync: 'never' }).collection('things');
      // A watch alone keeps no thread alive.
      const alive = setInterval(() => {}, 1000);
      if (isMainThread) {
        const worker = new Worker(fileURLToPath(import.meta.url), { workerData: dataDir });
        // It may have ended before the loop below has.
        const ended = new Promise((resolve) => worker.on('exit', resolve));
        for await (const { value } of things.watch('of worker')) {
          if (value === 3) break;
          await things.set('of main', value);
        }
        await ended;
        console.log('over');
      } else {
        const ofMain = things.watch('of main');
        await things.set('of worker', 1);
        for await (const { value } of ofMain) {
          await things.set('of worker', value + 1);
          if (value === 2) break;
        }
      }
      clearInterval(alive);`,
    args: [dataDir],
  });
  assert.equal(code, 0, stderr);
  assert.equal(stdout, 'over\n');
  await waitUntil(() => changes.length === 3, { what: 'three changes' });
  assert.deepEqual(
    changes.map(({ value }) => value),
    [1, 2, 3],
  );
  end();
});

test('what a listener throws is an uncaught exception, and the next change comes all the same', async (t) => {
  const { code, stdout, stderr } = await runScript(t, {
    source: inProcess(`
      process.on('uncaughtException', (error) => console.log(error.message));
      things.watch('a', ({ value }) => { throw new Error('at ' + value); });
      await things.set('a', 1);
      await things.set('a', 2);
      await storage.close();`),
    args: [(await setUp(t)).dataDir],
  });
  assert.equal(code, 0, stderr);
  assert.equal(stdout, 'at 1\nat 2\n');
});
