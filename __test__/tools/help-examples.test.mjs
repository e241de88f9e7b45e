// Every example in a help text is run as it stands, by a shell, in a folder that has what it names. Those of `migrate` and
// `postgres` need a server: `__test__/postgres/help-examples` runs them.

import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { cp, readFile } from 'node:fs/promises';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { commandNames } from '../../bin/support/command-names.mjs';
import { runCli } from '../support/cli.mjs';
import { adopt, preparedFolder, runLine } from '../support/help-examples.mjs';
import { hasSqlite } from '../support/recipes.mjs';
import { temporaryFolder } from '../support/temp.mjs';

const skip = process.platform === 'win32' && 'the examples are for a POSIX shell';
const ON_SERVERS = ['migrate', 'postgres'];

// What is not as for most: exit code 0, in a folder with `data` and `bot`, and an end by itself.
const SPECIAL = {
  'adopt --dry-run': { below: 'bot' },
  'revert --dry-run': { below: 'bot' },
  // Something differs: a game of today.
  'diff bot/ --at 2d': { codes: [1] },
  // It finds what this machine is like: a container may wipe its disk.
  doctor: { codes: [0, 1, 6] },
  'doctor bot/ --read-only': { codes: [0, 1, 6] },
  'export bot/ --output bot.sqlite': { codes: [hasSqlite ? 0 : 3] },
  // Only Ctrl-C ends them.
  'dashboard bot/ --port 0': { until: 'http://127.0.0.1:', codes: [130] },
  'dashboard --host 0.0.0.0 --port 0 --token-file token.txt': { until: 'http://', codes: [130] },
  'tail --follow': { until: 'Ben', codes: [130] },
};

// What an example promises, where its exit code says too little.
const PROMISED = {
  'completion bash': async (_, at) =>
    assert.match(
      await readFile(at('home/.local/share/bash-completion/completions/progressive-storage'), 'utf8'),
      /^complete /m,
    ),
  'delete 42 bot/ --log wallets --yes': ({ stdout }) => assert.match(stdout, /Done\./),
  'diff bot/ --at 2d': ({ stdout }) => {
    assert.match(stdout, /^ {10}~ totalScore: 1 → 11$/m);
    assert.match(stdout, /^ {6}\+ "43": /m);
  },
  'export > all-players.json': async (_, at) =>
    assert.equal(JSON.parse(await readFile(at('all-players.json'), 'utf8'))[43].username, 'Ben'),
  'export --log guilds --output guilds.csv': async (_, at) =>
    assert.match(await readFile(at('guilds.csv'), 'utf8'), /^key,prefix,settings,games\r?\n123,!,/),
  'find username=Ann': ({ stdout }) => assert.match(stdout, /^"42" {2}\{/),
  'get 42': ({ stdout }) => assert.equal(JSON.parse(stdout).username, 'Ann'),
  'history 42': ({ stdout }) => assert.match(stdout, /~ totalScore: 1 → 11/),
  'history 42 --since 2d': ({ stdout }) => assert.doesNotMatch(stdout, /CHECKPOINT/),
  'history 123 bot/ --log guilds --newest 3': ({ stdout }) =>
    assert.deepEqual(stdout.match(/~ games: .*/g), ['~ games: 1 → 2', '~ games: 2 → 3', '~ games: 3 → 4']),
  'keys bot/ --log settings': ({ stdout }) => assert.equal(stdout, 'guild-123\n'),
  'restore bot/ --at 2d --into before --yes': async (_, at) =>
    assert.equal(JSON.parse(await readFile(at('before/players.json'), 'utf8'))[42].totalScore, 1),
  'snapshot backups/today': (_, at) => assert.ok(existsSync(at('backups/today/logs/players.log'))),
  'snapshot backups/today bot/': (_, at) => assert.ok(existsSync(at('today.tar.gz'))),
  'undo 42 bot/ --to 2d --yes': async (_, at) => {
    const players = JSON.parse(await readFile(at('bot/data/players.json'), 'utf8'));
    assert.equal(players[42].totalScore, 1);
  },
  'revert bot/ --yes': (_, at) => assert.ok(!existsSync(at('bot/services/storage.js.orig'))),
  'adopt bot/ --yes': (_, at) => assert.ok(existsSync(at('bot/services/storage.js.orig'))),
};

const examples = [];
for (const name of commandNames()) {
  const command = await import(`../../bin/commands/${name}.mjs`);
  for (const [does, line] of command.examples) examples.push({ name, does, line });
}
const argsOf = (line) => line.replace(/^.*\bprogressive-storage /, '');

let template;
const endings = [];
before(async () => {
  template = await preparedFolder({ after: (work) => endings.push(work) });
});
after(async () => {
  for (const end of endings.reverse()) await end();
});

test('every command has one to three examples, which its help ends with', async (t) => {
  for (const name of commandNames()) {
    const own = examples.filter((example) => example.name === name);
    assert.ok(own.length >= 1 && own.length <= 3, name);
    const shown = own.flatMap(({ does, line }) => [`  # ${does}`, `  ${line}`]);
    const { stdout } = await runCli(t, [name, '--help']);
    assert.ok(stdout.endsWith(['\nExamples:', ...shown, ''].join('\n')), stdout);
    for (const { line } of own) {
      assert.ok(argsOf(line).startsWith(name) && line !== argsOf(line), line);
      assert.ok(line.length <= 105, `${line} is a line of a terminal`);
    }
  }
});

test('what this file knows of an example is of one that there is', () => {
  for (const known of Object.keys(SPECIAL))
    assert.ok(
      examples.some(({ line }) => argsOf(line) === known),
      known,
    );
  for (const known of Object.keys(PROMISED))
    assert.ok(
      examples.some(({ line }) => argsOf(line).startsWith(known)),
      known,
    );
});

for (const { name, line } of examples.filter((example) => !ON_SERVERS.includes(example.name))) {
  test(line, { skip }, async (t) => {
    const folder = path.join(await temporaryFolder(t), 'server');
    await cp(template, folder, { recursive: true, verbatimSymlinks: true });
    if (name === 'revert') await adopt(t, folder);
    const args = argsOf(line);
    const { codes = [0], ...how } = SPECIAL[args] ?? {};
    const result = await runLine(t, line, { folder, ...how });
    assert.ok(codes.includes(result.code), `exit code ${result.code}: ${result.stdout}${result.stderr}`);
    const promised = Object.keys(PROMISED).filter((known) => args === known || args.startsWith(`${known} `));
    for (const known of promised.filter((each) => each === args || !promised.includes(args)))
      await PROMISED[known](result, (file) => path.join(folder, file));
  });
}
