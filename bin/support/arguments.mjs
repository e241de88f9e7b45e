// A command's arguments: parsed as the command declares them, or an error that says what is wrong.

import { parseArgs } from 'node:util';
import { PROGRAM, usageError } from './errors.mjs';
import { nearest } from './nearest.mjs';

export const COMMON_OPTIONS = {
  json: { type: 'boolean', description: 'print one JSON value for scripts instead of text' },
  progress: { type: 'boolean', description: 'show progress without a terminal too, in lines on stderr' },
  help: { type: 'boolean', short: 'h', description: 'show this help' },
};

export function parseCommand(name, command, args) {
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
  if (option === '--url' || option === '--schema')
    return `'${name}' works on a folder only, not on a server.`;
  const isNumber = /^-\d/.test(option);
  return [
    `There is no option '${option}' of '${name}'.`,
    ...(meant ? [`Did you mean '--${meant}'?`] : []),
    // Ids of chats can be negative numbers.
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
