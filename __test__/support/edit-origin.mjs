/**
 * The origin of an edited JSON file (contract Part 2 no. 6), worked out from the files alone. It is the last content, or
 * the state in the log and its backups that is nearest to the edited one and has half of its keys unchanged. Content that
 * equals an older state was put back as a whole. In plain JavaScript: the addon never checks itself.
 */
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { logPath } from './temp.mjs';

/** A state by key: the JSON text of each value. */
const texts = (state) => new Map(Object.keys(state).map((key) => [key, JSON.stringify(state[key])]));

function distance(one, other) {
  let differing = 0;
  for (const [key, text] of one) if (other.get(key) !== text) differing++;
  for (const key of other.keys()) if (!one.has(key)) differing++;
  return differing;
}

function unchanged(state, content) {
  let same = 0;
  for (const [key, text] of content) if (state.get(key) === text) same++;
  return same;
}

/** The states that a log passes through, one for each operation. */
function statesOf(text) {
  const state = new Map();
  const states = [new Map()];
  const merge = (data) => {
    for (const key of Object.keys(data ?? {})) state.set(key, JSON.stringify(data[key]));
  };
  for (const line of text.split('\n').filter((one) => one.trim() !== '')) {
    const entry = JSON.parse(line);
    if (entry.op === 'SET' && entry.key) {
      if (entry.value === undefined) state.delete(entry.key);
      else state.set(entry.key, JSON.stringify(entry.value));
    } else if (entry.op === 'SET') merge(entry.data);
    else if (entry.op === 'DELETE') state.delete(entry.key);
    else if (entry.op === 'CHECKPOINT') merge(entry.state);
    if (!entry._more) states.push(new Map(state));
  }
  return states;
}

async function logsOf(dataDir, name) {
  const log = logPath(dataDir, name);
  const folder = path.dirname(log);
  const prefix = `${name}.log.backup.`;
  const names = (await readdir(folder).catch(() => [])).filter((file) => file.startsWith(prefix));
  names.sort((a, b) => Number(a.slice(prefix.length)) - Number(b.slice(prefix.length)));
  const read = (file) => readFile(file, 'utf8').catch(() => '');
  const text = await read(log);
  // A log that begins with another state does not continue from them.
  const backups = text.startsWith('{"op":"CHECKPOINT"') ? names : [];
  return [...(await Promise.all(backups.map((file) => read(path.join(folder, file))))), text];
}

/** What `content` was made from, as an object; `last` is what the file held before. */
export async function originOfEdit(dataDir, name, last, content) {
  const [shown, before] = [texts(content), texts(last)];
  let nearest;
  for (const log of await logsOf(dataDir, name)) {
    for (const state of statesOf(log)) {
      const differing = distance(state, shown);
      if (2 * unchanged(state, shown) >= shown.size && differing <= (nearest?.differing ?? Infinity)) {
        nearest = { state, differing };
      }
    }
  }
  if (!nearest || nearest.differing === 0 || nearest.differing >= distance(before, shown)) return last;
  return Object.fromEntries([...nearest.state].map(([key, text]) => [key, JSON.parse(text)]));
}
