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

import { readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { parseArgs } from 'node:util';
import { Endings } from './support/endings.mjs';
import { EXIT, EXIT_CODES, failureText, Stop, usageError } from './support/errors.mjs';
import { nearest } from './support/nearest.mjs';
import { Terminal } from './support/terminal.mjs';
import { packageVersion } from './support/version.mjs';

const COMMANDS = new URL('./commands/', import.meta.url);
const PROGRAM = 'progressive-storage';

const COMMON_OPTIONS = {
  json: { type: 'boolean', description: 'print one JSON value for scripts instead of text' },
  progress: { type: 'boolean', description: 'show progress without a terminal too, in lines on stderr' },
  help: { type: 'boolean', short: 'h', description: 'show this help' },
};

export function commandNames() {
  return readdirSync(COMMANDS)
    .filter((name) => name.endsWith('.mjs'))
    .map((name) => name.slice(0, -'.mjs'.length))
    .sort();
}

// The commands import the addon. Node reports an error of a module that is imported so a second time, as uncaught, also
// where it was caught.
function loadAddon() {
  createRequire(import.meta.url)('../index.js');
}

async function loadCommand(name) {
  if (!commandNames().includes(name)) {
    const meant = nearest(name, [...commandNames(), 'help']);
    throw usageError(
      `There is no command '${name}'.${meant ? ` Did you mean '${meant}'?` : ''}`,
      `Run \`${PROGRAM} --help\` for the list of commands.`,
    );
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
    if (said) {
      // Behind the ^C of the terminal.
      terminal.note('');
      terminal.note(said);
    }
    process.exit(exitCode);
  };
  const onSignal = () => interrupt(EXIT.interrupted, 'Interrupted.');
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
    throw usageError(whatIsWrong(error, name, command), `Run \`${PROGRAM} ${name} --help\`.`);
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

function whatIsWrong(error, name, command) {
  const named = error.message.match(/^Unknown option '([^']*)'/)?.[1];
  if (error.code !== 'ERR_PARSE_ARGS_UNKNOWN_OPTION' || named === undefined) return error.message;
  // Bun names a short option without its minus.
  const option = named.startsWith('-') ? named : `-${named}`;
  const known = Object.keys({ ...command.options, ...COMMON_OPTIONS });
  const meant = option.startsWith('--') ? nearest(option.slice(2), known) : undefined;
  const isNumber = /^-\d/.test(option);
  return [
    `There is no option '${option}' of '${name}'.`,
    ...(meant ? [`Did you mean '--${meant}'?`] : []),
    // Ids of chats may be below zero.
    ...(isNumber ? ['Before an argument that begins with a minus, put --.'] : []),
  ].join(' ');
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
    `Exit codes: ${EXIT_CODES}.`,
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

function tellError(terminal, failure) {
  const error = asStop(failure);
  const { exitCode, code, hint, details } = error;
  if (terminal.json) {
    terminal.result({ error: { code, message: error.message, hint, details, path: error.path } });
    return exitCode;
  }
  terminal.note(`${PROGRAM}: ${error.message}`);
  for (const detail of details) terminal.note(`  ${detail}`);
  if (hint) terminal.note(hint);
  return exitCode;
}

// Any failure as something to tell: of the system in words, of this program without the paths of its own files.
function asStop(failure) {
  if (failure instanceof Stop) return failure;
  const { code, path } = failure;
  const text = failureText(failure);
  if (text !== failure.message) {
    const isRights = code === 'EACCES' || code === 'EPERM';
    const options = isRights
      ? {
          exitCode: EXIT.place,
          code,
          hint: 'Run this as the user that the bot runs as (or see chown, chmod).',
        }
      : { code };
    return Object.assign(new Stop(`${text}.`, options), { path });
  }
  if (code !== undefined) return Object.assign(new Stop(failure.message, { code }), { path });
  // A bug of the program, not of the folder.
  const isDebug = Boolean(process.env.PROGRESSIVE_STORAGE_DEBUG);
  return new Stop(failure.message, {
    code: 'ERR_FAILED',
    hint: `This is a mistake of ${PROGRAM} itself. With PROGRESSIVE_STORAGE_DEBUG=1 it says where; please report it.`,
    details: isDebug ? String(failure.stack).split('\n').slice(1) : [],
  });
}
