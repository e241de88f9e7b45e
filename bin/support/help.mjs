// The help texts: the list of commands, and what one command does.

import { COMMON_OPTIONS } from './arguments.mjs';
import { EXIT_CODES, PROGRAM } from './errors.mjs';

// `summaries` are pairs of a command's name and its summary.
export function overview(summaries) {
  const names = summaries.map(([name]) => name);
  const width = Math.max(...names.map((name) => name.length)) + 2;
  const lines = [`Usage: ${PROGRAM} COMMAND [arguments] [options]`, '', 'Commands:'];
  for (const [name, summary] of summaries) lines.push(`  ${name.padEnd(width)}${summary}`);
  lines.push(
    '',
    `\`${PROGRAM} COMMAND --help\` shows what a command does. All take --json.`,
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
    'Examples:',
    ...command.examples.flatMap(([does, line]) => [`  # ${does}`, `  ${line}`]),
    '',
  ].join('\n');
}
