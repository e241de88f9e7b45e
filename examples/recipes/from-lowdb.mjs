// Brings the JSON file of lowdb into collections. Stop the bot first.
//
//     node from-lowdb.mjs db.json data
//
// Each list and each object at the top becomes a collection of its name: `{ users: [{ id: '42', … }], settings: { … } }`
// becomes `users`, whose keys are the ids, and `settings`, whose keys are the properties. What is neither, such as a number,
// becomes a key of the collection `lowdb`. It can be run again, and overwrites nothing: see `bring-over.mjs`.

import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { Storage } from 'progressive-storage';
import { bringOver, inWords, shown } from './bring-over.mjs';
import { isProgram, tryOut } from './try-out.mjs';

/** The collections that the data becomes: a Map of their names to pairs of a key and a value. */
export function collectionsOf(data, idField = 'id') {
  if (data === null || typeof data !== 'object' || Array.isArray(data))
    throw new Error('The file has no object at its top.');
  const collections = new Map();
  const others = [];
  for (const [name, value] of Object.entries(data)) {
    if (Array.isArray(value)) collections.set(name, byId(name, value, idField));
    else if (value !== null && typeof value === 'object') collections.set(name, Object.entries(value));
    else others.push([name, value]);
  }
  if (others.length > 0 && collections.has('lowdb')) throw new Error("Rename 'lowdb' in the file first.");
  if (others.length > 0) collections.set('lowdb', others);
  return collections;
}

function byId(name, items, idField) {
  const keyed = new Map();
  for (const [index, item] of items.entries()) {
    const id = item?.[idField];
    const isId = (typeof id === 'string' && id !== '') || typeof id === 'number';
    if (!isId) throw new Error(`${name}[${index}] has no '${idField}'. Nothing was written.`);
    if (keyed.has(String(id))) throw new Error(`${name} has ${shown(id)} twice. Nothing was written.`);
    keyed.set(String(id), item);
  }
  return [...keyed];
}

/** Brings the file over; resolves to a Map of the collections' names to reports. With `overwrite`, other values are overwritten. */
export async function fromLowdb(storage, file, { idField, overwrite } = {}) {
  const collections = collectionsOf(JSON.parse(await readFile(file, 'utf8')), idField);
  // A name that no collection may have is refused before anything is written.
  const targets = [...collections].map(([name, entries]) => [name, storage.collection(name), entries]);
  const reports = new Map();
  for (const [name, target, entries] of targets)
    reports.set(name, await bringOver(target, entries, { overwrite }));
  return reports;
}

const show = (reports) => console.log([...reports].map(([name, report]) => inWords(name, report)).join('\n'));

const [, , file, dataDir = 'data'] = process.argv;
if (isProgram(import.meta.url) && file) {
  const storage = new Storage({ dataDir });
  show(await fromLowdb(storage, file));
  await storage.close();
} else {
  tryOut(import.meta.url, async (storage, folder) => {
    const sample = path.join(folder, 'db.json');
    const users = [
      { id: '42', coins: 5 },
      { id: '43', coins: 7 },
    ];
    await writeFile(sample, JSON.stringify({ users, settings: { prefix: '!' }, visits: 12 }));
    show(await fromLowdb(storage, sample));
    await storage.collection('users').increment('42', 'coins', 10);
    show(await fromLowdb(storage, sample));
  });
}
