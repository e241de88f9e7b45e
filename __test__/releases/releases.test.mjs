// The data folders that each release left behind (`fixtures`, made by make.mjs with the program of that release) are read,
// continued, and given back to the old module. What they must show is what the release itself answered.

import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { cp } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { Storage } from '../../index.js';
import * as oldLog from '../old-module/append-log.mjs';
import * as oldStorage from '../old-module/storage.mjs';
import { contentsOf, runCli } from '../support/cli.mjs';
import { read } from '../support/sources.mjs';
import { atEnd, closeStorage, mirrorPath, openStorage, temporaryFolder } from '../support/temp.mjs';
import { SCENES, seenBy } from './scenes.mjs';

const FIXTURES = new URL('fixtures/', import.meta.url);
const fixture = (...names) => new URL(names.join('/'), FIXTURES);
const RELEASES = readdirSync(FIXTURES).sort();
const scenesOf = (release) => Object.keys(SCENES).filter((name) => existsSync(fixture(release, name)));
const readJson = (place) => JSON.parse(readFileSync(place, 'utf8'));
/** Everything that is about the content of a folder; histories reach as far as its backups do. */
const contentOf = ({ histories: _, ...content }) => content;
const EMPTY = { players: {}, tokens: null, games: {} };

async function folderOf(t, release, scene) {
  const dataDir = path.join(await temporaryFolder(t), 'data');
  await cp(fixture(release, scene, 'data/'), dataDir, { recursive: true });
  return { dataDir, saw: readJson(fixture(release, scene, 'saw.json')) };
}

/** The options that the bot had, without words about what the scene is full of. */
const optionsOf = (scene) => ({ logger: null, ...SCENES[scene].options });

/** The old module answers the same, from the JSON files and from the logs alone. */
async function assertOldModuleHas(t, dataDir, { players, tokens, games }) {
  process.env.OLD_DATA_DIR = dataDir;
  atEnd(t, () => {
    delete process.env.OLD_DATA_DIR;
  });
  assert.deepEqual(await oldStorage.loadPlayers(), players);
  assert.deepEqual(await oldStorage.loadTokens(), tokens);
  assert.deepEqual(await oldStorage.getAllGameStates(), games);
  assert.deepEqual(await oldLog.rebuildStateFromLog('players'), players);
  assert.deepEqual(await oldLog.rebuildStateFromLog('tokens'), tokens ?? {});
  assert.deepEqual(await oldLog.rebuildStateFromLog('game_state'), games);
}

/** Another night, in every log: what there is then. */
async function goOn(storage, saw) {
  await storage.updatePlayerStats('user1', 'Later', 5);
  await storage.saveGameState('later', { round: 1 });
  await storage.saveTokens(['later']);
  await storage.appendLogEntry('notes', { op: 'NOTE', text: 'later' });
  for (const name of Object.keys(saw.collections)) await storage.collection(name).set('later', { is: name });
  const now = await seenBy(storage, saw);
  const before = saw.players.user1;
  assert.equal(now.players.user1.totalScore, (before?.totalScore ?? 0) + 5);
  assert.equal(now.players.user1.title, before?.title);
  for (const [name, state] of Object.entries(saw.collections))
    assert.deepEqual(now.collections[name], { ...state, later: { is: name } });
  const { user1: _, ...others } = saw.players;
  const { user1: __, ...othersNow } = now.players;
  assert.deepEqual(othersNow, others);
  assert.deepEqual(now.notes.slice(0, -1), saw.notes);
  return now;
}

for (const release of RELEASES) {
  for (const scene of scenesOf(release)) {
    test(`${release}, ${scene}: read, continued, and read by the old module`, async (t) => {
      const { dataDir, saw } = await folderOf(t, release, scene);
      const options = { dataDir, ...optionsOf(scene) };
      const before = await contentsOf(dataDir);
      const reader = new Storage(options);
      atEnd(t, () => closeStorage(reader));
      const read = await seenBy(reader, saw);
      assert.deepEqual(contentOf(read), contentOf({ ...EMPTY, notes: [], ends: {}, ...saw }));
      // What a person edits is in the history once it is logged.
      assert.deepEqual(read.histories, saw.histories);
      await reader.close();
      assert.deepEqual(await contentsOf(dataDir), before, 'reading never writes');

      const { storage } = await openStorage(t, Storage, options);
      const now = await goOn(storage, saw);
      await storage.compactAllLogs();
      for (const name of Object.keys(saw.collections)) await storage.compactLog(name);
      assert.deepEqual(contentOf(await seenBy(storage, saw)), contentOf(now), 'after a compaction');
      await storage.close();
      await assertOldModuleHas(t, dataDir, now);

      // The old module goes on, and so does the package.
      await oldStorage.updatePlayerStats('user1', 'Old', 7);
      const { storage: again } = await openStorage(t, Storage, options);
      const { totalScore } = await again.getPlayerStats('user1');
      assert.equal(totalScore, now.players.user1.totalScore + 7);
    });
  }

  test(`${release}: the old module reads the folders that were left in order`, async (t) => {
    for (const scene of scenesOf(release).filter((name) => SCENES[name].end === 'close')) {
      const { dataDir, saw } = await folderOf(t, release, scene);
      // What stands in the JSON file alone is an edit, which is not in the log yet.
      if (SCENES[scene].afterwards) continue;
      await assertOldModuleHas(t, dataDir, { ...EMPTY, ...saw });
    }
  });

  test(`${release}: verify finds what is wrong with a folder, and nothing else`, async (t) => {
    for (const [scene, code] of [
      ['clean-end', 0],
      ['compacting', 0],
    ]) {
      const { dataDir } = await folderOf(t, release, scene);
      const result = await runCli(t, ['verify', dataDir, '--backups']);
      assert.equal(result.code, code, `${scene}: ${result.stdout}${result.stderr}`);
    }
  });

  test(`${release}: the folders are what their names say`, async (t) => {
    const files = async (scene) => Object.keys(await contentsOf((await folderOf(t, release, scene)).dataDir));
    const has = (names, pattern) =>
      assert.ok(
        names.some((name) => pattern.test(name)),
        `${pattern}: ${names}`,
      );
    const ended = await files('clean-end');
    has(ended, /players\.log\.archive\.\d+$/);
    has(ended, /players\.log\.backup\.\d+$/);
    has(ended, /players\.log\.backup\.\d+\.gz$/);
    has(ended, /players\.mirror$/);
    has(await files('compacting'), /\.players\.log\.[0-9a-f]+-\d+\.tmp$/);
    const aside = await files('set-aside');
    has(aside, /guilds\.log\.corrupt\.\d+$/);
    has(aside, /guilds\.log\.torn\.\d+$/);
    const { dataDir, saw } = await folderOf(t, release, 'killed');
    assert.notDeepEqual(readJson(mirrorPath(dataDir, 'players')), saw.players, 'the JSON file is behind');
  });
}

test('each release of the change log has its fixtures', () => {
  const released = [...read('CHANGELOG.md').matchAll(/^## \[([\d.]+)\] - \d{4}/gm)].map(
    ([, version]) => version,
  );
  assert.deepEqual(
    released.filter((version) => !RELEASES.includes(version)),
    [],
  );
  assert.ok(RELEASES.includes('0.1.0'));
});
