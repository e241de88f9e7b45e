/**
 * Events: a listener gets what happened, with details. Without a listener each problem is one warning. A logger gets both as
 * text. Listening changes nothing in the files.
 */
import assert from 'node:assert/strict';
import fs from 'node:fs';
import test from 'node:test';
import { listenForWarnings, plain, ps, range, scene, sealed, set, waitFor } from '../support/durability.mjs';
import { collectGarbage } from '../support/temp.mjs';

const EVENTS = [
  'compaction',
  'compactionFailed',
  'corruption',
  'recovery',
  'externalEdit',
  'slowSync',
  'lockWait',
  'backup',
  'mirrorFailed',
  'mirrorCostly',
  'syncFailed',
  'backupFailed',
];

/** Listens to all events of a storage, and gives what was heard as an array that grows. */
function listenToAll(storage) {
  const heard = [];
  for (const event of EVENTS) storage.on(event, (happened) => heard.push(happened));
  return heard;
}

const withoutTime = ({ timestamp, message, ...rest }) => {
  assert.equal(new Date(timestamp).toISOString(), timestamp);
  assert.ok(message.length > 20, message);
  return rest;
};

test('events of a compaction and its backup have the sizes', async (t) => {
  const place = scene(t);
  const storage = place.open();
  const heard = listenToAll(storage);
  for (const n of range(20)) await storage.updatePlayerStats('ann', 'Ann', n);
  const before = fs.statSync(place.log()).size;
  await storage.compactLog('players');
  await waitFor(() => heard.length === 2, 'two events');
  const [compaction, backup] = heard.map(withoutTime);
  assert.equal(typeof compaction.durationMs, 'number');
  delete compaction.durationMs;
  assert.deepEqual(compaction, {
    event: 'compaction',
    code: 'PS_COMPACTION',
    log: 'players',
    sizeBeforeBytes: before,
    sizeAfterBytes: fs.statSync(place.log()).size,
  });
  const [path] = place.backups();
  assert.deepEqual(backup, {
    event: 'backup',
    code: 'PS_BACKUP',
    log: 'players',
    path: fs.realpathSync(path),
    sizeBytes: before,
    action: 'made',
  });
});

test('events of damage, a torn tail and an edit have the place, and a listener replaces the warning', async (t) => {
  const place = scene(t);
  const lines = [
    sealed(set('a', 1)),
    sealed(set('b', 2)).replace('"value":2', '"value":3'),
    sealed(set('c', 4)),
  ];
  place.writeLog(`${lines.join('\n')}\n{"timestamp":"2024`, 'coins');
  place.writeMirror({ a: 1, c: 4, d: 5 }, 'coins');
  const warned = ['PS_LOG_DAMAGED', 'PS_TORN_TAIL', 'PS_FOREIGN_EDIT'].map(listenForWarnings);
  const storage = place.open();
  const heard = listenToAll(storage);
  assert.deepEqual(await storage.collection('coins').entries(), [
    ['a', 1],
    ['c', 4],
    ['d', 5],
  ]);
  await waitFor(() => heard.length === 3, 'three events');
  assert.deepEqual(heard.map(withoutTime), [
    {
      event: 'recovery',
      code: 'PS_TORN_TAIL',
      log: 'coins',
      path: place.log('coins'),
      droppedBytes: '{"timestamp":"2024'.length,
    },
    {
      event: 'corruption',
      code: 'PS_LOG_DAMAGED',
      log: 'coins',
      path: place.log('coins'),
      lines: 1,
      firstLine: 2,
      offset: lines[0].length + 1,
      sizeBytes: lines[1].length,
      reason: 'its checksum does not match its content',
      key: 'b',
    },
    {
      event: 'externalEdit',
      code: 'PS_FOREIGN_EDIT',
      log: 'coins',
      path: place.mirror('coins'),
      keys: 1,
    },
  ]);
  // The same findings cause no second event.
  await storage.collection('coins').set('e', 1);
  await storage.compactLog('coins');
  await waitFor(() => heard.some(({ event }) => event === 'backup'), 'the backup');
  assert.equal(heard.length, 5);
  for (const warnings of warned) assert.deepEqual(await warnings(), []);
});

test('each failed compaction is an event, and rejects only the call that asked for it', async (t) => {
  const place = scene(t);
  const storage = place.open();
  const heard = [];
  storage.on('compactionFailed', (happened) => heard.push(happened));
  await storage.updatePlayerStats('ann', 'Ann', 1);
  await storage.close();
  const again = place.open();
  again.on('compactionFailed', (happened) => heard.push(happened));
  // A folder at the log's path can be neither read nor replaced.
  fs.renameSync(place.log(), place.file('logs', 'aside'));
  fs.mkdirSync(place.log());
  await assert.rejects(again.compactLog('players'), { code: 'EISDIR' });
  await again.compactAllLogs();
  await waitFor(() => heard.length === 2, 'two failures');
  for (const event of heard.map(withoutTime)) {
    assert.deepEqual(event, {
      event: 'compactionFailed',
      code: 'PS_COMPACTION_FAILED',
      log: 'players',
      reason: 'EISDIR',
    });
  }
  fs.rmdirSync(place.log());
  fs.renameSync(place.file('logs', 'aside'), place.log());
});

test('once gets the next event only, off removes a listener, and a function may be added twice', async (t) => {
  const place = scene(t);
  const storage = place.open();
  const heard = [];
  const first = () => heard.push('first');
  const second = () => heard.push('second');
  const third = () => heard.push('third');
  storage.once('compaction', first);
  storage.on('compaction', second);
  storage.on('compaction', third);
  storage.on('compaction', third);
  storage.off('compaction', third);
  storage.off('compaction', () => {});
  await storage.updatePlayerStats('ann', 'Ann', 1);
  await storage.compactLog('players');
  await waitFor(() => heard.length === 3, 'three calls');
  assert.deepEqual(heard, ['first', 'second', 'third']);
  storage.off('compaction', third);
  await storage.compactLog('players');
  await waitFor(() => heard.length === 4, 'one more call');
  assert.deepEqual(heard, ['first', 'second', 'third', 'second']);
});

test('storages of other folders get no event', async (t) => {
  const place = scene(t);
  const other = scene(t);
  const heard = listenToAll(other.open());
  const storage = place.open();
  const own = listenToAll(storage);
  await storage.updatePlayerStats('ann', 'Ann', 1);
  await storage.compactLog('players');
  await waitFor(() => own.length === 2, 'two events');
  assert.deepEqual(heard, []);
});

test('wrong events and listeners are refused', (t) => {
  const storage = scene(t).open();
  for (const emitter of [ps, storage]) {
    for (const method of ['on', 'once', 'off']) {
      assert.throws(() => emitter[method]('nonsense', () => {}), {
        name: 'TypeError',
        code: 'ERR_INVALID_ARG_VALUE',
      });
      for (const [event, listener] of [
        [1, () => {}],
        [undefined, () => {}],
        ['compaction', undefined],
        ['compaction', 'text'],
      ]) {
        assert.throws(() => emitter[method](event, listener), {
          name: 'TypeError',
          code: 'ERR_INVALID_ARG_TYPE',
        });
      }
    }
  }
});

test('a logger gets problems and news as text, instead of warnings', async (t) => {
  const place = scene(t);
  place.writeLog(`${plain(set('a', 1))}\n{"torn`, 'coins');
  const warned = listenForWarnings('PS_TORN_TAIL');
  const said = [];
  const logger = {
    warn: (text) => said.push(`warn ${text}`),
    info: (text) => said.push(`info ${text}`),
  };
  const storage = place.open({ logger });
  await storage.collection('coins').set('b', 1);
  await storage.compactLog('coins');
  await waitFor(() => said.length === 3, 'three lines');
  assert.match(said[0], /^warn progressive-storage: \[PS_TORN_TAIL\] The log '.*coins\.log' ends with/);
  assert.match(said[1], /^info progressive-storage: \[PS_COMPACTION\] The log 'coins' was compacted/);
  assert.match(said[2], /^info progressive-storage: \[PS_BACKUP\] /);
  assert.deepEqual(await warned(), []);
});

test('with `logger: null` nothing is printed, and a wrong logger is refused', async (t) => {
  for (const logger of [null, false]) {
    const place = scene(t);
    place.writeLog(`${plain(set('a', 1))}\n{"torn`, 'coins');
    const warned = listenForWarnings('PS_TORN_TAIL');
    const storage = place.open({ logger });
    assert.equal(await storage.collection('coins').get('a'), 1);
    await storage.close();
    assert.deepEqual(await warned(), []);
  }
  for (const logger of [{}, 'console', true, 1, { warn: 1 }]) {
    assert.throws(() => scene(t).open({ logger }), { name: 'TypeError', code: 'ERR_INVALID_ARG_TYPE' });
  }
});

test('listeners of the module get events of the default storage, also from before it was opened', async (t) => {
  const place = scene(t);
  const { lines } = await place.run('events.mjs', [place.data], { env: { WHAT: 'module' } });
  assert.deepEqual(lines, ['compaction players', 'backup players', 'thread compaction players', 'closed']);
});

test('an error in a listener is an uncaught exception, and the store continues', async (t) => {
  const place = scene(t);
  const { lines } = await place.run('events.mjs', [place.data], { env: { WHAT: 'throws' } });
  assert.deepEqual(lines, ['uncaught on purpose', 'other listener', 'still 2 games']);
});

test('a listener does not keep the process alive', async (t) => {
  const place = scene(t);
  const { lines } = await place.run('events.mjs', [place.data], { env: { WHAT: 'idle' } });
  assert.deepEqual(lines, ['listening']);
});

test('a closed storage releases its listeners and its logger', {
  skip: !collectGarbage && 'no garbage collector to be called',
}, async (t) => {
  const place = scene(t);
  const refs = await (async () => {
    const listener = () => {};
    const logger = { warn() {} };
    const storage = place.open({ logger });
    storage.on('compaction', listener);
    await storage.loadPlayers();
    await storage.close();
    return [new WeakRef(listener), new WeakRef(logger)];
  })();
  await waitFor(() => {
    collectGarbage();
    return refs.every((ref) => ref.deref() === undefined);
  }, 'both to be garbage');
});

test('listeners and loggers of refused calls, and replaced ones, are released', {
  skip: !collectGarbage && 'no garbage collector to be called',
}, async (t) => {
  const { data } = scene(t);
  t.after(async () => {
    await ps.close();
    ps.configure({ dataDir: data });
  });
  const refs = new Map();
  // In functions of their own, so that no stack frame keeps their objects.
  const refused = (name, call, make = () => ({ warn() {} })) => {
    const what = make();
    refs.set(name, new WeakRef(what));
    assert.throws(() => call(what), Error, name);
  };
  const options = (more) => ({ dataDir: data, fsync: 'never', ...more });
  for (const [name, make] of [
    ['configure', (given) => ps.configure(given)],
    ['new Storage', (given) => new ps.Storage(given)],
  ]) {
    refused(`${name}: an unknown option`, (logger) => make({ logger, nonsense: 1 }));
    refused(`${name}: a wrong type`, (logger) => make({ logger, dataDir: 1 }));
    refused(`${name}: a wrong value`, (logger) => make({ ...options(), logger, fsync: 'perhaps' }));
    refused(`${name}: a wrong rotation`, (logger) => make({ logger, rotation: {} }));
    refused(`${name}: an empty dataDir`, (logger) => make({ logger, dataDir: '' }));
    refused(
      `${name}: a logger without warn`,
      (logger) => make({ logger }),
      () => ({ info() {} }),
    );
    refused(
      `${name}: an option that throws`,
      (given) => make(given),
      () => ({
        logger: { warn() {} },
        get rotation() {
          throw new Error('on purpose');
        },
      }),
    );
  }
  const listener = () => () => {};
  refused('on: an unknown event', (fn) => ps.on('nonsense', fn), listener);
  refused('on: wrong options', (fn) => ps.on('compaction', fn, 1), listener);

  const configured = (name) => {
    const logger = { warn() {} };
    refs.set(name, new WeakRef(logger));
    ps.configure(options({ logger }));
  };
  configured('configure: replaced before the storage is open');
  configured('configure: replaced by the next');
  ps.configure(options({ logger: null }));
  await ps.loadPlayers();
  refused('configure: open with other options', (logger) =>
    ps.configure({ dataDir: `${data}/other`, logger }),
  );
  configured('configure: replaced while the storage is open');
  ps.configure(options({ logger: null }));

  await waitFor(() => {
    collectGarbage();
    return [...refs.values()].every((ref) => ref.deref() === undefined);
  }, 'all to be garbage').catch(() => {
    const held = [...refs].filter(([, ref]) => ref.deref() !== undefined).map(([name]) => name);
    assert.deepEqual(held, []);
  });
});

test('the configured logger stays when the default storage is closed and opened again', async (t) => {
  const { data } = scene(t);
  const said = [];
  const logger = { warn: (text) => said.push(text), info: (text) => said.push(text) };
  const compactions = [];
  const heard = ({ log }) => compactions.push(log);
  ps.configure({ dataDir: `${data}/one`, fsync: 'never', logger });
  ps.on('compaction', heard);
  t.after(async () => {
    ps.off('compaction', heard);
    await ps.close();
    ps.configure({ dataDir: data });
  });
  const compact = async (log) => {
    await ps.appendLogEntry(log, { op: 'SET', key: 'k', value: 1 });
    await ps.compactLog(log);
    await waitFor(() => compactions.at(-1) === log, 'the compaction');
    assert.ok(
      said.splice(0).some((text) => text.includes('[PS_COMPACTION]')),
      log,
    );
  };
  await compact('first');
  await ps.close();
  await compact('again');
  await ps.close();
  ps.configure({ dataDir: `${data}/two`, fsync: 'never', logger });
  await compact('elsewhere');
});
