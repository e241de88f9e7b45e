// Collections as a TypeScript user writes them: the type of the values goes through every call, a schema gives it, events and
// errors narrow, and wrong uses do not compile. It is compiled under `strict` by package/types.test.mjs, and not run.

import {
  type ArrayField,
  appendLogEntry,
  Collection,
  type CollectionOptions,
  collection,
  getAllGameStates,
  type HistoryEntry,
  history,
  type LogEntry,
  loadGameState,
  loadTokens,
  type NumberField,
  OpType,
  on,
  type PlayerRecord,
  readLogEntries,
  rebuildStateFromLog,
  type SchemaInput,
  type SchemaOutput,
  type StandardSchema,
  Storage,
  type StorageError,
  type StorageErrorCode,
  type StorageEvent,
  type StorageEvents,
  type SystemErrorCode,
  streamLogEntries,
  type ValidationIssue,
} from 'progressive-storage';

/** Compiles where the two types are the same. */
type Same<A, B> = (<X>() => X extends A ? 1 : 2) extends <X>() => X extends B ? 1 : 2 ? true : false;
function same<A, B>(isSame: Same<A, B>): void {
  console.log(isSame);
}

interface Guild {
  games: number;
  prefix?: string;
  warnings?: string[];
  pairs: [string, number][];
  best?: number | undefined;
}

// --- The type of the values goes through every call, of the module and of a Storage ---

const storage = new Storage({ dataDir: 'other' });
for (const guilds of [collection<Guild>('guilds'), storage.collection<Guild>('guilds')]) {
  same<typeof guilds, Collection<Guild>>(true);
  const one = await guilds.get('1');
  same<typeof one, Guild | undefined>(true);
  await guilds.set('1', { games: 1, pairs: [] });
  // @ts-expect-error: a field is missing
  await guilds.set('1', { games: 1 });
  // @ts-expect-error: a field is of another type
  await guilds.set('1', { games: '1', pairs: [] });
  // @ts-expect-error: there is no such field
  await guilds.set('1', { games: 1, pairs: [], game: 1 });
  // @ts-expect-error: a key is a text
  await guilds.set(1, { games: 1, pairs: [] });

  const updated = await guilds.update('1', (guild = { games: 0, pairs: [] }) => {
    same<typeof guild, Guild>(true);
    return { ...guild, games: guild.games + 1 };
  });
  same<typeof updated, Guild>(true);
  // @ts-expect-error: the value may be missing
  await guilds.update('1', (guild) => ({ ...guild, games: guild.games + 1 }));
  // @ts-expect-error: the function returns nothing
  await guilds.update('1', () => {});
  // @ts-expect-error: the function must not wait
  await guilds.update('1', async () => ({ games: 1, pairs: [] }));

  const entries = await guilds.entries();
  same<typeof entries, [string, Guild][]>(true);
  const values = await guilds.values();
  same<typeof values, Guild[]>(true);
  for await (const [key, guild] of guilds)
    same<typeof guild & { key: typeof key }, Guild & { key: string }>(true);
  for await (const pair of guilds.iterate({ prefix: 'a' })) same<typeof pair, [string, Guild]>(true);
  for await (const { value, previous } of guilds.watch('1')) {
    same<typeof value, Guild | undefined>(true);
    same<typeof previous, Guild | undefined>(true);
  }
  guilds.watch({ prefix: 'a' }, ({ value }) => same<typeof value, Guild | undefined>(true));
  const top = await guilds.top('games', 3);
  same<typeof top, [string, Guild][]>(true);

  const ensured = await guilds.ensure('1', { games: 0, pairs: [] });
  same<typeof ensured, Guild>(true);
  // @ts-expect-error: a field is missing
  await guilds.ensure('1', {});

  const several = await guilds.getMany(['1', '2']);
  same<typeof several, Map<string, Guild>>(true);
  await guilds.setMany({ 1: { games: 1, pairs: [] } });
  // @ts-expect-error: a field is missing
  await guilds.setMany([['1', { games: 1 }]]);
  const changes = await guilds.updateMany(['1', '2'], ({ 1: one }) => ({ 1: undefined, 2: one }));
  same<(typeof changes)['2'], Guild | undefined>(true);
  // @ts-expect-error: a field is missing
  await guilds.updateMany(['1'], () => ({ 1: { games: 1 } }));

  const games = await guilds.increment('1', 'games');
  same<typeof games, number>(true);
  await guilds.increment('1', 'best', -2.5);
  // @ts-expect-error: a field that is no number
  await guilds.increment('1', 'prefix');
  // @ts-expect-error: there is no such field
  await guilds.increment('1', 'coins');
  // @ts-expect-error: a number is added
  await guilds.increment('1', 'games', '1');

  const length = await guilds.push('1', 'warnings', 'spam', 'caps');
  same<typeof length, number>(true);
  await guilds.push('1', 'pairs', ['a', 1]);
  // @ts-expect-error: an element is a text
  await guilds.push('1', 'warnings', 5);
  // @ts-expect-error: a field that is no array
  await guilds.push('1', 'games', 5);
}
same<NumberField<Guild>, 'games' | 'best'>(true);
same<ArrayField<Guild>, 'warnings' | 'pairs'>(true);

// --- Without a type, a value is unknown, and fields are any ---

const anything = collection('anything');
same<typeof anything, Collection<unknown>>(true);
const unknownValue = await anything.get('a');
same<typeof unknownValue, unknown>(true);
await anything.set('a', 5);
await anything.update('a', (value) => (typeof value === 'number' ? value + 1 : 0));
await anything.increment('b', 'count');
await anything.push('b', 'list', 1, 'two', null);
// @ts-expect-error: nobody knows what is in it
console.log(unknownValue.games);
// @ts-expect-error: the value may be anything
await anything.update('a', (value: number) => value + 1);

// Types whose fields are open.
await collection<PlayerRecord>('players').increment('1', 'totalScore', 5);
await collection<Record<string, number>>('counts').increment('1', 'anything');
const numbers = collection<number>('numbers');
const next: number = await numbers.update('a', (value = 0) => value + 1);
// @ts-expect-error: a number has no fields of its own
await numbers.increment('a', 'count');

// --- History, entries and states ---

const recorded = await history<Guild>('guilds', '1');
same<typeof recorded, HistoryEntry<Guild>[]>(true);
same<(typeof recorded)[0]['value'], Guild | undefined>(true);
const untyped = await storage.history('guilds', '1');
same<(typeof untyped)[0]['value'], unknown>(true);
for await (const entry of streamLogEntries<Guild>('guilds')) same<typeof entry, LogEntry<Guild>>(true);
for await (const entry of storage.streamLogEntries<Guild>('guilds'))
  same<typeof entry.value, Guild | undefined>(true);
const lines = await readLogEntries<Guild>('guilds');
same<(typeof lines)[0]['data'], Record<string, Guild> | undefined>(true);
const state = await rebuildStateFromLog<Guild>('guilds', { at: new Date(0) });
same<typeof state, Record<string, Guild>>(true);
const game = await loadGameState<{ round: number }>('c');
same<typeof game, { round: number } | null>(true);
const games = await getAllGameStates();
same<typeof games, Record<string, unknown>>(true);
const list = await loadTokens();
// @ts-expect-error: nobody knows what a token is
list?.tokens[0].length;

// --- OpType ---

const byName: OpType = OpType.SET;
const byText: OpType = 'DELETE';
const asType: OpType.CHECKPOINT = 'CHECKPOINT';
same<OpType, 'SET' | 'DELETE' | 'CHECKPOINT'>(true);
await appendLogEntry('events', { op: 'SET', key: 'k', value: 1 });
await appendLogEntry('events', { op: OpType.SET, key: 'k', value: 1 });
const written: LogEntry<number> = { op: 'SET', key: 'k', value: 1 };
const noted: LogEntry = { op: 'NOTE', text: 'season closed' };
// @ts-expect-error: no such operation
const wrongOp: OpType = 'UPDATE';
// @ts-expect-error: an object of names
OpType.SET = 'SET';

// --- Events narrow by `event`, and where there are several codes, by `code` ---

function heard(event: StorageEvent): string | number | undefined {
  switch (event.event) {
    case 'compaction':
      same<typeof event.code, 'PS_COMPACTION'>(true);
      return event.durationMs;
    case 'lostWrites':
      return event.keys.join();
    case 'externalEdit':
      return event.keys + (event.ambiguousKeys?.length ?? 0);
    case 'connectionLost':
      // @ts-expect-error: it is about no log
      return event.log;
    // @ts-expect-error: no such event
    case 'nothing':
      return undefined;
    default:
      // @ts-expect-error: not all of the others have it
      return event.reason;
  }
}
same<StorageEvent['event'], keyof StorageEvents>(true);
on('backup', (event) => same<typeof event.action, 'made' | 'archived' | 'compressed' | 'removed'>(true));
on('recovery', ({ code }) =>
  same<typeof code, 'PS_TORN_TAIL' | 'PS_LOG_LOST' | 'PS_RECOVERED_FROM_MIRROR'>(true),
);
storage.on('compactionFailed', ({ reason }) => same<typeof reason, StorageErrorCode | SystemErrorCode>(true));
for (const name of ['compaction', 'backup'] as const)
  on(name, (event: StorageEvent) => console.log(heard(event)));

// --- Errors ---

function textOf(error: StorageError): string {
  if (error.code === 'ERR_VALIDATION') {
    const issues: ValidationIssue[] | undefined = error.issues;
    return issues?.map(({ path, message }) => `${path.join('.')}: ${message}`).join() ?? '';
  }
  // @ts-expect-error: no such code
  if (error.code === 'ERR_LOG_CORUPT') return '';
  return error.code === 'ENOSPC' ? (error.path ?? '') : error.message;
}
const codeOfOurs: StorageErrorCode = 'ERR_TIMEOUT';
// @ts-expect-error: that is the system's
const notOurs: StorageErrorCode = 'ENOSPC';

// --- Schemas ---

declare const wallet: StandardSchema<{ coins?: number; note: string }, { coins: number; note: string }>;
const wallets = collection('wallets', { schema: wallet });
same<typeof wallets, Collection<{ coins: number; note: string }, { coins?: number; note: string }>>(true);
same<SchemaInput<typeof wallet>, { coins?: number; note: string }>(true);
same<SchemaOutput<typeof wallet>, { coins: number; note: string }>(true);
await wallets.set('1', { note: 'new' });
// @ts-expect-error: the schema takes no such value
await wallets.set('1', { coins: 5 });
const stored = await wallets.get('1');
same<typeof stored, { coins: number; note: string } | undefined>(true);
const changed = await wallets.update('1', (value) => ({ note: 'spent', coins: (value?.coins ?? 0) - 1 }));
same<typeof changed, { coins: number; note: string }>(true);
const coins: number = await wallets.increment('1', 'coins');
// @ts-expect-error: the field of the schema is a text
await wallets.increment('1', 'note');
const choice: CollectionOptions<typeof wallet> = { schema: wallet };
const sameWallets = storage.collection('wallets', choice);
same<typeof sameWallets, typeof wallets>(true);
same<Awaited<ReturnType<typeof wallets.ensure>>, { coins: number; note: string }>(true);
// @ts-expect-error: no schema
collection('wallets', { schema: {} });
// @ts-expect-error: no such option
collection('wallets', { shema: wallet });
// @ts-expect-error: the package makes collections
new Collection(storage, 'wallets');

export const used = [
  next,
  byName,
  byText,
  asType,
  written,
  noted,
  wrongOp,
  textOf,
  codeOfOurs,
  notOurs,
  coins,
];

// A transaction knows the type of each of its places.
interface Purse {
  coins: number;
}
const purses = collection<Purse>('purses');
const bags = new Storage().collection<string[]>('bags');
const [purse, bag] = await new Storage().transaction(
  [
    [purses, 'ann'],
    [bags, 'ann'],
  ],
  ([found, items]) => {
    same<typeof found, Purse | undefined>(true);
    same<typeof items, string[] | undefined>(true);
    return [{ coins: (found?.coins ?? 0) - 5 }, [...(items ?? []), 'sword']];
  },
);
same<typeof purse, Purse | undefined>(true);
same<typeof bag, string[] | undefined>(true);
const ofAnn = [purses, 'ann'] as const;
// @ts-expect-error: a purse is no list
await new Storage().transaction([ofAnn], () => [['sword']]);
// @ts-expect-error: one value for two places
await new Storage().transaction([ofAnn, ['bags', 'ann']], ([found]) => [found]);
// @ts-expect-error: a promise
await new Storage().transaction([ofAnn], async (values) => values);
