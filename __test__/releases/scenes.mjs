// The data folders that a release leaves behind, one scene each: what a bot did, and how it ended. `make.mjs` plays them with
// the package of a release; each runs in a process of its own, since most are killed.
//
//   play       `(bot) => …`: the calls. What they must give later is what the release itself answers at that moment (`saw`)
//   last       the call during which it is killed
//   end        `close`, `kill`, or `{ killedAt, file }`: at the last such system call, of those on that file if one is named
//   afterwards what happens to the files then, and so to what they must give
//   needs      a call of a Storage that the release may not have

import { readdir, readFile, rename, utimes, writeFile } from 'node:fs/promises';
import path from 'node:path';

const YEAR_2100_MS = 4_102_444_800_000;
const WRITES = 'write,pwrite64,writev,pwritev,pwritev2';
const RENAMES = 'rename,renameat,renameat2';
const log = (dataDir, name) => path.join(dataDir, 'logs', `${name}.log`);

/** A night of a trivia bot: some of everything that the old module has too. */
export async function night(storage, number) {
  for (let i = 0; i < 4; i++)
    await storage.updatePlayerStats(
      `user${(number + i) % 5}`,
      `Näme "${i}" 😀\n`,
      i * 7.5,
      i === 0,
      i,
      4 - i,
    );
  await storage.updatePlayersStats([
    { userId: String(number * 10), username: 'digits', score: number, isWinner: true },
    { userId: 'constructor', username: 'awkward', score: -1.5 },
  ]);
  await storage.saveGameState(`channel${number % 2}`, { night: number, scores: { a: 1e21, b: 0.1 } });
  await storage.saveGameState(`closing${number}`, { night: number });
  await storage.clearGameState(`closing${number}`);
  await storage.saveTokens([number, { id: number }], number % 2 === 0 ? { artist: number } : undefined);
  await storage.appendLogEntry('notes', { op: 'NOTE', text: `night ${number}\u2028` });
  await storage.collection('guilds').set('g', { prefix: '!', night: number });
}

/** Someone edits the players' JSON file: one is changed, one goes, one comes. */
async function edit({ dataDir, saw }) {
  const file = path.join(dataDir, 'players.json');
  const change = (players) => {
    players.user1.title = 'given by hand';
    delete players.user0;
    players.byHand = { userId: 'byHand', totalScore: 1 };
  };
  const players = JSON.parse(await readFile(file, 'utf8'));
  change(players);
  await writeFile(file, `${JSON.stringify(players, null, 2)}\n`);
  change(saw.players);
}

/** A backup that is older than a day, so that the release compresses it the next time. */
async function ageOldest(dataDir, kind) {
  const folder = path.join(dataDir, 'logs');
  const [oldest] = (await readdir(folder)).filter((name) => name.startsWith(`players.log.${kind}.`)).sort();
  const past = Date.now() - 3 * 86_400_000;
  const aged = path.join(folder, oldest.replace(/\d+$/, String(past)));
  await rename(path.join(folder, oldest), aged);
  await utimes(aged, past / 1000, past / 1000);
}

/** Waits until a scheduler has compressed the backup that is old enough. */
async function compressed(storage, dataDir) {
  const scheduler = storage.startCompactionScheduler(20, ['players']);
  const hasCompressed = async () =>
    (await readdir(path.join(dataDir, 'logs'))).some((name) => name.endsWith('.gz'));
  while (!(await hasCompressed())) await new Promise((resolve) => setTimeout(resolve, 20));
  scheduler.stop();
}

export const SCENES = {
  'clean-end': {
    options: { backups: 3, archives: 3, rotation: { sizeBytes: 3000 } },
    async play({ storage, Storage, dataDir, options }) {
      for (let number = 0; number < 3; number++) await night(storage, number);
      await storage.compactAllLogs();
      for (let number = 3; number < 7; number++) await night(storage, number);
      await storage.close();
      await ageOldest(dataDir, 'backup');
      const again = new Storage({ dataDir, ...options });
      await night(again, 7);
      await again.compactLog('players');
      await night(again, 8);
      await compressed(again, dataDir);
      return again;
    },
    end: 'close',
  },
  killed: {
    async play({ storage }) {
      // A JSON file of over 64 KiB follows in the background, so a kill leaves it behind.
      const bio = 'x'.repeat(900);
      const players = {};
      for (let i = 0; i < 80; i++) players[`user${i}`] = { userId: `user${i}`, totalScore: i, bio };
      await storage.savePlayers(players);
      await storage.flush();
      await night(storage, 1);
      await storage.collection('guilds').delete('none');
    },
    end: 'kill',
  },
  'torn-tail': {
    async play({ storage }) {
      await night(storage, 1);
      await night(storage, 2);
    },
    end: 'kill',
    // A crash in the middle of a write leaves the log like this, and the JSON file as before.
    async afterwards({ dataDir }) {
      for (const name of ['players', 'notes']) {
        const lines = (await readFile(log(dataDir, name), 'utf8')).split('\n');
        const last = lines.at(-2);
        await writeFile(log(dataDir, name), `${lines.join('\n')}${last.slice(0, last.length >> 1)}`);
      }
    },
  },
  'set-aside': {
    async play({ storage, Storage, dataDir }) {
      await night(storage, 1);
      await night(storage, 2);
      await storage.close();
      const text = await readFile(log(dataDir, 'guilds'), 'utf8');
      const lines = text.split('\n');
      const broken = [lines[0].replace('prefix', 'prefax'), ...lines.slice(1)].join('\n');
      await writeFile(log(dataDir, 'guilds'), `${broken}{"timestamp":"2026`);
      const again = new Storage({ dataDir, logger: null });
      await again.collection('guilds').set('h', { prefix: '?' });
      return again;
    },
    end: 'close',
  },
  compacting: {
    async play({ storage }) {
      for (let number = 0; number < 4; number++) await night(storage, number);
    },
    last: ({ storage }) => storage.compactLog('players'),
    end: { killedAt: RENAMES },
  },
  'edited-after-end': {
    async play({ storage }) {
      for (let number = 0; number < 3; number++) await night(storage, number);
    },
    end: 'close',
    afterwards: edit,
  },
  'edited-after-kill': {
    async play({ storage }) {
      for (let number = 0; number < 3; number++) await night(storage, number);
    },
    end: 'kill',
    afterwards: edit,
  },
  'mirror-close': {
    needs: 'transaction',
    options: { mirror: 'close' },
    async play({ storage }) {
      await night(storage, 1);
      await storage.flush();
      await night(storage, 2);
    },
    end: 'kill',
  },
  transaction: {
    needs: 'transaction',
    async play({ storage, saw }) {
      await storage.collection('coins').set('a', 10);
      await storage.collection('items').set('b', ['sword']);
      // It is committed before the first log has its line.
      saw.collections = { coins: { a: 4 }, items: { b: ['sword', 'shield'] } };
    },
    last: ({ storage }) =>
      storage.transaction(
        [
          ['coins', 'a'],
          ['items', 'b'],
        ],
        ([coins, items]) => [coins - 6, [...items, 'shield']],
      ),
    end: { killedAt: WRITES, file: 'logs/items.log' },
  },
  'keys-that-end': {
    needs: 'transaction',
    async play({ storage, saw }) {
      const cooldowns = storage.collection('cooldowns');
      await cooldowns.set('for ever', 1);
      await cooldowns.set('long', 2, { expiresAt: YEAR_2100_MS });
      await cooldowns.set('over', 3, { ttlMs: 1 });
      await new Promise((resolve) => setTimeout(resolve, 20));
      // A line says that it is over.
      await cooldowns.set('after', 4);
      await storage.compactLog('cooldowns');
      await cooldowns.set('short', 5, { ttlMs: 50 });
      await new Promise((resolve) => setTimeout(resolve, 100));
      saw.collections = { cooldowns: { 'for ever': 1, long: 2, after: 4 } };
      saw.ends = { cooldowns: { long: YEAR_2100_MS, after: null, over: null, short: null } };
    },
    end: 'close',
  },
};

/** What a folder's logs hold: `{ players, tokens, games, collections, notes, histories }`, dates and all. */
export async function seenBy(storage, { collections = { guilds: null }, ends = {} } = {}) {
  const saw = {
    players: await storage.loadPlayers(),
    tokens: await storage.loadTokens(),
    games: await storage.getAllGameStates(),
    collections: {},
    notes: await storage.readLogEntries('notes'),
    ends: {},
    histories: {},
  };
  for (const name of Object.keys(collections))
    saw.collections[name] = Object.fromEntries(await storage.collection(name).entries());
  for (const [name, keys] of Object.entries(ends)) {
    saw.ends[name] = {};
    for (const key of Object.keys(keys)) saw.ends[name][key] = await storage.collection(name).expiresAt(key);
  }
  for (const key of ['user1', 'constructor'])
    saw.histories[key] = (await storage.history('players', key)).map(({ value, timestamp }) => [
      timestamp,
      value?.totalScore ?? null,
    ]);
  return JSON.parse(JSON.stringify(saw));
}
