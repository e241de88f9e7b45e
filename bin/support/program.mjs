// The program around the commands: finding one, its help, its arguments, errors, exit codes, Ctrl-C.
//
// A command is a module of commands/ that exports
//   summary       one line for the list
//   usage         what follows the command's name, such as `[path] [options]`
//   help          paragraphs about what it does
//   options       of util.parseArgs, each with a `description` (and a `value` to show)
//   positionals   { min, max }
//   run(context)  does it; gives an exit code, or nothing for 0
// Invariant: however a command ends, what it registered with `atEnd` is done, last first.

import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { parseArgs } from 'node:util';
import { Endings } from './endings.mjs';
import { EXIT, Stop, usageError } from './errors.mjs';
import { Terminal } from './terminal.mjs';

const COMMANDS = new URL('../commands/', import.meta.url);
const PROGRAM = 'progressive-storage';

const COMMON_OPTIONS = {
  json: { type: 'boolean', description: 'print one JSON value for scripts instead of text' },
  progress: { type: 'boolean', description: 'show progress without a terminal too, in lines on stderr' },
  help: { type: 'boolean', short: 'h', description: 'show this help' },
};

export function packageVersion() {
  return JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')).version;
}

export function commandNames() {
  return readdirSync(COMMANDS)
    .filter((name) => name.endsWith('.mjs'))
    .map((name) => name.slice(0, -'.mjs'.length))
    .sort();
}

// The commands import the addon. Node reports an error of a module that is imported so a second time, as uncaught, also
// where it was caught.
function loadAddon() {
  createRequire(import.meta.url)('../../index.js');
}

async function loadCommand(name) {
  if (!commandNames().includes(name)) {
    throw usageError(`There is no command '${name}'.`, `Run \`${PROGRAM} --help\` for the list of commands.`);
  }
  return import(new URL(`${name}.mjs`, COMMANDS).href);
}

export async function main(argv) {
  let terminal = new Terminal({ json: argv.includes('--json') });
  const endings = new Endings();
  let isInterrupted = false;
  const interrupt = async (exitCode, said) => {
    if (isInterrupted) return;
    isInterrupted = true;
    try {
      await endings.run();
    } catch (error) {
      tellError(terminal, error);
    }
    if (said) terminal.note(said);
    process.exit(exitCode);
  };
  const onSignal = () => interrupt(EXIT.interrupted, '\nInterrupted.');
  process.on('SIGINT', onSignal);
  process.on('SIGTERM', onSignal);
  // A reader that has seen enough (`| head`) is no error.
  process.stdout.on('error', (error) => interrupt(error.code === 'EPIPE' ? EXIT.ok : EXIT.failed));

  try {
    const [name, ...rest] = argv;
    if (name === undefined || name === '--help' || name === '-h' || (name === 'help' && rest.length === 0)) {
      loadAddon();
      process.stdout.write(await overview());
      process.exitCode = name === undefined ? EXIT.usage : EXIT.ok;
      return;
    }
    if (name === '--version' || name === '-v') {
      process.stdout.write(`${packageVersion()}\n`);
      return;
    }
    loadAddon();
    const commandName = name === 'help' ? rest[0] : name;
    const command = await loadCommand(commandName);
    if (name === 'help' || rest.includes('--help') || rest.includes('-h')) {
      process.stdout.write(commandHelp(commandName, command));
      return;
    }
    const { values, positionals } = parse(commandName, command, rest);
    terminal = new Terminal({ json: values.json === true, progress: values.progress === true });
    tellWarnings(terminal);
    process.exitCode =
      (await command.run({
        terminal,
        options: values,
        positionals,
        cwd: process.cwd(),
        atEnd: (work) => endings.add(work),
      })) ?? EXIT.ok;
  } catch (error) {
    // What an interruption cuts off is no failure to tell of.
    if (!isInterrupted) process.exitCode = tellError(terminal, error);
  } finally {
    if (!isInterrupted) {
      try {
        await endings.run();
      } catch (error) {
        process.exitCode = tellError(terminal, error);
      }
    }
  }
}

function parse(name, command, args) {
  const { min = 0, max = 0 } = command.positionals ?? {};
  let parsed;
  try {
    parsed = parseArgs({
      args,
      options: stripDescriptions({ ...COMMON_OPTIONS, ...command.options }),
      allowPositionals: true,
      strict: true,
    });
  } catch (error) {
    throw usageError(error.message, `Run \`${PROGRAM} ${name} --help\`.`);
  }
  const { length } = parsed.positionals;
  if (length < min || length > max) {
    throw usageError(
      length < min
        ? 'An argument is missing.'
        : `There is an argument too many: '${parsed.positionals[max]}'.`,
      `Usage: ${PROGRAM} ${name} ${command.usage}`,
    );
  }
  return parsed;
}

function stripDescriptions(options) {
  const plain = {};
  for (const [name, { type, short, multiple, default: preset }] of Object.entries(options)) {
    plain[name] = { type };
    if (short !== undefined) plain[name].short = short;
    if (multiple !== undefined) plain[name].multiple = multiple;
    if (preset !== undefined) plain[name].default = preset;
  }
  return plain;
}

async function overview() {
  const names = commandNames();
  const width = Math.max(...names.map((name) => name.length)) + 2;
  const lines = [`Usage: ${PROGRAM} COMMAND [arguments] [options]`, '', 'Commands:'];
  for (const name of names) lines.push(`  ${name.padEnd(width)}${(await loadCommand(name)).summary}`);
  lines.push(
    '',
    `\`${PROGRAM} COMMAND --help\` tells what a command does. All take --json.`,
    'Exit codes: 0 done, 1 something was found, 2 wrong usage, 3 failed, 4 not confirmed, 130 interrupted.',
    '',
  );
  return lines.join('\n');
}

export function commandHelp(name, command) {
  const options = { ...command.options, ...COMMON_OPTIONS };
  const shown = Object.entries(options).map(([option, { short, value, description, default: preset }]) => [
    `${short ? `-${short}, ` : ''}--${option}${value ? ` ${value}` : ''}`,
    description + (preset === undefined || preset === false ? '' : ` (default: ${preset})`),
  ]);
  const width = Math.max(...shown.map(([left]) => left.length)) + 2;
  return [
    `Usage: ${PROGRAM} ${name} ${command.usage}`,
    '',
    command.help.trim(),
    '',
    'Options:',
    ...shown.map(([left, right]) => `  ${left.padEnd(width)}${right}`),
    '',
  ].join('\n');
}

// What the store noticed in the files is said once and plainly, instead of in Node's own form.
function tellWarnings(terminal) {
  process.removeAllListeners('warning');
  process.on('warning', (warning) => {
    if (warning.name === 'ExperimentalWarning') return;
    terminal.note(`note: ${warning.message}`);
  });
}

function tellError(terminal, error) {
  const isKnown = error instanceof Stop;
  const exitCode = isKnown ? error.exitCode : EXIT.failed;
  const code = error.code ?? 'ERR_FAILED';
  if (terminal.json) {
    const { hint, details } = error;
    terminal.result({ error: { code, message: error.message, hint, details, path: error.path } });
    return exitCode;
  }
  terminal.note(`${PROGRAM}: ${error.message}`);
  for (const detail of error.details ?? []) terminal.note(`  ${detail}`);
  if (error.hint) terminal.note(error.hint);
  // A bug of the program, not of the folder: where it was is worth more than a nice sentence.
  if (!isKnown && error.code === undefined) terminal.note(String(error.stack));
  return exitCode;
}
