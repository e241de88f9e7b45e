// Every export of the package, as a TypeScript user writes it; compiled under `strict` by package/types.test.mjs, which
// also checks that none is missing here. It is not run.

import {
  __napiBindingTarget,
  appendLogEntry,
  type Change,
  type ChangeIterator,
  Collection,
  type CollectionIterator,
  CompactionScheduler,
  clearGameState,
  close,
  collection,
  compact,
  compactAllLogs,
  compactLog,
  configure,
  flush,
  type GameHistoryEntry,
  getAllGameStates,
  getLeaderboard,
  getLogSize,
  getPlayerRank,
  getPlayerStats,
  history,
  type LogEntry,
  LogEntryStream,
  loadGameState,
  loadPlayers,
  loadTokens,
  metrics,
  metricsText,
  needsCompaction,
  needsTokenRefresh,
  OpType,
  off,
  on,
  once,
  type PlayerRecord,
  type PlayerResult,
  type Rank,
  readLogEntries,
  readLogLines,
  rebuildStateFromLog,
  Storage,
  type StorageOptions,
  saveGameState,
  savePlayers,
  saveTokens,
  snapshot,
  startCompactionScheduler,
  startDashboard,
  streamLogEntries,
  type TokenList,
  type TransactionPlace,
  type TransactionResults,
  type TransactionValues,
  transaction,
  updatePlayerStats,
  updatePlayersStats,
} from 'progressive-storage';
import * as log from 'progressive-storage/append-log';
import * as bot from 'progressive-storage/storage';

const options: StorageOptions = { dataDir: 'data', fsync: 'interval', fsyncIntervalMs: 500 };
configure(options);
// @ts-expect-error: no such mode
configure({ fsync: 'sometimes' });
configure({ mirror: 'close' });
// @ts-expect-error: no such mode
configure({ mirror: 'never' });

const record: PlayerRecord = await updatePlayerStats('1', 'Ann', 10, true, 9, 1);
const last: GameHistoryEntry | undefined = record.gamesHistory.at(-1);
const results: PlayerResult[] = [{ userId: '1', username: null, score: 3 }];
const records: PlayerRecord[] = await updatePlayersStats(results);
// @ts-expect-error: a score is a number
await updatePlayerStats('1', 'Ann', '10');
// @ts-expect-error: a promise is no record
const wrong: PlayerRecord = getPlayerStats('1');

const players: Record<string, PlayerRecord> = await loadPlayers();
await savePlayers(players);
const one: PlayerRecord = await getPlayerStats('1');
const board: PlayerRecord[] = await getLeaderboard('totalScore', 3);
const rank: Rank | null = await getPlayerRank('1', 'bestScore');

await saveTokens(['a'], { name: 'A' });
const tokens: TokenList | null = await loadTokens();
const isOld: boolean = await needsTokenRefresh();

await saveGameState('c', { round: 1 });
const state = await loadGameState('c');
const states: Record<string, unknown> = await getAllGameStates();
await clearGameState('c');

await appendLogEntry('events', { op: OpType.SET, key: 'k', value: 1 });
const entries: LogEntry[] = await readLogEntries('events');
for await (const entry of streamLogEntries('events')) {
  const key: string | undefined = entry.key;
  console.log(key);
}
const rebuilt: Record<string, unknown> = await rebuildStateFromLog('events');
const sizeBytes: number = await getLogSize('events');
const isLarge: boolean = await needsCompaction('events', 100);
await compactLog('events');
await compact();
await compactAllLogs();

const scheduler: CompactionScheduler = startCompactionScheduler(60_000, ['players']);
scheduler.stop();
const second = new CompactionScheduler(1000);
second.intervalMs = 2000;
second.intervalMs = undefined;
const isRunning: boolean = second.isRunning;

const coins: Collection<number> = collection('coins');
await coins.set('1', 5);
const updated: number = await coins.update('1', (value = 0) => value + 1);
const wasThere: boolean = await coins.delete('1');
await coins.setMany({ ann: 1, ben: 2 });
await coins.setMany(new Map([['ann', 1]]));
await coins.setMany([['ann', 1]]);
const pairs: Map<string, number> = await coins.getMany(new Set(['ann', 'ben']));
const moved: { ann?: number; ben?: number } = await coins.updateMany(
  ['ann', 'ben'],
  ({ ann = 0, ben = 0 }) => ({
    ann: ann - 1,
    ben: ben + 1,
  }),
);
const pairKeys: string[] = [...pairs.keys()];
await coins.updateMany(pairKeys, (values) => ({ ...values, ann: undefined }));
// @ts-expect-error: not one of the keys
await coins.updateMany(['ann', 'ben'], ({ cid }) => ({ ann: cid }));
const wereThere: number = await coins.deleteMany(pairKeys);
const top: [string, number][] = await coins.top('score', 3);
for await (const [coin, amount] of coins) console.log(coin.length, amount);
const some: CollectionIterator<number> = coins.iterate({ prefix: 'a', after: 'ab', reverse: true, limit: 5 });
const first: IteratorResult<[string, number], undefined> = await some.next();
await some.return();
const changes: ChangeIterator = coins.watch('1');
for await (const change of changes) console.log(change.key, change.value, change.previous, change.timestamp);
const endWatch: () => void = coins.watch({ prefix: 'a' }, (change: Change) => console.log(change));
endWatch();
// @ts-expect-error: a prefix is a string
coins.watch({ prefix: 5 });
// @ts-expect-error: a limit is a number
coins.iterate({ limit: '5' });

on('compaction', (event) => console.log(event));
once('compactionFailed', () => {});
off('corruption', () => {});
on('mirrorCostly', ({ log, sizeBytes, durationMs, perMinuteMs }) => {
  const numbers: number[] = [sizeBytes, durationMs, perMinuteMs];
  console.log(log.toUpperCase(), numbers);
});
// @ts-expect-error: no such event
on('nothing', () => {});
const values = await history('players', '1');
const dashboard = await startDashboard({ port: 0, host: '127.0.0.1' });
const address: string = dashboard.url;
await dashboard.close();
const figures = metrics();
const text: string = metricsText();
const lines = readLogLines('data/logs/events.log');

await using storage = new Storage({ dataDir: 'other' });
const size: number = await storage.collection('coins').size();
await storage.flush();
const copied: string = (await storage.snapshot('copy')).folder;
console.log((await snapshot(copied)).logs.map(({ damagedLines }): number => damagedLines));
const place: TransactionPlace = ['coins', 'ann'];
const pair: TransactionValues<[TransactionPlace]> = await transaction([place], (found) => found);
const results2: TransactionResults<[TransactionPlace]> = await storage.transaction([place], () => pair);
console.log(results2);

await flush();
await close();

// The subpaths give the same things.
const sameCall: typeof updatePlayerStats = bot.updatePlayerStats;
const sameClass: typeof CompactionScheduler = log.CompactionScheduler;
const isStream = (value: unknown): boolean => value instanceof LogEntryStream || value instanceof Collection;

export const used = [
  __napiBindingTarget,
  last,
  records,
  wrong,
  one,
  board,
  rank,
  tokens,
  isOld,
  state,
  states,
  entries,
  rebuilt,
  sizeBytes,
  isLarge,
  isRunning,
  updated,
  wasThere,
  moved,
  wereThere,
  top,
  first,
  figures,
  address,
  values,
  text,
  lines,
  size,
  sameCall,
  sameClass,
  isStream,
];
