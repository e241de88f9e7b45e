/**
 * Reads a log, appends to it, and prints the peak memory of this process before and after, in KiB.
 * Arguments: data directory, log name.
 */
import fs from 'node:fs';
import { Storage } from '../../index.js';

const peak = () => Number(/^VmHWM:\s+(\d+) kB/m.exec(fs.readFileSync('/proc/self/status', 'utf8'))[1]);
const [dataDir, log] = process.argv.slice(2);
const storage = new Storage({ dataDir });
const before = peak();
const entries = await storage.readLogEntries(log);
await storage.appendLogEntry(log, { op: 'SET', key: 'after', value: 1 });
await storage.close();
console.log(JSON.stringify({ entries: entries.length, before, after: peak() }));
