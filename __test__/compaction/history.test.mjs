/**
 * History and time travel: every value of a key and every state of a log can be read again, across compactions, from plain
 * and compressed old logs, as far back as the files go. These calls change no file.
 */
import assert from 'node:assert/strict';
import fs from 'node:fs';
import test from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import zlib from 'node:zlib';
import { checkpoint, del, plain, ps, range, scene, sealed, set, snapshot } from '../support/durability.mjs';

/** Writes three values and compacts, `rounds` times. Returns the values and the states between. */
async function someDays(coins, storage, rounds) {
  const written = [];
  const states = [];
  for (const round of range(rounds)) {
    for (const key of ['ann', 'ben', 'ann']) {
      const value = { round, n: written.length };
      await coins.set(key, value);
      written.push([key, value]);
      await sleep(3);
      states.push({ at: new Date(), state: Object.fromEntries(await coins.entries()) });
      await sleep(3);
    }
    await storage.compactLog('coins');
  }
  return { written, states };
}

function compress(file) {
  fs.writeFileSync(`${file}.gz`, zlib.gzipSync(fs.readFileSync(file)));
  fs.rmSync(file);
}

test('every value of a key, once, across compactions', async (t) => {
  const place = scene(t);
  const storage = place.open({ fsync: 'never' });
  const coins = storage.collection('coins');
  const { written } = await someDays(coins, storage, 3);
  await coins.delete('ann');
  const before = snapshot(place.data, { times: true });
  for (const shape of ['plain', 'compressed', 'both']) {
    if (shape === 'compressed') compress(place.backups('coins')[0]);
    if (shape === 'both') {
      const [path] = place.backups('coins');
      fs.writeFileSync(`${path}.gz`, zlib.gzipSync(fs.readFileSync(path)));
    }
    const records = await storage.history('coins', 'ann');
    assert.deepEqual(
      records.slice(0, -1).map(({ op, value }) => [op, value]),
      written.filter(([key]) => key === 'ann').map(([, value]) => ['SET', value]),
      shape,
    );
    const last = records.at(-1);
    assert.deepEqual([last.op, 'value' in last, last.source], ['DELETE', false, 'coins.log']);
    const times = records.map(({ timestamp }) => Date.parse(timestamp));
    assert.deepEqual(
      times,
      [...times].sort((a, b) => a - b),
    );
    assert.match(records[0].source, /^coins\.log\.backup\.\d+(\.gz)?$/);
    assert.equal(records[0].source.endsWith('.gz'), shape !== 'plain');
    if (shape === 'plain') assert.deepEqual(snapshot(place.data, { times: true }), before);
  }
  assert.deepEqual(await storage.history('coins', 'nobody'), []);
  assert.deepEqual(await storage.history('nothing', 'ann'), []);
});

test('from before the oldest file there is one value, of its checkpoint', async (t) => {
  const place = scene(t);
  const storage = place.open({ fsync: 'never' });
  const coins = storage.collection('coins');
  await coins.set('early', 1);
  await someDays(coins, storage, 5);
  assert.equal(place.backups('coins').length, 3);
  const [early, ...more] = await storage.history('coins', 'early');
  assert.deepEqual(more, []);
  assert.deepEqual([early.op, early.value], ['CHECKPOINT', 1]);
  const ann = await storage.history('coins', 'ann');
  assert.deepEqual(
    ann.map(({ op, value }) => [op, value.n]),
    [
      ['CHECKPOINT', 5],
      ['SET', 6],
      ['SET', 8],
      ['SET', 9],
      ['SET', 11],
      ['SET', 12],
      ['SET', 14],
    ],
  );
});

test('the state as it was at any time', async (t) => {
  const place = scene(t);
  const storage = place.open({ fsync: 'never' });
  const coins = storage.collection('coins');
  const start = Date.now();
  await sleep(3);
  const { states } = await someDays(coins, storage, 3);
  await coins.delete('ann');
  for (const shape of ['plain', 'compressed']) {
    if (shape === 'compressed') for (const path of place.backups('coins')) compress(path);
    for (const { at, state } of states) {
      assert.deepEqual(
        await storage.rebuildStateFromLog('coins', { at }),
        state,
        `${shape} ${at.toISOString()}`,
      );
    }
    const { at, state } = states[4];
    assert.deepEqual(await storage.rebuildStateFromLog('coins', { at: at.getTime() }), state);
    assert.deepEqual(await storage.rebuildStateFromLog('coins', { at: at.toISOString() }), state);
    // Before the very first entry the state is empty; from now on it stays the same.
    assert.deepEqual(await storage.rebuildStateFromLog('coins', { at: start }), {});
    const now = { ben: states.at(-1).state.ben };
    for (const options of [undefined, {}, { at: undefined }, { at: new Date(Date.now() + 1e9) }]) {
      assert.deepEqual(await storage.rebuildStateFromLog('coins', options), now);
    }
  }
});

test('a time before the oldest file is an error that names the oldest time', async (t) => {
  const place = scene(t);
  const storage = place.open({ fsync: 'never' });
  const coins = storage.collection('coins');
  const { states } = await someDays(coins, storage, 5);
  await assert.rejects(storage.rebuildStateFromLog('coins', { at: states[0].at }), {
    code: 'ERR_NO_HISTORY',
    message: /The state of 'coins\.log' at .* is not known: its files begin with a checkpoint of 20/,
  });
  const { at, state } = states.at(-1);
  assert.deepEqual(await storage.rebuildStateFromLog('coins', { at }), state);
});

test('keys that are numbers, truth values or lists have a history too', async (t) => {
  const place = scene(t);
  const storage = place.open({ fsync: 'never' });
  for (const [key, name] of [
    [7, '7'],
    [true, 'true'],
    [['a', 'b'], 'a,b'],
    [1e21, '1e+21'],
  ]) {
    for (const value of [1, 2]) await storage.appendLogEntry('odd', { op: 'SET', key, value });
    await storage.appendLogEntry('odd', { op: 'DELETE', key });
    const records = await storage.history('odd', name);
    assert.deepEqual(
      records.map(({ op, value }) => [op, value]),
      [
        ['SET', 1],
        ['SET', 2],
        ['DELETE', undefined],
      ],
      name,
    );
  }
  await storage.appendLogEntry('odd', { op: 'SET', data: ['first', 'second'] });
  assert.deepEqual(
    (await storage.history('odd', '1')).map(({ value }) => value),
    ['second'],
  );
});

test('an entry that equals an earlier one is listed too, and a copied one only once', async (t) => {
  const place = scene(t);
  const storage = place.open({ fsync: 'never' });
  const again = { timestamp: '2024-05-01T00:00:00.000Z', op: 'SET', key: 'ann', value: 1 };
  await storage.appendLogEntry('coins', again);
  await storage.compactLog('coins');
  await storage.appendLogEntry('coins', again);
  await storage.compactLog('coins');
  await storage.appendLogEntry('coins', { ...again, value: 2 });
  await storage.appendLogEntry('coins', again);
  const values = async () => (await storage.history('coins', 'ann')).map(({ value }) => value);
  assert.deepEqual(await values(), [1, 1, 2, 1]);
  // An entry came during this compaction, so it is in the backup and in the log.
  const line = (minute, value) => plain({ ...again, timestamp: `2024-05-01T00:0${minute}:00.000Z`, value });
  const compacted = { op: 'CHECKPOINT', state: { ann: 5 }, compactedAt: '2024-05-01T00:02:00.000Z' };
  place.writeLog([plain(compacted), line(3, 6), line(4, 5), line(5, 6)], 'busy');
  fs.writeFileSync(
    `${place.data}/logs/busy.log.backup.1714521600000`,
    [line(1, 5), line(3, 6), line(4, 5)].map((text) => `${text}\n`).join(''),
  );
  assert.deepEqual(
    (await storage.history('busy', 'ann')).map(({ value }) => value),
    [5, 6, 5, 6],
  );
});

test('a clock that was ahead for a while gives no outdated state', async (t) => {
  const place = scene(t);
  const now = Date.now();
  const line = (ms, value) => plain({ timestamp: new Date(ms).toISOString(), op: 'SET', key: 'ann', value });
  const hour = 3_600_000;
  place.writeLog(
    [line(now - 3 * hour, 1), line(now + 100 * hour, 2), line(now - 2 * hour, 3), line(now - hour, 4)],
    'coins',
  );
  const storage = place.open({ fsync: 'never' });
  const at = (ms) => storage.rebuildStateFromLog('coins', { at: ms });
  assert.deepEqual(await at(now), { ann: 4 });
  assert.deepEqual(await at(now - 2 * hour), { ann: 3 });
  assert.deepEqual(await at(now - 3 * hour), { ann: 1 });
  assert.deepEqual(await at(now - 4 * hour), {});
  // Compacted while the clock was ahead, and appended to when it was right again.
  place.writeLog(
    [
      plain({ op: 'CHECKPOINT', state: { ann: 2 }, compactedAt: new Date(now + 100 * hour).toISOString() }),
      line(now - 2 * hour, 3),
      line(now - hour, 4),
    ],
    'other',
  );
  assert.deepEqual(await storage.rebuildStateFromLog('other', { at: now }), { ann: 4 });
  await assert.rejects(storage.rebuildStateFromLog('other', { at: now - 3 * hour }), {
    code: 'ERR_NO_HISTORY',
  });
});

test('of the lines of the old module, of a person, and of damaged ones, all readable ones are listed', async (t) => {
  const place = scene(t);
  const lines = [
    plain(checkpoint({ a: 1, b: 1 })),
    '{"op": "SET", "key": "\\u0061", "value": {"n": 2}}',
    sealed(set('a', 3)).replace('"value":3', '"value":4'),
    plain({ timestamp: '2024-05-01T00:00:00.000Z', op: 'SET', data: { a: 5, c: 5 } }),
    plain(del('a')),
    plain({ op: 'OTHER', key: 'a', value: 7 }),
  ];
  place.writeLog(lines, 'notes');
  const storage = place.open({ logger: null });
  const records = await storage.history('notes', 'a');
  assert.deepEqual(
    records.map(({ op, value }) => [op, value]),
    [
      ['CHECKPOINT', 1],
      ['SET', { n: 2 }],
      ['SET', 5],
      ['DELETE', undefined],
    ],
  );
  assert.equal(records[1].timestamp, null);
  assert.equal(records[2].timestamp, '2024-05-01T00:00:00.000Z');
});

test('an edit by hand is marked as one', async (t) => {
  const place = scene(t);
  const storage = place.open({ logger: null });
  const coins = storage.collection('coins');
  await coins.set('ann', 1);
  await storage.flush();
  place.replaceMirror({ ann: 100 }, 'coins');
  assert.equal(await coins.get('ann'), 100);
  await coins.set('ben', 1);
  const records = await storage.history('coins', 'ann');
  assert.deepEqual(
    records.map(({ value, isExternalEdit }) => [value, isExternalEdit]),
    [
      [1, undefined],
      [100, true],
    ],
  );
});

test('an error names a broken compressed backup', async (t) => {
  const place = scene(t);
  const storage = place.open({ fsync: 'never' });
  await storage.collection('coins').set('ann', 1);
  await storage.compactLog('coins');
  const [path] = place.backups('coins');
  fs.rmSync(path);
  fs.writeFileSync(`${path}.gz`, 'no gzip at all');
  await assert.rejects(storage.history('coins', 'ann'), {
    code: 'ERR_BACKUP_CORRUPT',
    path: fs.realpathSync(`${path}.gz`),
  });
  assert.equal(await storage.collection('coins').get('ann'), 1);
});

test('wrong arguments are refused', async (t) => {
  const storage = scene(t).open();
  for (const api of [ps, storage]) {
    for (const [name, key] of [
      ['../x', 'ann'],
      ['coins', ''],
    ]) {
      await assert.rejects(api.history(name, key), { name: 'TypeError', code: 'ERR_INVALID_ARG_VALUE' });
    }
    await assert.rejects(api.history('coins', 1), { name: 'TypeError', code: 'ERR_INVALID_ARG_TYPE' });
    for (const [options, code] of [
      [1, 'ERR_INVALID_ARG_TYPE'],
      [[], 'ERR_INVALID_ARG_TYPE'],
      [{ at: true }, 'ERR_INVALID_ARG_TYPE'],
      [{ at: {} }, 'ERR_INVALID_ARG_TYPE'],
      [{ at: 'soon' }, 'ERR_INVALID_ARG_VALUE'],
      [{ at: new Date(Number.NaN) }, 'ERR_INVALID_ARG_VALUE'],
      [{ at: Number.POSITIVE_INFINITY }, 'ERR_INVALID_ARG_VALUE'],
    ]) {
      await assert.rejects(api.rebuildStateFromLog('coins', options), { name: 'TypeError', code });
    }
  }
});
