// Entries as they go from one place to another: each with a time, and what it does to a state.
//
// Invariant: the text of an entry is the same however often it is read, so that a run that was interrupted is found again.

// The changes of an entry: `[key, value]` sets a key, `[key, value, expiresAt]` one that ends by itself, `[key]` removes it.
// `state` is what the entry finds, for the one that removes what is over.
export function changesOf({ op, key, value, data, state, _expires, _until }, found = new Map()) {
  if (op === 'SET') {
    if (!key) return membersOf(data, _expires);
    if (value === undefined) return [[String(key)]];
    return [typeof _expires === 'number' ? [String(key), value, _expires] : [String(key), value]];
  }
  if (op === 'DELETE') return [[String(key)]];
  if (op === 'EXPIRE') return [...found].filter(([, text]) => endOf(text) <= _until).map(([name]) => [name]);
  return op === 'CHECKPOINT' ? membersOf(state, _expires) : [];
}

function membersOf(members, expiries) {
  if (members === null || members === undefined) return [];
  const isExpiring = (key) =>
    expiries !== null && typeof expiries === 'object' && Object.hasOwn(expiries, key);
  return Object.entries(members).map(([key, value]) =>
    isExpiring(key) ? [key, value, expiries[key]] : [key, value],
  );
}

// A value as a state has it: its JSON text, and when it ends, if it does. No JSON text ends so.
export const spelled = (value, expiresAt) =>
  expiresAt === undefined ? JSON.stringify(value) : `${JSON.stringify(value)} until ${expiresAt}`;

const END = / until (\d+)$/;

// When it ends: a time in milliseconds since 1970, or never.
export const endOf = (text) => Number(END.exec(text)?.[1] ?? Number.POSITIVE_INFINITY);

// Does to a state (a Map from keys to values as `spelled` has them) what an entry says.
export function apply(state, entry) {
  for (const [key, value, expiresAt] of changesOf(entry, state)) {
    if (value === undefined) state.delete(key);
    else state.set(key, spelled(value, expiresAt));
  }
}

// The entries that lead from one state to another.
export function* between(from, to, timestamp) {
  for (const key of from.keys()) if (!to.has(key)) yield withTime({ op: 'DELETE', key }, timestamp);
  for (const [key, text] of to) {
    if (from.get(key) === text) continue;
    const value = JSON.parse(text.replace(END, ''));
    const end = END.test(text) ? endOf(text) : undefined;
    // An entry with the empty key has it among several.
    const entry = key === '' ? { op: 'SET', data: { '': value } } : { op: 'SET', key, value };
    if (end !== undefined) entry._expires = key === '' ? { '': end } : end;
    yield withTime(entry, timestamp);
  }
}

// The entry with its time first, as the store writes it. One without a time gets the one of the entry before it.
export function withTime(entry, timeBefore) {
  const { timestamp = entry.compactedAt ?? timeBefore, ...rest } = entry;
  return { timestamp, ...rest };
}

export const later = (one, other) => (Date.parse(one) > Date.parse(other) ? one : other);
