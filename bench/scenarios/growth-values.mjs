/**
 * What values cost that do not fit into memory: `keys` values of `valueBytes` each, in a log that has no index yet. One
 * process (`step: 'first'`) opens it, updates, compacts, streams all of it and ends; another one (`'second'`) opens what
 * that left by its index. The log is written by a process of its own (`'fill'`), whose memory is in none of the figures.
 * For each phase: how long it took, and the most memory that the process had in it beyond Node.js (Linux; elsewhere
 * `null`).
 */

import fs from 'node:fs';
import path from 'node:path';
import { crc32 } from '../support/fixture.mjs';
import { loadPackage } from '../support/package.mjs';
import { randomFrom, summary } from '../support/stats.mjs';

const LINE_BYTES = 1 << 20;
const NAME = 'values';

export async function run({ step, folder, keys, valueBytes, cacheBytes, samples }) {
  if (step === 'fill') return { logBytes: writeLog(folder, keys, valueBytes) };
  const { Storage } = loadPackage();
  const phases = new Phases();
  const storage = new Storage({ dataDir: folder, mirror: 'close', cacheBytes });
  const data = storage.collection(NAME);
  const random = randomFrom(keys);
  const anyKey = () => keyOf(Math.floor(random() * keys));

  await phases.run('firstAnswer', () => data.get(keyOf(0)));
  if (step === 'first') {
    const found = await data.size();
    if (found !== keys) throw new Error(`${found} keys were found, ${keys} were written`);
    await phases.run('firstUpdate', () => data.set(keyOf(0), textOf(0, valueBytes)));
    await phases.run('updates', async () => {
      const times = [];
      for (let count = 0; count < samples; count++) {
        const begun = performance.now();
        await data.update(anyKey(), (value) => ({ ...value, count }));
        times.push(performance.now() - begun);
      }
      phases.note('update', summary(times));
    });
    const compacting = storage.compactLog(NAME).then(() => true);
    await phases.run('compaction', async () => {
      const times = [];
      while (!(await Promise.race([compacting, null]))) {
        const begun = performance.now();
        await data.update(anyKey(), (value) => ({ ...value, count: -1 }));
        times.push(performance.now() - begun);
      }
      phases.note('updateMeanwhile', summary(times));
    });
  }
  await phases.run('reads', async () => {
    const times = [];
    for (let count = 0; count < samples; count++) {
      const begun = performance.now();
      await data.get(anyKey());
      times.push(performance.now() - begun);
    }
    phases.note('read', summary(times));
  });
  await phases.run('stream', async () => {
    let streamed = 0;
    for await (const [key] of data.iterate()) streamed += key.length > 0 ? 1 : 0;
    if (streamed !== keys) throw new Error(`${streamed} of ${keys} keys were streamed`);
  });
  await phases.run('close', () => storage.close());
  return phases.results;
}

function keyOf(number) {
  return `user-${String(number).padStart(13, '0')}`;
}

function textOf(number, valueBytes) {
  return { score: number, text: 'x'.repeat(Math.max(0, valueBytes - 40)) };
}

/** CHECKPOINT lines of about 1 MiB, as a compaction leaves them. */
function writeLog(folder, keys, valueBytes) {
  fs.mkdirSync(path.join(folder, 'logs'), { recursive: true });
  const file = path.join(folder, 'logs', `${NAME}.log`);
  const fd = fs.openSync(file, 'w');
  let members = [];
  let held = 0;
  const write = () => {
    const text = `{"op":"CHECKPOINT","state":{${members.join(',')}},"compactedAt":"2025-09-14T03:00:00.000Z"`;
    const line = Buffer.from(`${text},"_crc":"${crc32(Buffer.from(text)).toString(16).padStart(8, '0')}"}\n`);
    for (let at = 0; at < line.length; ) at += fs.writeSync(fd, line, at);
    members = [];
    held = 0;
  };
  for (let number = 0; number < keys; number++) {
    const member = `"${keyOf(number)}":${JSON.stringify(textOf(number, valueBytes))}`;
    members.push(member);
    held += member.length + 1;
    if (held >= LINE_BYTES) write();
  }
  if (held > 0) write();
  fs.fsyncSync(fd);
  fs.closeSync(fd);
  return fs.statSync(file).size;
}

/** Phases of the work, one after another, each with its time and its highest memory. */
class Phases {
  results = { bareBytes: process.memoryUsage.rss() };

  async run(name, work) {
    const isKnown = forgetHighest();
    const begun = performance.now();
    await work();
    const ms = performance.now() - begun;
    this.results[name] = { ms, highestBytes: isKnown ? highest() - this.results.bareBytes : null };
  }

  note(name, figures) {
    this.results[name] = figures;
  }
}

/** Has the kernel count the highest memory anew. False where it cannot. */
function forgetHighest() {
  try {
    fs.writeFileSync('/proc/self/clear_refs', '5');
    return true;
  } catch {
    return false;
  }
}

function highest() {
  return Number(/^VmHWM:\s+(\d+) kB$/m.exec(fs.readFileSync('/proc/self/status', 'utf8'))[1]) * 1024;
}
