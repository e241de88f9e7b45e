/**
 * Processes with hundreds of calls of every kind under way, and with compactions all the time, are killed at random moments,
 * round after round on the same directories. Afterwards each log has the calls up to some point, whole and in order, and no
 * acked one is missing. The next process continues from there.
 *
 * The calls follow from a seed (printed), so the model works out what must be there, without the addon. PS_LONG=1 makes 200
 * rounds, PS_SEED=n takes another seed.
 */
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { LOGS, make, seededCalls } from '../children/seeded-calls.mjs';
import {
  listenForWarnings,
  manyPlayers,
  parseLines,
  range,
  replay,
  scene,
  seededRandom,
} from '../support/durability.mjs';
import { Model } from '../support/model.mjs';
import { crc32Hex, maskedJson } from '../support/temp.mjs';

const ROUNDS = process.env.PS_LONG === '1' ? 200 : 40;
const SEED = Number(process.env.PS_SEED ?? 42);
const WIDTH = 300;
const MIRRORED = ['players', 'tokens', 'game_state', 'coins'];
/** Calls behind the last acked one that may be on disk: those under way, and what their acks still let in. */
const UNACKED_MAX = 20 * WIDTH;

// ----------------------------------------------------------------------------------------------- a killed child

/** What a child acked, as far as anybody read it. */
function ackedBy(result) {
  const complaints = result.lines.filter((line) => line.startsWith('!'));
  assert.deepEqual(complaints, [], 'no call was rejected');
  // One process may find the torn tail of the other one.
  const warnings = result.stderr
    .split('\n')
    .filter((line) => !/PS_TORN_TAIL|PS_SLOW_SYNC|PS_LOCK_WAIT|--trace-warnings|^$/.test(line));
  assert.deepEqual(warnings, []);
  return new Set(result.lines.flatMap((line) => line.split(' ').map(Number)));
}

/** The raw files as the kill left them: logs of whole lines and at most a fragment, mirrors that are JSON. */
function assertFilesAreValid(place) {
  if (!fs.existsSync(place.file('logs'))) return;
  for (const file of fs.readdirSync(place.file('logs'))) {
    if (!/\.log(\.backup\.\d+)?$/.test(file)) continue;
    const lines = fs.readFileSync(place.file('logs', file), 'utf8').split('\n');
    // After the last newline comes a torn tail, or nothing.
    lines.pop();
    for (const line of lines) {
      const found = /^(.*),"_crc":"([0-9a-f]{8})"}$/s.exec(line);
      assert.ok(found && found[2] === crc32Hex(found[1]), `${file}: ${line.slice(0, 300)}`);
      JSON.parse(line);
    }
  }
  for (const name of MIRRORED) {
    if (fs.existsSync(place.mirror(name))) assert.equal(typeof place.mirrorState(name), 'object');
  }
}

// ----------------------------------------------------------------------------------------- what must be on disk

/** What is in a log: its state, or for one that only notes things, its entries. */
const contentOf = (log) =>
  log === 'audit' ? (on) => on.readLogEntries(log) : (on) => on.rebuildStateFromLog(log);

/** The part of a log that only this child writes. */
function ownPart(log, content, { alone, prefix }) {
  if (alone) return maskedJson(content);
  if (log === 'audit') return maskedJson(content.filter((entry) => entry.by === prefix));
  return maskedJson(
    Object.fromEntries(Object.entries(content).filter(([key]) => key.startsWith(`${prefix}-`))),
  );
}

/**
 * The calls of a child that a log shows: so many that their outcome is what was found, and none that was acked is missing.
 * The model makes them. `unsure` are the next ones that leave no trace in the child's own part.
 */
function callsShown(log, found, model, child, acked) {
  const lastAcked = Math.max(child.first, ...acked);
  const expected = ownPart(log, found, child);
  // A number in the log shows that the call with this number was made.
  const numbers = [...expected.matchAll(/"(?:seq|score)":(\d+)/g)].map((hit) => Number(hit[1]));
  const calls = [];
  let neededTo = Math.max(0, ...numbers.filter((seq) => seq >= child.first));
  for (const call of seededCalls(child)) {
    if (call.seq > lastAcked + UNACKED_MAX) break;
    if (call.log !== log) continue;
    if (acked.has(call.seq)) neededTo = Math.max(neededTo, call.seq);
    calls.push(call);
  }
  let [sure, made] = [undefined, 0];
  for (; made <= calls.length; made++) {
    if (made > 0) make(model, calls[made - 1]);
    const isEnough = made === 0 ? neededTo === 0 : calls[made - 1].seq >= neededTo;
    const isSame = isEnough && ownPart(log, contentOf(log)(model), child) === expected;
    if (isSame) sure ??= made;
    else if (sure !== undefined) break;
  }
  assert.notEqual(
    sure,
    undefined,
    `${log}: no number of calls of ${child.prefix} up to at least ${neededTo} leads to ${expected.slice(0, 3000)}`,
  );
  return { sure: calls.slice(0, sure), unsure: calls.slice(sure, made - 1) };
}

/** Counts of what several children share: every call that is shown counts, and none twice. */
function assertSharedCounts(before, found, shown) {
  const assertAdded = (what, countOf, usesOf) => {
    const uses = (which) => shown.flatMap((each) => each[which]).reduce((sum, call) => sum + usesOf(call), 0);
    const added = countOf(found) - countOf(before);
    const [least, most] = [uses('sure'), uses('sure') + uses('unsure')];
    assert.ok(added >= least && added <= most, `${what}: ${added} more, of ${least} to ${most}`);
  };
  assertAdded(
    'the shared counter',
    (state) => state.coins.shared?.count ?? 0,
    (call) => (call.kind === 'update' && call.args[0] === 'shared' ? 1 : 0),
  );
  for (const user of range(3).map((n) => `shared-${n}`)) {
    assertAdded(
      `games of ${user}`,
      (state) => state.players[user]?.totalGames ?? 0,
      ({ kind, args }) => {
        if (kind === 'updatePlayersStats') return args[0].filter((result) => result.userId === user).length;
        return kind === 'updatePlayerStats' && args[0] === user ? 1 : 0;
      },
    );
  }
}

// ------------------------------------------------------------------------------------------------------ a round

/** One directory, and what is on it. */
class Field {
  #contents = Object.fromEntries(LOGS.map((log) => [log, log === 'audit' ? [] : {}]));

  constructor(place) {
    this.place = place;
  }

  #model() {
    const model = new Model();
    for (const log of LOGS) {
      if (log === 'audit') model.log(log).entries.push(...this.#contents.audit);
      else Object.assign(model.state(log), structuredClone(this.#contents[log]));
    }
    return model;
  }

  async seedPlayers(players) {
    const storage = this.place.open();
    await storage.savePlayers(players);
    await storage.close();
    this.#contents.players = players;
  }

  /** Starts children, kills them one after the other, and looks. Gives how many calls were acked. */
  async round(random, number) {
    const { place } = this;
    const isShared = number % 3 === 2;
    const names = isShared ? [`a${number}`, `b${number}`] : [`c${number}`];
    const children = names.map((prefix, n) => ({
      seed: SEED * 1_000_003 + number * 101 + n,
      first: (number + 1) * 1_000_000 + n * 500_000,
      prefix,
      alone: !isShared,
    }));
    const running = children.map((child) => {
      const options = { ...child, dataDir: place.data, width: WIDTH / children.length };
      return place.start('every-call.mjs', [JSON.stringify(options)]);
    });
    const acked = [];
    for (const child of running) {
      // Some are killed while they open the directory, most during their work.
      if (random(8) > 0) await child.linesSeen(1 + random(40));
      await sleep(random(60));
      child.process.kill('SIGKILL');
      const result = await child.ended;
      assert.equal(result.signal, 'SIGKILL', result.stderr);
      acked.push(ackedBy(result));
    }
    assertFilesAreValid(place);
    await this.#look(children, acked, number);
    return acked.reduce((sum, each) => sum + each.size, 0);
  }

  async #look(children, acked, number) {
    const { place } = this;
    const warned = ['PS_FOREIGN_EDIT', 'PS_LOG_DAMAGED', 'PS_MIRROR_BROKEN'].map(listenForWarnings);
    const storage = place.open();
    const found = {};
    for (const log of LOGS) found[log] = await contentOf(log)(storage);
    const shown = children.flatMap((child, n) => {
      const model = this.#model();
      return LOGS.map((log) => callsShown(log, found[log], model, child, acked[n]));
    });
    if (children.length > 1) assertSharedCounts(this.#contents, found, shown);

    // The state before the first write is the state after it, for us and for the old module.
    const players = await storage.loadPlayers();
    assert.equal(maskedJson(players), maskedJson(found.players));
    await storage.appendLogEntry('audit', { op: 'NOTE', by: 'parent' });
    await storage.appendLogEntry('events', { op: 'SET', key: 'parent', value: found.audit.length });
    await storage.updatePlayerStats('parent', 'parent', 1);
    await storage.saveGameState('parent', { n: found.audit.length });
    await storage.collection('coins').set('parent', found.audit.length);
    await storage.saveTokens(['parent']);
    for (const log of LOGS) {
      const content = await contentOf(log)(storage);
      if (log === 'audit') assert.deepEqual(content.slice(0, -1), found.audit);
      else if (log !== 'tokens')
        assert.deepEqual(without(content, 'parent'), without(found[log], 'parent'), log);
      this.#contents[log] = content;
    }
    // A killed process may have left one backup too many, which the next compaction removes.
    const compacted = LOGS.filter((log) => log !== 'audit' && number % 2 === 0);
    for (const log of compacted) {
      await storage.compactLog(log);
      assert.ok(place.backups(log).length <= 3, `${log}: the newest three backups are kept`);
    }
    await storage.close();
    for (const warnings of warned) assert.deepEqual(await warnings(), [], 'a kill is no edit and no damage');
    this.#assertClosed();
    for (const log of LOGS.filter((name) => name !== 'audit')) {
      assert.deepEqual(
        replay(parseLines(place.logText(log))),
        this.#contents[log],
        `the log ${log} as it is`,
      );
    }
    for (const log of MIRRORED) {
      assert.equal(place.mirrorText(log), JSON.stringify(this.#contents[log], null, 2), `the mirror ${log}`);
    }
    assert.deepEqual(await place.old('loadPlayers'), this.#contents.players);
    assert.deepEqual(await place.old('getAllGameStates'), this.#contents.game_state);
    assert.deepEqual(await place.old('loadTokens'), this.#contents.tokens);
  }

  /** Nothing of the dead is left lying about. */
  #assertClosed() {
    const folders = [this.place.data, this.place.file('logs'), this.place.file('.progressive-storage')];
    const left = folders.flatMap((folder) =>
      fs
        .readdirSync(folder)
        .filter((name) => name.endsWith('.tmp'))
        .map((name) => path.join(folder, name)),
    );
    assert.deepEqual(left, [], 'no temporary files are left');
    for (const log of LOGS)
      assert.deepEqual(this.place.aside(`${log}.log.corrupt`), [], 'a kill damages nothing');
  }
}

const without = (state, key) => Object.fromEntries(Object.entries(state).filter(([name]) => name !== key));

test(`${ROUNDS} rounds of SIGKILL during calls of every kind, seed ${SEED}`, async (t) => {
  const random = seededRandom(SEED);
  const small = new Field(scene(t));
  const large = new Field(scene(t));
  // Too large for a mirror that every call writes.
  await large.seedPlayers(manyPlayers(300, 500));
  let acked = 0;
  for (const round of range(ROUNDS)) {
    const field = round % 4 === 1 ? large : small;
    try {
      acked += await field.round(random, round);
    } catch (error) {
      error.message = `round ${round} of seed ${SEED}: ${error.message}`;
      throw error;
    }
  }
  t.diagnostic(`${ROUNDS} rounds, ${acked} calls acked and found, seed ${SEED}`);
});
