// Copies the entries of a log to another place, behind those that an earlier run has copied.
//
// Entries are appended in order and a place keeps their order, so what an interrupted run left is a beginning of the
// sequence. It is compared entry by entry, and the copy goes on behind it.
//
// Invariant: no entry is there twice, and the target never holds anything but a beginning of the source.

import { createHash } from 'node:crypto';
import { Stop } from '../support/errors.mjs';
import { bytes } from '../support/format.mjs';
import { bytesOfHistory } from '../support/log-files.mjs';

const IN_FLIGHT = 1000;
const IN_FLIGHT_BYTES = 4 << 20;
const BREATHE_EVERY = 1000;

// What a copy has seen: `{ name, entries, copied, sizeBytes, hash, times, edits, editTime }`. With `isDryRun` nothing is written.
export async function copyLog({ terminal, source, target, log, isDryRun }) {
  const seen = { name: log.name, entries: 0, copied: 0, sizeBytes: 0, times: [], edits: 0, editTime: null };
  const hash = createHash('sha256');
  const stored = target.stored(log.name)[Symbol.asyncIterator]();
  let isBehind = true;
  const writing = new Writing(target, log.name);
  const label = `${isDryRun ? 'Reading' : 'Copying'} ${log.name}`;
  const progress = terminal.progress(label, bytesOfHistory(log), { unit: bytes });
  try {
    for await (const { entry, isEdit } of source.entries(log)) {
      const text = JSON.stringify(entry);
      note(seen, { entry, text, isEdit });
      hash.update(text).update('\n');
      if (isBehind) {
        const next = await stored.next();
        if (!next.done) {
          if (JSON.stringify(next.value) !== text) throw notOurs(target, log.name, seen.entries);
          continue;
        }
        isBehind = false;
      }
      seen.copied += 1;
      if (!isDryRun) await writing.add(entry, text);
      progress.to(seen.sizeBytes);
      if (seen.entries % BREATHE_EVERY === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    if (isBehind && !(await stored.next()).done) throw notOurs(target, log.name, seen.entries + 1);
    await writing.end();
  } catch (error) {
    // What is under way comes to its end first; its own failure is the reason where there is one.
    await writing.end();
    throw error;
  } finally {
    progress.end();
  }
  return { ...seen, hash: hash.digest('hex') };
}

function note(seen, { entry, text, isEdit }) {
  seen.entries += 1;
  seen.sizeBytes += text.length + 1;
  const ms = Date.parse(entry.timestamp);
  if (isEdit) {
    seen.edits += 1;
    seen.editTime ??= ms;
  } else if (!Number.isNaN(ms) && ms !== seen.times.at(-1)) seen.times.push(ms);
}

function notOurs({ place }, name, number) {
  return new Stop(
    `The log '${name}' of ${place.title} has other data: entry ${number} is not the one of the source.`,
    {
      code: 'ERR_TARGET_NOT_EMPTY',
      hint: 'Give an empty place: a new folder, or another --schema. Nothing was written to that log.',
    },
  );
}

// Appends with bounded memory: many calls go as one batch, and the next ones when all of them are done. A call that fails
// ends the copy.
class Writing {
  #target;
  #name;
  #calls = [];
  #sizeBytes = 0;

  constructor(target, name) {
    this.#target = target;
    this.#name = name;
  }

  async add(entry, text) {
    const call = this.#target.storage.appendLogEntry(this.#name, entry);
    // It is looked at in `end`, and may have failed before that.
    call.catch(() => {});
    this.#calls.push(call);
    this.#sizeBytes += text.length;
    if (this.#calls.length >= IN_FLIGHT || this.#sizeBytes >= IN_FLIGHT_BYTES) await this.end();
  }

  async end() {
    const calls = this.#calls;
    this.#calls = [];
    this.#sizeBytes = 0;
    const results = await Promise.allSettled(calls);
    const failed = results.findIndex(({ status }) => status === 'rejected');
    if (failed < 0) return;
    const { reason } = results[failed];
    if (!results.slice(failed).some(({ status }) => status === 'fulfilled')) throw reason;
    throw new Stop(`An entry of '${this.#name}' was not written, and later ones were: ${reason.message}`, {
      code: reason.code,
      hint: 'The target has a gap there, so this copy cannot go on. Empty the target, and run this again.',
    });
  }
}
