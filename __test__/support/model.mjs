// The reference model: the whole API of the store as plain, synchronous JavaScript in memory, written from the contract
// alone. The addon must give the same results, key order included.
//
// The addon keeps JSON text, so the model copies through JSON: both drop and convert the same things. States have no
// prototype: `__proto__` is a key like any other.

const HISTORY_KEPT = 50;
const TOKEN_LIFE_MS = 24 * 60 * 60 * 1000;

function copy(value) {
  return value === undefined ? undefined : JSON.parse(JSON.stringify(value));
}

function emptyState() {
  return Object.create(null);
}

// JSON.parse makes every key an own property, and so does assignment to a state without a prototype.
function mergeInto(state, data) {
  for (const key of Object.keys(data)) state[key] = copy(data[key]);
}

function isObject(value) {
  return typeof value === 'object' && value !== null;
}

function isRecord(value) {
  return isObject(value) && !Array.isArray(value);
}

// A call that the data does not allow: it changes nothing, and rejects with this code.
function refuse(code) {
  throw Object.assign(new TypeError(`refused with ${code}`), { code });
}

function numberOf(value, field) {
  if (!isObject(value) || !Object.hasOwn(value, field)) return undefined;
  return typeof value[field] === 'number' ? value[field] : undefined;
}

export class Model {
  constructor({ now = () => new Date() } = {}) {
    this.now = now;
    this.logs = new Map();
  }

  isoNow() {
    return this.now().toISOString();
  }

  // One log: its entries as readLogEntries shows them, and the resulting state.
  log(name) {
    let log = this.logs.get(name);
    if (!log) {
      log = { entries: [], state: emptyState() };
      this.logs.set(name, log);
    }
    return log;
  }

  // The state itself, for tests that edit it like an admin edits a file.
  state(name) {
    return this.log(name).state;
  }

  // The files of this name are gone.
  forget(name) {
    this.logs.delete(name);
  }

  // --- append-log ---

  appendLogEntry(name, entry) {
    const line = copy({ timestamp: this.isoNow(), ...entry });
    const log = this.log(name);
    log.entries.push(line);
    const { state } = log;
    switch (line.op) {
      case 'SET':
        if (!line.key) mergeInto(state, line.data ?? {});
        else if (line.value === undefined) delete state[line.key];
        else state[line.key] = line.value;
        break;
      case 'DELETE':
        delete state[line.key];
        break;
      case 'CHECKPOINT':
        mergeInto(state, line.state ?? {});
        break;
      default:
        break;
    }
  }

  readLogEntries(name) {
    return copy(this.log(name).entries);
  }

  rebuildStateFromLog(name) {
    return copy(this.log(name).state);
  }

  compactLog(name) {
    const log = this.log(name);
    log.entries = [{ op: 'CHECKPOINT', state: copy(log.state), compactedAt: this.isoNow() }];
  }

  compact(name) {
    if (name === undefined) this.compactAllLogs();
    else this.compactLog(name);
  }

  compactAllLogs() {
    for (const name of ['players', 'tokens', 'game_state']) this.compactLog(name);
  }

  // --- tokens ---

  saveTokens(tokens, artistInfo = null) {
    const data = { lastUpdated: this.isoNow(), count: tokens.length, tokens };
    if (artistInfo !== null) data.artistInfo = artistInfo;
    this.replace('tokens', data);
  }

  loadTokens() {
    const state = copy(this.state('tokens'));
    return Object.keys(state).length > 0 ? state : null;
  }

  needsTokenRefresh() {
    const tokens = this.loadTokens();
    if (!tokens?.lastUpdated) return true;
    return this.now().getTime() - Date.parse(tokens.lastUpdated) > TOKEN_LIFE_MS;
  }

  replace(name, data) {
    const log = this.log(name);
    log.state = emptyState();
    mergeInto(log.state, copy(data));
  }

  // --- players ---

  loadPlayers() {
    return copy(this.state('players'));
  }

  savePlayers(players) {
    this.replace('players', players);
  }

  playerOver(username, userId) {
    const stored = this.state('players')[userId];
    return {
      userId,
      username,
      totalGames: 0,
      totalWins: 0,
      totalScore: 0,
      averageScore: 0,
      bestScore: 0,
      totalCorrectAnswers: 0,
      totalIncorrectAnswers: 0,
      totalAnswers: 0,
      accuracyRate: 0,
      gamesHistory: [],
      ...stored,
    };
  }

  getPlayerStats(userId) {
    return copy(this.playerOver(null, userId));
  }

  updatePlayerStats(userId, username, score, isWinner = false, correctAnswers = 0, incorrectAnswers = 0) {
    const player = this.playerOver(username, userId);
    player.username = username;
    player.totalGames += 1;
    player.totalScore += score;
    player.averageScore = Math.round(player.totalScore / player.totalGames);
    player.bestScore = Math.max(player.bestScore, score);
    player.totalCorrectAnswers += correctAnswers;
    player.totalIncorrectAnswers += incorrectAnswers;
    player.totalAnswers = player.totalCorrectAnswers + player.totalIncorrectAnswers;
    player.accuracyRate =
      player.totalAnswers === 0 ? 0 : Math.round((100 * player.totalCorrectAnswers) / player.totalAnswers);
    if (isWinner) player.totalWins += 1;
    const game = { date: this.isoNow(), score, isWinner, correctAnswers, incorrectAnswers };
    player.gamesHistory = [...player.gamesHistory, game].slice(-HISTORY_KEPT);
    this.state('players')[userId] = copy(player);
    return copy(player);
  }

  updatePlayersStats(results) {
    return results.map(({ userId, username, score, isWinner, correctAnswers, incorrectAnswers }) =>
      this.updatePlayerStats(userId, username, score, isWinner, correctAnswers, incorrectAnswers),
    );
  }

  getLeaderboard(sortBy = 'totalScore', limit = 10) {
    const value = (player) => numberOf(player, sortBy) ?? 0;
    const players = Object.values(this.loadPlayers());
    return players.sort((a, b) => value(b) - value(a)).slice(0, limit);
  }

  getPlayerRank(userId, sortBy = 'totalScore') {
    const value = (player) => numberOf(player, sortBy) ?? 0;
    const players = Object.entries(this.loadPlayers()).sort(([, a], [, b]) => value(b) - value(a));
    const at = players.findIndex(([key]) => key === userId);
    return at < 0 ? null : { rank: at + 1, of: players.length };
  }

  // --- game states ---

  saveGameState(channelId, state) {
    this.state('game_state')[channelId] = copy({ ...state, lastUpdated: this.isoNow() });
  }

  loadGameState(channelId) {
    return copy(this.state('game_state')[channelId]) ?? null;
  }

  clearGameState(channelId) {
    delete this.state('game_state')[channelId];
  }

  getAllGameStates() {
    return copy(this.state('game_state'));
  }

  // --- collections ---

  transaction(places, change) {
    const now = () => places.map(([name, key]) => this.collection(name).get(key));
    const made = change(now());
    for (const [place, [name, key]] of places.entries()) {
      if (made[place] === undefined) this.collection(name).delete(key);
      else this.collection(name).set(key, made[place]);
    }
    return now();
  }

  collection(name) {
    return new ModelCollection(this, name);
  }
}

class ModelCollection {
  constructor(model, name) {
    this.model = model;
    this.name = name;
  }

  get state() {
    return this.model.state(this.name);
  }

  get(key) {
    return copy(this.state[key]);
  }

  set(key, value) {
    this.state[key] = copy(value);
  }

  delete(key) {
    const was = this.has(key);
    delete this.state[key];
    return was;
  }

  has(key) {
    return Object.hasOwn(this.state, key);
  }

  update(key, change) {
    const value = copy(change(this.get(key)));
    this.state[key] = value;
    return copy(value);
  }

  getMany(keys) {
    const there = [...new Set(keys)].filter((key) => this.has(key));
    return new Map(there.map((key) => [key, this.get(key)]));
  }

  setMany(entries) {
    const pairs = typeof entries[Symbol.iterator] === 'function' ? entries : Object.entries(entries);
    for (const [key, value] of new Map(pairs)) this.set(key, value);
  }

  deleteMany(keys) {
    return [...new Set(keys)].filter((key) => this.delete(key)).length;
  }

  updateMany(keys, change) {
    const values = () => Object.fromEntries(this.getMany(keys));
    const changes = Object.entries(change(Object.setPrototypeOf(values(), null)));
    for (const [key, value] of changes) if (value !== undefined) this.set(key, value);
    for (const [key, value] of changes) if (value === undefined) this.delete(key);
    return values();
  }

  ensure(key, value) {
    return this.has(key) ? this.get(key) : this.update(key, () => value);
  }

  increment(key, field, by = 1) {
    return this.changeField(key, field, 0, (number) => {
      if (typeof number !== 'number') refuse('ERR_STORED_TYPE');
      return Number.isFinite(number + by) ? number + by : refuse('ERR_INVALID_ARG_VALUE');
    });
  }

  push(key, field, ...items) {
    const isThere = isObject(this.get(key)) && Object.hasOwn(this.get(key), field);
    if (items.length === 0 && (!this.has(key) || (isRecord(this.get(key)) && !isThere))) return 0;
    const list = this.changeField(key, field, [], (old) =>
      Array.isArray(old) ? [...old, ...items] : refuse('ERR_STORED_TYPE'),
    );
    return list.length;
  }

  changeField(key, field, empty, change) {
    const record = this.update(key, (value = {}) => {
      if (!isRecord(value)) refuse('ERR_STORED_TYPE');
      const old = Object.hasOwn(value, field) ? value[field] : empty;
      // A spread keeps `__proto__` as a property, and so does a computed name.
      return { ...value, [field]: change(old) };
    });
    return record[field];
  }

  values() {
    return this.entries().map(([, value]) => value);
  }

  entries() {
    return Object.entries(copy(this.state));
  }

  keys() {
    return Object.keys(this.state);
  }

  size() {
    return this.keys().length;
  }

  ranked(field) {
    const withField = this.entries().filter(([, value]) => numberOf(value, field) !== undefined);
    return withField.sort(([, a], [, b]) => b[field] - a[field]);
  }

  top(field, n = 10) {
    return this.ranked(field).slice(0, n);
  }

  rank(key, field) {
    const ranked = this.ranked(field);
    const at = ranked.findIndex(([other]) => other === key);
    return at < 0 ? null : { rank: at + 1, of: ranked.length };
  }

  clear() {
    this.model.replace(this.name, {});
  }
}
