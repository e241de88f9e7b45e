// Refuses to go on while the bot runs: its code must not change then, and its data may be incomplete.
//
// Invariant: where a process uses the data folder or runs the bot's code, the command ends, and names the process and
// what to do. Where the data changes between two checks, it ends too; this works on systems that do not show
// processes.

import { readdirSync, statSync } from 'node:fs';
import path from 'node:path';
import { Stop, usageError } from '../support/errors.mjs';
import { processesUsing } from '../support/processes.mjs';

export const ignoreProcessOption = {
  type: 'string',
  multiple: true,
  value: 'PID',
  description: 'this process is not the bot (may be given again)',
};

// Checks for the bot's process, and remembers the files of the data. Call the returned function before anything is
// changed, and where a check failed: it checks again, and compares the files.
export function refuseWhileRunning(terminal, bot, ignored = []) {
  const pids = ignored.map((text) => {
    if (/^\d+$/.test(text)) return Number(text);
    throw usageError(`--ignore-process is '${text}'; give the number of a process.`);
  });
  refuseProcesses(bot, pids);
  for (const one of others(bot, pids).inside) {
    terminal.note(
      `note: process ${one.pid} runs in the bot's folder, with code from elsewhere: ${one.command}`,
    );
  }
  const before = stampsOf(bot.dataDir);
  return () => {
    refuseProcesses(bot, pids);
    refuseChange(bot, before);
  };
}

function others(bot, pids) {
  const { open, running, inside } = processesUsing(bot);
  const rest = (list) => list.filter(({ pid }) => !pids.includes(pid));
  return { open: rest(open), running: rest(running), inside: rest(inside) };
}

function refuseProcesses(bot, pids) {
  const { open, running } = others(bot, pids);
  const show = ({ pid, command }) => (pid === null ? command : `process ${pid}: ${command}`);
  if (open.length > 0) {
    throw new Stop(`The data folder '${bot.dataDir}' is in use.`, {
      code: 'ERR_IN_USE',
      details: open.map(show),
      hint: `Stop the bot, then try again${orIgnore(open)}. Nothing was changed.`,
    });
  }
  if (running.length > 0) {
    throw new Stop(`The bot in '${bot.root}' seems to be running.`, {
      code: 'ERR_IN_USE',
      details: running.map(show),
      hint: `Stop it, then try again${orIgnore(running)}. Nothing was changed.`,
    });
  }
}

const orIgnore = ([{ pid }]) =>
  pid === null ? '' : `; where that is not the bot, give --ignore-process ${pid}`;

// Inode, size and time of each file of the data, by its path below the folder.
function stampsOf(dataDir) {
  const stamps = new Map();
  for (const below of ['', 'logs']) {
    const folder = path.join(dataDir, below);
    const names = statSync(folder, { throwIfNoEntry: false })?.isDirectory() ? readdirSync(folder) : [];
    for (const name of names) {
      const stat = statSync(path.join(folder, name), { throwIfNoEntry: false, bigint: true });
      if (stat?.isFile()) stamps.set(path.join(below, name), `${stat.ino} ${stat.size} ${stat.mtimeNs}`);
    }
  }
  return stamps;
}

function refuseChange(bot, before) {
  const now = stampsOf(bot.dataDir);
  const changed = [...new Set([...before.keys(), ...now.keys()])].filter(
    (name) => before.get(name) !== now.get(name),
  );
  if (changed.length === 0) return;
  throw new Stop(`Something writes to the data folder '${bot.dataDir}'.`, {
    code: 'ERR_IN_USE',
    details: changed.map((name) => `changed since this began: ${name}`),
    hint: 'Stop the bot, then try again. Nothing was changed.',
  });
}
