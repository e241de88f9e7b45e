// Checks what callers were told against what a server has. `calls` come from `children/server-caller.mjs`, `entries` and
// `state` are the tables. Every call that changes something leaves its name in each entry that it makes.
//
//     ack       in the entries exactly once         unknown    at most once         refused    not at all
//     a key     counters go up by one in the order of the entries, and so do its versions
//     a group   all of its entries, in one batch
//     a read    nothing older than what was acknowledged before it, and its caller's calls in their order
//     state     the replay of the entries
//
// Each finding is one line of text; no finding is a history without a fault.

const numberIn = (value) => value.n ?? value.totalGames;
const nameIn = (value) => value.by ?? value.username;

/** The tables `entry` and `state` of a schema. */
export async function readTables(server, schema) {
  const client = await server.connect();
  try {
    const entries = await client.query(
      `SELECT log, seq, part, key, op, value, change FROM ${schema}.entry WHERE op <> 'VOID' ORDER BY seq, part`,
    );
    const state = await client.query(
      `SELECT log, key, value, before, version, change FROM ${schema}.state ORDER BY log, key`,
    );
    return { entries: entries.map(entryOf), state: state.map(stateOf) };
  } finally {
    await client.end();
  }
}

const parsed = (text) => (text === null ? undefined : JSON.parse(text));

function entryOf([log, seq, part, key, op, text, change], place) {
  const value = parsed(text);
  return { place, log, seq: Number(seq), part: Number(part), key: parsed(key), op, text, value, change };
}

function stateOf([log, key, text, before, version, change]) {
  return { log, key: JSON.parse(key), text, before: Number(before), version: Number(version), change };
}

const linesIn = (texts) =>
  texts
    .flatMap((text) => text.split('\n'))
    .filter(Boolean)
    .map((line) => JSON.parse(line));

/** The events of all files, each with its `caller`. */
export function eventsIn(texts) {
  return linesIn(texts).flatMap(({ caller, event }) => (event ? [{ caller, ...event }] : []));
}

/** The calls of all files: what was called, and how it ended, if it did. */
export function callsIn(texts) {
  const calls = new Map();
  for (const part of linesIn(texts).filter(({ id }) => id)) {
    calls.set(part.id, {
      outcome: 'unanswered',
      endedAt: Number.POSITIVE_INFINITY,
      ...calls.get(part.id),
      ...part,
    });
  }
  return [...calls.values()];
}

/** Everything that is wrong, as lines of text. */
export function findFaults({ calls, entries, state }) {
  const history = new History(calls, entries);
  return [
    ...history.outcomes(),
    ...history.chains(),
    ...history.orderOfCallers(),
    ...history.reads(),
    ...replayed(entries, state),
  ];
}

class History {
  #calls;
  #entries;
  #byName;
  #byKey;

  constructor(calls, entries) {
    this.#calls = calls;
    this.#entries = entries;
    this.#byName = grouped(entries, ({ value }) => nameIn(value));
    this.#byKey = grouped(
      entries.filter(({ key }) => key !== undefined),
      ({ log, key }) => `${log} ${key}`,
    );
  }

  #of(call) {
    return this.#byName.get(call.id) ?? [];
  }

  *outcomes() {
    const names = new Set(this.#calls.map(({ id }) => id));
    for (const name of this.#byName.keys())
      if (!names.has(name)) yield `an entry of ${name}, which nobody called`;
    for (const call of this.#calls.filter(isChange)) {
      const found = this.#of(call);
      const whole = call.kind === 'append' ? 1 : call.keys.length;
      const what = `${call.id} (${call.kind}, ${call.outcome}) has ${found.length} of ${whole} entries`;
      if (call.outcome === 'ack' && found.length !== whole) yield what;
      if (call.outcome === 'refused' && found.length !== 0) yield what;
      if (found.length !== 0 && found.length !== whole) yield `${what}, which is not a whole`;
      if (new Set(found.map(({ seq, change }) => `${seq} ${change}`)).size > 1)
        yield `${what}, in several batches`;
      if (found.some(({ key }) => key !== undefined && !call.keys.includes(key)))
        yield `${what}, of other keys`;
      if (call.outcome !== 'ack' || call.kind === 'append') continue;
      for (const [place, key] of call.keys.entries()) {
        const entry = found.find((other) => other.key === key);
        if (entry && numberIn(entry.value) !== call.answer[place]) {
          yield `${call.id} was told ${call.answer[place]} of ${key}, and its entry says ${numberIn(entry.value)}`;
        }
      }
    }
  }

  /** No increment is lost: each entry of a key counts one more than the one before it. */
  *chains() {
    for (const [key, entries] of this.#byKey) {
      for (const [place, { seq, value }] of entries.entries()) {
        if (numberIn(value) !== place + 1)
          yield `${key}: entry ${place + 1} (batch ${seq}) has ${numberIn(value)}`;
      }
    }
  }

  /** The changes of a caller to a log stand there in the order in which they were called. */
  *orderOfCallers() {
    for (const [caller, calls] of grouped(
      this.#calls.filter(isChange),
      ({ caller, log }) => `${caller} ${log}`,
    )) {
      let last = { place: -1, id: 'nothing' };
      for (const call of calls.sort((one, other) => one.number - other.number)) {
        const [first] = this.#of(call);
        if (!first) continue;
        if (first.place < last.place) yield `${caller}: ${call.id} stands before ${last.id}`;
        last = { place: first.place, id: call.id };
      }
    }
  }

  *reads() {
    const acks = grouped(
      this.#calls.filter((call) => isChange(call) && call.outcome === 'ack' && call.log === 'counts'),
      ({ keys }) => keys[0],
    );
    for (const read of this.#calls.filter((call) => !isChange(call) && call.outcome === 'ack')) {
      const seen = read.kind === 'get' ? { [read.keys[0]]: read.answer[0] } : read.answer;
      for (const [key, writes] of acks) {
        if (read.kind !== 'entries' && !read.keys.includes(key)) continue;
        yield* this.#read(read, key, seen[key] ?? 0, writes);
      }
    }
    for (const [key, writes] of acks) yield* staleWrites(key, writes);
  }

  *#read(read, key, number, writes) {
    const what = `${read.id} (${read.kind}) read ${number} of ${key}`;
    const count = this.#byKey.get(`counts ${key}`)?.length ?? 0;
    if (number > count) yield `${what}, which has only ${count} entries`;
    for (const write of writes) {
      const own = write.caller === read.caller;
      const isBefore = write.endedAt < read.startedAt || (own && write.number < read.number);
      const isAfter = own && write.number > read.number;
      if (isBefore && write.answer[0] > number) yield `${what} after ${write.id} was told ${write.answer[0]}`;
      if (isAfter && write.answer[0] <= number) yield `${what} before it called ${write.id}`;
    }
  }
}

/** A call that began after another was acknowledged counts more. */
function* staleWrites(key, writes) {
  const ended = [...writes].sort((one, other) => one.endedAt - other.endedAt);
  let [next, most] = [0, 0];
  for (const write of [...writes].sort((one, other) => one.startedAt - other.startedAt)) {
    while (ended[next].endedAt < write.startedAt) most = Math.max(most, ended[next++].answer[0]);
    if (write.answer[0] <= most)
      yield `${write.id} was told ${write.answer[0]} of ${key} after ${most} was acknowledged`;
  }
}

/** The state is what the entries say: values, versions, and the version before. */
function* replayed(entries, state) {
  const expected = new Map();
  for (const { log, key, op, text, seq, change } of entries) {
    if (op === 'ENTRY') continue;
    const name = `${log} ${key}`;
    const former = expected.get(name);
    // Several entries of one batch are one version.
    const before = former?.version === seq ? former.before : (former?.version ?? 0);
    expected.set(name, { text: op === 'DELETE' ? null : text, before, version: seq, change });
  }
  for (const { log, key, ...found } of state) {
    const name = `${log} ${key}`;
    const wanted = expected.get(name);
    expected.delete(name);
    for (const column of ['text', 'before', 'version', 'change']) {
      if (wanted?.[column] !== found[column]) {
        yield `state of ${name}: ${column} is ${found[column]}, and the entries say ${wanted?.[column]}`;
      }
    }
  }
  for (const name of expected.keys()) yield `state lacks ${name}`;
}

const isChange = ({ kind }) => !['get', 'several', 'entries'].includes(kind);

function grouped(items, keyOf) {
  const groups = new Map();
  for (const item of items) {
    const key = keyOf(item);
    if (!groups.has(key)) groups.set(key, []);
    groups.get(key).push(item);
  }
  return groups;
}
