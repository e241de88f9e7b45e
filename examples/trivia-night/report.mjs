/**
 * The sections of the report, in the order in which they are shown.
 */

import { backupsOf, LOGS } from './plain-files.mjs';
import { bytes, count, dim, fact, line, milliseconds, percentile, table, wrapped } from './terminal.mjs';

export function showBeginning({ given, before, plan, expected, source, total }) {
  const games = plan.channels.reduce((total, channel) => total + channel.games.length, 0);
  const differing = [...before.players.values()].filter((values) => values.length > 1).length;
  fact(
    'data',
    given === null ? 'generated, in the format of the old module' : given,
    `${count(source.files)} files, ${bytes(source.bytes)}; played on a copy, never changed`,
  );
  fact('players', `${count(before.players.size)}, and ${plan.newcomers.length} newcomers tonight`);
  if (differing > 0) {
    fact('', `${count(differing)} of them differ between log and JSON file; either may be the start`);
  }
  const damaged = Object.values(before.damaged).reduce((sum, lines) => sum + lines, 0);
  if (damaged > 0) fact('damage', `${count(damaged)} log lines cannot be used; all others are`);
  fact('open games', `${before.gameStates.size} in other channels; they must not change`);
  fact(
    'the plan',
    `${games} games of 6 questions in ${plan.channels.length} channels at once,`,
    `${count(expected.size)} players, ${count(total)} results to record`,
  );
}

export function showQuestion({ channel, question, options, answer, right, of }) {
  line(`   ${dim(`#${channel}`)}  ${question}`);
  line(`   ${dim(' '.repeat(channel.length + 1))}  ${dim(options.join(' · '))}`);
  line(`   ${dim(' '.repeat(channel.length + 1))}  ${answer}: ${right} of ${of} knew`);
}

export function showFirst({ ready }) {
  fact(
    'start',
    `${count(ready.players)} players loaded ${milliseconds(ready.totalMs)} after the addon was open`,
  );
}

function showWarnings(bot) {
  const codes = new Map();
  for (const { code, name, message } of bot.warnings) {
    const key = code ?? name;
    if (!codes.has(key)) codes.set(key, message);
  }
  for (const [code, message] of codes) fact('warning', code, ...wrapped(message, 84));
}

export function showKill(bot, afterKill) {
  const rounds = bot.ackedCalls('save').length;
  const games = bot.ackedCalls('clear').length;
  const cut = bot.inFlight.size;
  showWarnings(bot);
  fact('killed', `${milliseconds(bot.killedAtMs)} after its start`);
  fact(
    'acknowledged',
    `${count(bot.ackedResults())} results, ${count(rounds)} saved rounds, ${count(games)} finished games`,
  );
  fact('in flight', `${cut} calls with ${bot.openResults()} results: their promises had not resolved`);
  fact(
    'found',
    `${afterKill.inFlightFound} of these results are on disk anyway; a torn tail of ${afterKill.tornBytes} bytes`,
  );
}

export function showSecond(bot, plan) {
  const { ready } = bot;
  fact(
    'recovery',
    `${milliseconds(ready.totalMs)} for ${count(ready.players)} players and all open games`,
    `(${milliseconds(ready.sinceSpawnMs)} with the start of Node.js; opening the addon: ${milliseconds(ready.importMs)})`,
  );
  const places = ready.unfinished.map(({ channelId, stage }) => {
    const [game, phase, round] = stage.split('/');
    const { name } = plan.channels.find((channel) => channel.channelId === channelId);
    const at = phase === 'results' ? 'recording its results' : `${round} of 6 questions done`;
    return `#${name} game ${Number(game) + 1}, ${at}`;
  });
  const lines = [];
  for (let index = 0; index < places.length; index += 2)
    lines.push(places.slice(index, index + 2).join(' · '));
  fact('taken up', ...(lines.length > 0 ? lines : ['nothing: no game was open']));
  showWarnings(bot);
  fact(
    'finished',
    `${count(bot.ackedResults())} more results recorded; exit after ${milliseconds(bot.totalMs)}`,
  );
}

export function showLeaderboard({ leaderboard, newcomer }) {
  const columns = [
    { name: '#' },
    { name: 'player', left: true },
    { name: 'score' },
    { name: 'games' },
    { name: 'wins' },
    { name: 'average' },
    { name: 'best' },
    { name: 'right' },
  ];
  const shown = (value) => (typeof value === 'number' ? value : '–');
  const rows = leaderboard.map((record, index) => [
    index + 1,
    String(record.username),
    shown(record.totalScore),
    shown(record.totalGames),
    shown(record.totalWins),
    shown(record.averageScore),
    shown(record.bestScore),
    typeof record.accuracyRate === 'number' ? `${record.accuracyRate} %` : '–',
  ]);
  table(columns, rows);
  if (newcomer !== null) {
    line(`   ${dim(`best newcomer: ${newcomer.username}, place ${newcomer.rank} of ${count(newcomer.of)}`)}`);
  }
}

export function showLatency(calls) {
  const kinds = [
    ['updatePlayerStats, one by one', (call) => call.op === 'result' && call.way === 'one by one'],
    ['updatePlayerStats, a game at once', (call) => call.op === 'result' && call.way === 'all at once'],
    ['updatePlayersStats, a game in a line', (call) => call.op === 'result' && call.way === 'one line'],
    ['saveGameState, each round', (call) => call.op === 'save'],
    ['clearGameState', (call) => call.op === 'clear'],
    ['appendLogEntry', (call) => call.op === 'note'],
  ];
  const rows = kinds
    .map(([name, belongs]) => [name, calls.filter(belongs).map((call) => call.ms)])
    .filter(([, times]) => times.length > 0)
    .map(([name, times]) => [
      name,
      times.length,
      milliseconds(percentile(times, 0.5)),
      milliseconds(percentile(times, 0.99)),
      milliseconds(Math.max(...times)),
    ]);
  const columns = [
    { name: 'time until on disk', left: true },
    { name: 'calls' },
    { name: 'median' },
    { name: '99th' },
    { name: 'longest' },
  ];
  table(columns, rows);
}

export function showFiles(folder, sizes, closed) {
  const rows = LOGS.flatMap((name) => {
    const [backup] = backupsOf(folder, name);
    return [
      [
        `logs/${name}.log`,
        bytes(sizes.start[name].log),
        bytes(closed.before[name]),
        bytes(closed.after[name]),
        backup === undefined ? '–' : bytes(backup.bytes),
      ],
      [`${name}.json`, bytes(sizes.start[name].json), '', bytes(sizes.end[name].json), ''],
    ];
  });
  const columns = [
    { name: 'file', left: true },
    { name: 'at the start' },
    { name: 'before compaction' },
    { name: 'at the end' },
    { name: 'newest backup' },
  ];
  table(columns, rows);
  line(`   ${dim(`compacting all logs took ${milliseconds(closed.compactionMs)}`)}`);
}

export function showTally(first, second, afterKill, total) {
  const before = first.ackedResults();
  const found = afterKill.inFlightFound;
  const after = second.ackedResults();
  fact('results', `${before} acknowledged before the kill + ${found} found of those in flight`);
  fact('', `+ ${after} after it = ${before + found + after} of ${total}`);
}
