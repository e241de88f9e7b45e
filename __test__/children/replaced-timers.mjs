// Makes many calls at once (the argument) while timers are those of a test, which fire when it says so.
import { setImmediate as nothing } from 'node:timers';
import { updatePlayerStats } from '../../index.js';

globalThis.setImmediate = () => nothing;
const calls = Array.from({ length: Number(process.argv[2]) }, (_, i) => updatePlayerStats(`u${i}`, 'Ann', i));
const records = await Promise.all(calls);
process.stdout.write(String(records.length));
