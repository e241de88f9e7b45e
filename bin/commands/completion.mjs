// `completion`: a script with which a shell completes commands and options.

import { COMMON_OPTIONS } from '../support/arguments.mjs';
import { commandNames } from '../support/command-names.mjs';
import { PROGRAM, usageError } from '../support/errors.mjs';

export const summary = 'a script with which bash, zsh or fish completes commands';
export const usage = 'SHELL';
export const help = `
Prints a script for SHELL: bash, zsh or fish. The program is then completed where it is installed or in the PATH.
`;
export const examples = [
  [
    'bash',
    'progressive-storage completion bash > ~/.local/share/bash-completion/completions/progressive-storage',
  ],
  [
    'zsh: the folder is one of `fpath`',
    'progressive-storage completion zsh > ~/.zsh/completions/_progressive-storage',
  ],
  ['fish', 'progressive-storage completion fish > ~/.config/fish/completions/progressive-storage.fish'],
];
export const positionals = { min: 1, max: 1 };
export const options = {};

const SCRIPTS = { bash, zsh, fish };

export async function run({ terminal, positionals }) {
  const [shell] = positionals;
  if (!Object.hasOwn(SCRIPTS, shell))
    throw usageError(`There is no script for '${shell}'.`, 'Give bash, zsh or fish.');
  const commands = [];
  for (const name of commandNames()) {
    const command = await import(`./${name}.mjs`);
    const all = { ...command.options, ...COMMON_OPTIONS };
    const words = Object.entries(all).map(([option, { description }]) => ({ option, description }));
    commands.push({ name, summary: command.summary, options: words });
  }
  const script = SCRIPTS[shell](commands);
  if (terminal.json) terminal.result({ shell, script });
  else terminal.raw(script);
}

const optionsOf = ({ options }) => options.map(({ option }) => `--${option}`).join(' ');

function bash(commands) {
  return `# bash completion of ${PROGRAM}
_progressive_storage() {
  local word=\${COMP_WORDS[COMP_CWORD]} options
  if [ "$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=($(compgen -W '${commands.map(({ name }) => name).join(' ')} help' -- "$word"))
    return
  fi
  case \${COMP_WORDS[1]} in
${commands.map((command) => `    ${command.name}) options='${optionsOf(command)}' ;;`).join('\n')}
    *) options='' ;;
  esac
  if [[ $word == -* ]]; then
    COMPREPLY=($(compgen -W "$options" -- "$word"))
  fi
}
complete -o default -F _progressive_storage ${PROGRAM}
`;
}

// In single quotes, as these shells read them.
const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;
const forZsh = (text) => text.replace(/[[\]:\\]/g, '\\$&');

function zsh(commands) {
  return `#compdef ${PROGRAM}
local -a commands
commands=(
${commands.map(({ name, summary }) => `  ${quoted(`${name}:${forZsh(summary)}`)}`).join('\n')}
  'help:what a command does'
)
if (( CURRENT == 2 )); then
  _describe command commands
  return
fi
local command=$words[2]
shift words
(( CURRENT-- ))
case $command in
${commands
  .map(({ name, options }) => {
    const words = options.map(
      ({ option, description }) => `    ${quoted(`--${option}[${forZsh(description)}]`)} \\`,
    );
    return `  ${name}) _arguments '*:file:_files' \\\n${words.join('\n')}\n    ;;`;
  })
  .join('\n')}
esac
`;
}

function fish(commands) {
  const isFirst = `__fish_use_subcommand`;
  const forFish = (text) => `'${text.replace(/[\\']/g, '\\$&')}'`;
  const lines = [`# fish completion of ${PROGRAM}`];
  for (const { name, summary } of commands)
    lines.push(`complete -c ${PROGRAM} -f -n ${isFirst} -a ${name} -d ${forFish(summary)}`);
  for (const { name, options } of commands)
    for (const { option, description } of options)
      lines.push(
        `complete -c ${PROGRAM} -n '__fish_seen_subcommand_from ${name}' -l ${option} -d ${forFish(description)}`,
      );
  return `${lines.join('\n')}\n`;
}
