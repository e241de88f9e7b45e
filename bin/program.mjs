// The program around the commands: finds a command, runs it, reports its errors, handles Ctrl-C.
//
// A command is a module of commands/ that exports
//   summary       one line for the list of commands
//   usage         the arguments after the command's name, such as `[path] [options]`
//   help          paragraphs that say what it does
//   examples      one to three pairs: what it does, in a few words, and a line for a shell, which a test runs as it stands
//   options       as in util.parseArgs, each with a `description` (and a `value` to show)
//   positionals   { min, max }
//   run(context)  does the work; returns an exit code, or nothing for 0
// All but `build` find a binary that loads, or end with the error that says why there is none.
// Invariant: however a command ends, everything that it registered with `atEnd` runs, in reverse order.

import { createRequire } from 'node:module';
import { parseCommand } from './support/arguments.mjs';
import { COMMANDS, commandNames } from './support/command-names.mjs';
import { Endings } from './support/endings.mjs';
import { asStop, EXIT, PROGRAM, usageError } from './support/errors.mjs';
import { commandHelp, overview } from './support/help.mjs';
import { nearest } from './support/nearest.mjs';
import { Terminal } from './support/terminal.mjs';
import { hideSecrets } from './support/url.mjs';
import { packageVersion } from './support/version.mjs';

// The commands import the addon too. But when a module fails a second time on import, Node reports the error as
// uncaught, even if it was caught; a failed `require` can be caught.
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
  const run = new Run(argv);
  run.handleInterruptions();
  try {
    process.exitCode = (await run.command()) ?? EXIT.ok;
  } catch (error) {
    run.fail(error);
  } finally {
    await run.end();
  }
}

// One run of the program. An interrupted run ends in `#interrupt`, so what fails or ends after that is not reported.
class Run {
  #argv;
  #terminal;
  #endings = new Endings();
  #isInterrupted = false;

  constructor(argv) {
    this.#argv = argv;
    this.#terminal = new Terminal({ json: argv.includes('--json') });
  }

  handleInterruptions() {
    const onSignal = () => this.#interrupt(EXIT.interrupted, 'Interrupted.');
    process.on('SIGINT', onSignal);
    process.on('SIGTERM', onSignal);
    // A reader that has enough (`| head`) closes the pipe: that is no error.
    process.stdout.on('error', (error) => this.#interrupt(error.code === 'EPIPE' ? EXIT.ok : EXIT.failed));
  }

  async #interrupt(exitCode, message) {
    if (this.#isInterrupted) return;
    this.#isInterrupted = true;
    try {
      await this.#endings.run();
    } catch (error) {
      showError(this.#terminal, error);
    }
    if (message) {
      // The terminal has already printed ^C on this line.
      this.#terminal.note('');
      this.#terminal.note(message);
    }
    process.exit(exitCode);
  }

  // Returns the exit code.
  async command() {
    const [name, ...rest] = this.#argv;
    if (name === '--version' || name === '-v') {
      process.stdout.write(`${packageVersion()}\n`);
      return EXIT.ok;
    }
    const commandName = name === 'help' ? rest[0] : name;
    if (commandName !== 'build') loadAddon();
    const isOverview = name === '--help' || name === '-h' || (name === 'help' && rest.length === 0);
    if (name === undefined || isOverview) {
      const summaries = [];
      for (const each of commandNames()) summaries.push([each, (await loadCommand(each)).summary]);
      process.stdout.write(overview(summaries));
      return name === undefined ? EXIT.usage : EXIT.ok;
    }
    const command = await loadCommand(commandName);
    if (name === 'help' || rest.includes('--help') || rest.includes('-h')) {
      process.stdout.write(commandHelp(commandName, command));
      return EXIT.ok;
    }
    const { values, positionals } = parseCommand(commandName, command, rest);
    this.#terminal = new Terminal({ json: values.json === true, progress: values.progress === true });
    showWarnings(this.#terminal);
    return command.run({
      terminal: this.#terminal,
      options: values,
      positionals,
      cwd: process.cwd(),
      atEnd: (work) => this.#endings.add(work),
    });
  }

  fail(error) {
    if (!this.#isInterrupted) process.exitCode = showError(this.#terminal, error);
  }

  async end() {
    if (this.#isInterrupted) return;
    try {
      await this.#endings.run();
    } catch (error) {
      this.fail(error);
    }
  }
}

// Warnings of the storage as plain notes, instead of in Node's own form.
function showWarnings(terminal) {
  process.removeAllListeners('warning');
  process.on('warning', (warning) => {
    if (warning.name === 'ExperimentalWarning') return;
    terminal.note(`note: ${warning.message}`);
  });
}

// Returns the exit code.
function showError(terminal, failure) {
  const error = asStop(failure);
  const { exitCode, code } = error;
  // A url may be given where none belongs.
  const message = hideSecrets(error.message);
  const hint = error.hint && hideSecrets(error.hint);
  const details = error.details.map(hideSecrets);
  if (terminal.json) {
    terminal.result({ error: { code, message, hint, details, path: error.path && hideSecrets(error.path) } });
    return exitCode;
  }
  terminal.note(`${PROGRAM}: ${message}`);
  for (const detail of details) terminal.note(`  ${detail}`);
  if (hint) terminal.note(hint);
  return exitCode;
}
