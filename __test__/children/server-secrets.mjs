// Calls on a server, and prints everything about them that a person or a log may get to see: errors in every form, events,
// metrics, the inspected objects. Arguments: the options of the Storage as JSON, and the way it ends.

import { inspect } from 'node:util';
import * as ps from '../../index.js';

const [options, way] = [JSON.parse(process.argv[2]), process.argv[3]];
const show = (what, value) =>
  console.log(what, inspect(value, { depth: 10, showHidden: true, getters: true }));

function showError(what, error) {
  show(what, error);
  console.log(
    what,
    String(error),
    error.message,
    error.stack,
    JSON.stringify(error),
    JSON.stringify(Object.entries(error)),
  );
  for (const name of Object.getOwnPropertyNames(error)) console.log(what, name, inspect(error[name]));
}

process.on('warning', (warning) => showError('warning', warning));
let storage;
try {
  storage = new ps.Storage(options);
} catch (error) {
  showError('constructor', error);
  process.exit(0);
}
for (const name of ['connectionLost', 'reconnect', 'notReplicated', 'lostWrites']) {
  storage.on(name, (event) => show(name, event));
}
const counts = storage.collection('counts');
const calls = {
  update: () => counts.update('a', (value) => (value ?? 0) + 1),
  get: () => counts.get('a'),
  entries: () => counts.entries(),
  log: () => storage.readLogEntries('notes'),
};
for (const [name, call] of Object.entries(calls)) {
  await call().then(
    (value) => show(name, value),
    (error) => showError(name, error),
  );
}
for (const value of [storage, counts, ps, ps.Storage, process.memoryUsage()]) show('inspected', value);
console.log(JSON.stringify(storage), JSON.stringify(counts), String(storage));
console.log(JSON.stringify(storage.metrics()), storage.metricsText());
if (way === 'rejection') counts.set('a', 1);
if (way === 'throw') throw Object.assign(new Error('on purpose'), { storage, counts });
if (way === 'exit') {
  counts.set('a', 1);
  process.exit(0);
}
