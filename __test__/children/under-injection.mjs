/**
 * A bot's day under injected errors: calls of every kind, one after the other and many at once, with the result of each.
 * Every ack is also written to a file, with pwrite, so a trace of the system calls shows its time.
 * Arguments: data directory, file of the acks, options as JSON. Writes a report beside the acks.
 */
import fs from 'node:fs';
import { Storage } from '../../index.js';
import { parseLines, replay } from '../support/durability.mjs';

const [dataDir, acksFile, options] = process.argv.slice(2);
const acks = fs.openSync(acksFile, 'w');
let acksEnd = 0;
const report = { calls: [], unhandled: 0, disagreements: [] };
process.on('unhandledRejection', () => {
  report.unhandled += 1;
});

const storage = new Storage({ dataDir, ...JSON.parse(options) });
const coins = storage.collection('coins');

/** Marks in the trace that a call on a log was acked with no other one under way. */
function ack(log, name) {
  acksEnd += fs.writeSync(acks, `ack ${log} ${name}\n`, acksEnd);
}

/** Makes a call and records its end. `log` is the one that it writes to. */
async function call(name, log, make, isAlone = true) {
  const note = { name, log };
  try {
    await make();
    note.ok = true;
    if (isAlone) ack(log, name);
  } catch ({ code, syscall, path, message }) {
    note.error = { code, syscall, path, message };
  }
  report.calls.push(note);
  return note.ok;
}

let games = 0;
const count = (ok) => {
  if (ok) games += 1;
};
const update = (isAlone) =>
  call('updatePlayerStats', 'players', () => storage.updatePlayerStats('user', 'name', 1), isAlone).then(
    count,
  );
const append = (n) =>
  call('appendLogEntry', 'events', () =>
    storage.appendLogEntry('events', { op: 'SET', key: `key-${n}`, value: n }),
  );

// A log without compaction: each acked entry stays.
let notes = 0;
const noted = () =>
  call('appendLogEntry', 'audit', () => storage.appendLogEntry('audit', { op: 'NOTE' })).then((ok) => {
    if (ok) notes += 1;
  });

/** Memory agrees with the whole lines of the files. */
async function compare(when) {
  const read = await storage.loadPlayers().catch((error) => ({ error }));
  if (read.error) return;
  let text = '';
  try {
    text = fs.readFileSync(`${dataDir}/logs/players.log`, 'utf8');
  } catch (error) {
    // Nothing is written yet, or this read failed.
    if (error.code !== 'ENOENT') return;
  }
  const onDisk = replay(parseLines(text.slice(0, text.lastIndexOf('\n') + 1)));
  const inMemory = read.user?.totalGames ?? 0;
  if (inMemory !== games)
    report.disagreements.push(`${when}: memory has ${inMemory} games of ${games} acked`);
  if (JSON.stringify(onDisk) !== JSON.stringify(read))
    report.disagreements.push(`${when}: the log is not what is in memory`);
}

async function day() {
  for (let n = 0; n < 3; n++) {
    await update();
    await compare('after an update');
  }
  await append(1);
  await append(2);
  await noted();
  await call('set', 'coins', () => coins.set('user', 5));
  await call('update', 'coins', () => coins.update('user', (coinsOfUser = 0) => coinsOfUser + 1));
  await call('saveTokens', 'tokens', () => storage.saveTokens(['token']));
  await call('saveGameState', 'game_state', () => storage.saveGameState('channel', { round: 1 }));
  await call('clearGameState', 'game_state', () => storage.clearGameState('channel'));
  await call('compactLog', 'players', () => storage.compactLog('players'));
  await compare('after compaction');
  await update();
  await call('compactLog', 'events', () => storage.compactLog('events'));
  await append(3);
  // The calls of one batch succeed or fail together.
  await Promise.all(Array.from({ length: 20 }, () => update(false)));
  if (report.calls.at(-1).ok) ack('players', 'together');
  await compare('after many updates');
  await call('savePlayers', 'players', async () =>
    storage.savePlayers({ ...(await storage.loadPlayers()), other: { n: 1 } }),
  );
  await call('flush', '-', () => storage.flush());
}

await day();
await day();

// At most some more failures come before the cause is gone.
const isWell = async () => {
  const before = report.calls.length;
  await update();
  await append(4);
  await noted();
  await call('set', 'coins', () => coins.set('last', 1));
  await call('saveTokens', 'tokens', () => storage.saveTokens(['last']));
  await call('saveGameState', 'game_state', () => storage.saveGameState('last', {}));
  await call('compactLog', 'players', () => storage.compactLog('players'));
  await call('flush', '-', () => storage.flush());
  return report.calls.slice(before).every((each) => each.ok);
};
report.isWellAgain = false;
for (let tries = 0; tries < 50 && !report.isWellAgain; tries++) report.isWellAgain = await isWell();
await compare('in the end');
report.games = games;
report.notes = notes;
/** A read may still meet one or two failures. */
const atLast = (read, tries = 50) =>
  read().catch((error) => (tries > 0 ? atLast(read, tries - 1) : Promise.reject(error)));
report.players = await atLast(() => storage.loadPlayers());
report.coins = await atLast(() => coins.entries());
report.events = await atLast(() => storage.readLogEntries('events'));
report.audit = await atLast(() => storage.readLogEntries('audit'));
await atLast(() => storage.flush());
await call('close', '-', () => storage.close());
// Not through the pipe, since its writes may be those that fail.
fs.writeFileSync(`${acksFile}.report`, JSON.stringify(report));
