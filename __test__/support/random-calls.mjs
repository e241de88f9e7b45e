// Random calls for the comparison with the reference model: a seeded generator, pools of difficult keys and values, and one
// function that makes up the next call.

export class Random {
  constructor(seed) {
    this.state = seed >>> 0;
  }

  // Mulberry32: short, and the same on every machine.
  next() {
    this.state = (this.state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(this.state ^ (this.state >>> 15), this.state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }

  below(n) {
    return Math.floor(this.next() * n);
  }

  chance(probability) {
    return this.next() < probability;
  }

  pick(list) {
    return list[this.below(list.length)];
  }

  // `weights` is { name: weight }.
  weighted(weights) {
    const names = Object.keys(weights);
    let left = this.next() * names.reduce((sum, name) => sum + weights[name], 0);
    for (const name of names) {
      left -= weights[name];
      if (left < 0) return name;
    }
    return names.at(-1);
  }
}

// Sets an own property whatever its name: plain assignment of `__proto__` would set the prototype.
export function put(object, key, value) {
  Object.defineProperty(object, key, { value, enumerable: true, configurable: true, writable: true });
  return object;
}

const KEYS = [
  'u1',
  'u2',
  'u3',
  'u4',
  'u5',
  '184467440737095516',
  '3',
  '42',
  '7',
  '4294967295',
  'constructor',
  'hasOwnProperty',
  'ключ',
  'a"b\\c\nd',
  '😀',
  'two words',
];
// The old module loses these two: one sets the prototype of its state, and it cannot write the other one to a file.
const KEYS_BEYOND_THE_OLD_MODULE = ['__proto__'];
const LONE_SURROGATES = ['\ud800', '\udfff'];

const STRINGS = [
  '',
  'Ann',
  'Zoë',
  '日本語',
  '"quoted"',
  'back\\slash',
  'line\nbreak',
  '\u2028',
  '😀',
  '\ud83d',
  '\0',
];
const NUMBERS = [0, 1, -1, 0.5, 0.1, 1e21, 1e-7, 123456789.125, -0, 2 ** 53, 5e-324, 100];
const SCORES = [0, 1, 5, 10, 10, 20, 25, 99, -3, -7, 0.5, 2.5, 0.1, 0.2, 1e6];
const SORT_FIELDS = [
  'totalScore',
  'totalGames',
  'totalWins',
  'averageScore',
  'accuracyRate',
  'level',
  'none',
];

export class CallGenerator {
  constructor(random, model, { oldModule = false } = {}) {
    this.random = random;
    this.model = model;
    this.oldModule = oldModule;
    this.keys = [...KEYS, ...LONE_SURROGATES, ...(oldModule ? [] : KEYS_BEYOND_THE_OLD_MODULE)];
  }

  key() {
    return this.random.pick(this.keys);
  }

  value(depth = 3) {
    const { random } = this;
    const kind = random.below(depth > 0 ? 8 : 5);
    if (kind === 0) return random.pick([null, true, false]);
    if (kind <= 2) return random.pick(NUMBERS);
    if (kind <= 4) return random.pick(STRINGS);
    if (kind === 5) return Array.from({ length: random.below(4) }, () => this.value(depth - 1));
    return this.object(depth - 1);
  }

  object(depth = 2) {
    const object = {};
    for (let i = this.random.below(4); i > 0; i--) put(object, this.key(), this.value(depth));
    return object;
  }

  // A record like those of an admin or an older bot: some of the known fields, and others.
  player(userId) {
    const { random } = this;
    const player = { userId };
    for (const field of ['totalGames', 'totalScore', 'totalWins', 'bestScore', 'totalCorrectAnswers']) {
      if (random.chance(0.5)) player[field] = random.below(50);
    }
    if (random.chance(0.3)) player.level = random.pick(NUMBERS);
    if (random.chance(0.3)) player.username = random.pick(STRINGS);
    if (random.chance(0.2))
      player.gamesHistory = [{ date: '2023-01-01T00:00:00.000Z', score: random.below(9) }];
    if (random.chance(0.2)) put(player, this.key(), this.value());
    return player;
  }

  valueFor(name, key) {
    const { random } = this;
    if (name === 'players') return this.player(key);
    if (name === 'coins') return random.chance(0.7) ? { level: random.pick(NUMBERS) } : this.value();
    if (name === 'game_state') return this.object();
    return this.value();
  }

  result() {
    const { random } = this;
    const args = [this.key(), random.pick(STRINGS), random.pick(SCORES)];
    if (random.chance(0.7)) args.push(random.pick([true, false, undefined]));
    if (args.length === 4 && random.chance(0.7)) args.push(random.below(12));
    if (args.length === 5 && random.chance(0.8)) args.push(random.below(12));
    return args;
  }

  // An entry for a log whose state has values of this name.
  entry(name) {
    const { random } = this;
    const key = this.key();
    const data = () => {
      const object = {};
      for (let i = random.below(4); i > 0; i--) {
        const one = this.key();
        put(object, one, this.valueFor(name, one));
      }
      return object;
    };
    switch (random.below(7)) {
      case 0:
      case 1:
        return { op: 'SET', key, value: this.valueFor(name, key) };
      case 2:
        return { op: 'SET', data: data() };
      case 3:
        return { op: 'DELETE', key };
      case 4:
        return { op: 'CHECKPOINT', state: data(), compactedAt: '2024-01-01T00:00:00.000Z' };
      case 5:
        return random.pick([
          { op: 'NOTE', text: random.pick(STRINGS) },
          { what: 'ever' },
          { op: 'SET', key: '' },
        ]);
      default:
        return { op: 'SET', key };
    }
  }

  // The next call: { on: 'storage' | 'coins', method, args, writes }, where `writes` names the log.
  call({ only = () => true } = {}) {
    for (;;) {
      const call = this.anyCall();
      if (call && only(call)) return call;
    }
  }

  // The arguments of updatePlayersStats.
  results() {
    return Array.from({ length: this.random.below(5) }, () => {
      const [userId, username, score, isWinner, correctAnswers, incorrectAnswers] = this.result();
      return { userId, username, score, isWinner, correctAnswers, incorrectAnswers };
    });
  }

  // The arguments of saveTokens.
  tokens() {
    const { random } = this;
    const tokens = Array.from({ length: random.below(4) }, () => this.value());
    return random.chance(0.5) ? [tokens] : [tokens, { name: random.pick(STRINGS) }];
  }

  // The argument of savePlayers: often the loaded players with some changes, as an admin command saves them.
  changedPlayers() {
    const { random } = this;
    const players = random.chance(0.7) ? this.model.loadPlayers() : {};
    for (let i = random.below(3); i > 0; i--) {
      const key = this.key();
      if (random.chance(0.3)) delete players[key];
      else put(players, key, this.player(key));
    }
    return players;
  }

  anyCall() {
    const { random } = this;
    const storage = (method, args = [], writes = null) => ({ on: 'storage', method, args, writes });
    const method = random.weighted(this.oldModule ? OLD_WEIGHTS : WEIGHTS);
    if (method.endsWith('Many')) return this.onSeveralKeys(method.slice(6));
    switch (method) {
      case 'updatePlayerStats':
        return storage(method, this.result(), 'players');
      case 'updatePlayersStats':
        return storage(method, [this.results()], 'players');
      case 'savePlayers':
        return storage(method, [this.changedPlayers()], 'players');
      case 'getPlayerStats':
        return storage(method, [this.key()]);
      case 'getLeaderboard':
        return storage(
          method,
          random.pick([[], [random.pick(SORT_FIELDS)], [random.pick(SORT_FIELDS), random.below(20)]]),
        );
      case 'getPlayerRank':
        return storage(method, random.pick([[this.key()], [this.key(), random.pick(SORT_FIELDS)]]));
      case 'saveTokens':
        return storage(method, this.tokens(), 'tokens');
      case 'saveGameState':
        return storage(method, [this.key(), this.object()], 'game_state');
      case 'loadGameState':
        return storage(method, [this.key()]);
      case 'clearGameState':
        return storage(method, [this.key()], 'game_state');
      case 'appendNote':
        return storage('appendLogEntry', ['notes', this.entry('notes')], 'notes');
      case 'appendElsewhere': {
        const name = random.pick(['players', 'game_state', 'coins']);
        return storage('appendLogEntry', [name, this.entry(name)], name);
      }
      case 'transaction':
        return storage(method, [this.places(), this.newValues()], 'coins');
      case 'readLogEntries':
      case 'rebuildStateFromLog':
        return storage(method, ['notes']);
      case 'compactLog':
      case 'compact': {
        const name = random.pick(
          this.oldModule ? ['notes'] : ['notes', 'players', 'tokens', 'game_state', 'coins'],
        );
        return storage(method, [name], name);
      }
      case 'compactAllLogs':
        return storage(method, [], 'players');
      default:
        if (method.startsWith('coins.')) return this.coinsCall(method.slice('coins.'.length));
        return storage(method);
    }
  }

  // A call on the collection `coins`.
  coinsCall(method) {
    const { random } = this;
    const coins = (args, writes = null) => ({ on: 'coins', method, args, writes });
    switch (method) {
      case 'set': {
        const key = this.key();
        return coins([key, this.valueFor('coins', key)], 'coins');
      }
      case 'get':
      case 'has':
        return coins([this.key()]);
      case 'delete':
        return coins([this.key()], 'coins');
      case 'update':
        return coins([this.key(), this.change()], 'coins');
      case 'ensure': {
        const key = this.key();
        return coins([key, this.valueFor('coins', key)], 'coins');
      }
      case 'increment':
        return coins(this.increment(), 'coins');
      case 'push': {
        const items = Array.from({ length: random.below(4) }, () => this.value());
        return coins([this.key(), this.field('list'), ...items], 'coins');
      }
      case 'top':
        return coins(random.pick([['level'], ['level', random.below(6)]]));
      case 'rank':
        return coins([this.key(), 'level']);
      case 'clear':
        return coins([], 'coins');
      default:
        return coins([]);
    }
  }

  // A field that often is there already.
  field(name) {
    return this.random.chance(0.7) ? name : this.key();
  }

  // The arguments of increment(): numbers that add up to more than JSON can hold are refused.
  increment() {
    const { random } = this;
    const args = [this.key(), this.field('level')];
    if (random.chance(0.7)) args.push(random.pick([...NUMBERS, Number.MAX_VALUE, undefined]));
    return args;
  }

  // Some keys; one may be there twice.
  some() {
    return Array.from({ length: this.random.below(5) }, () => this.key());
  }

  onSeveralKeys(method) {
    const { random } = this;
    const keys = this.some();
    const call = (args, writes = 'coins') => ({ on: 'coins', method, args, writes });
    if (method === 'getMany') return call([keys], null);
    if (method === 'deleteMany') return call([keys]);
    if (method === 'updateMany') return call([new Set(keys), this.changes()]);
    const pairs = keys.map((key) => [key, this.valueFor('coins', key)]);
    return call([random.pick([pairs, new Map(pairs)])]);
  }

  // A function for updateMany(), of the values of some keys: it changes those that are there, or one of them.
  changes() {
    const { random } = this;
    const more = random.below(10);
    return random.pick([
      (values) => {
        for (const key of Object.keys(values)) values[key] = { level: more };
        return values;
      },
      (values) => Object.fromEntries(Object.keys(values).map((key) => [key, undefined])),
      (values) => {
        const [first, ...others] = Object.keys(values);
        const changes = Object.create(null);
        if (first !== undefined) changes[first] = undefined;
        for (const key of others) changes[key] = [values[key], more];
        return changes;
      },
      () => ({}),
    ]);
  }

  // Keys of two collections, none twice.
  places() {
    const places = new Map();
    for (let left = 1 + this.random.below(3); left > 0; left--) {
      const place = [this.random.pick(['coins', 'bank']), this.key()];
      places.set(JSON.stringify(place), place);
    }
    return [...places.values()];
  }

  // A function for transaction(), of the values of some places.
  newValues() {
    const { random } = this;
    const more = random.below(10);
    return random.pick([
      (values) => values.map((value) => ({ level: (value?.level ?? 0) + more })),
      (values) => values.map((value) => value ?? more),
      (values) => [...values].reverse(),
      (values) => values.map((value) => (value === undefined ? more : undefined)),
    ]);
  }

  // A function for update(): it depends on its argument alone, since it may run again.
  change() {
    const { random } = this;
    const amount = random.below(10);
    return random.pick([
      (value) => ({ level: (value?.level ?? 0) + amount }),
      (value) => (Array.isArray(value) ? [...value, amount] : [amount]),
      (value) => value ?? null,
      (value) => {
        if (typeof value === 'object' && value !== null && !Array.isArray(value)) value.more = amount;
        return value === undefined ? {} : value;
      },
    ]);
  }
}

const OLD_WEIGHTS = {
  updatePlayerStats: 20,
  savePlayers: 3,
  getPlayerStats: 4,
  getLeaderboard: 5,
  loadPlayers: 2,
  saveTokens: 4,
  loadTokens: 2,
  needsTokenRefresh: 1,
  saveGameState: 8,
  loadGameState: 4,
  clearGameState: 4,
  getAllGameStates: 2,
  appendNote: 12,
  readLogEntries: 3,
  rebuildStateFromLog: 3,
  compactLog: 1,
};

const WEIGHTS = {
  ...OLD_WEIGHTS,
  compactLog: 2,
  compact: 1,
  compactAllLogs: 0.5,
  updatePlayersStats: 6,
  getPlayerRank: 5,
  appendElsewhere: 6,
  'coins.set': 8,
  'coins.get': 3,
  'coins.has': 2,
  'coins.delete': 4,
  'coins.update': 8,
  'coins.getMany': 3,
  'coins.setMany': 4,
  'coins.deleteMany': 2,
  'coins.updateMany': 6,
  transaction: 6,
  'coins.ensure': 4,
  'coins.increment': 8,
  'coins.push': 6,
  'coins.top': 3,
  'coins.rank': 3,
  'coins.clear': 0.5,
  'coins.entries': 1,
  'coins.keys': 1,
  'coins.size': 1,
  'coins.values': 1,
};
