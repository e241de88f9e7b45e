// The commands for one value of a key, as words of a POSIX shell.
//
// A plain word stands as it is, others in single quotes. Text with characters that a terminal would obey or not show comes
// out of `printf`, with an `x` at its end that is taken off again: `$(…)` would take off line breaks.
//
// Invariant: the shell hands on exactly the text, whatever it is, and the command itself is plain visible text.

const PLAIN = /^[\w@%+=:,./-]+$/;
const UNSEEN = /[\p{Cc}\p{Bidi_Control}\p{Zl}\p{Zp}\u00ad\u180e\u200b\u2060-\u206f\ufeff\ufff9-\ufffb]/u;
/** No argument of a program can hold these: the end of a text, and half of a pair. */
const IMPOSSIBLE = /\0|\p{Surrogate}/u;

const octal = (byte) => `\\${byte.toString(8).padStart(3, '0')}`;

function printfText(text) {
  return [...new TextEncoder().encode(text)]
    .map((byte, at) => {
      const character = String.fromCharCode(byte);
      const isPlain =
        byte < 0x7f && /[\w .,:;/@=+{}[\]()"-]/.test(character) && !(at === 0 && character === '-');
      return isPlain ? character : octal(byte);
    })
    .join('');
}

export const quoted = (text) => (PLAIN.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`);

/** Whether a shell can hand on the text as an argument. */
export const isPossible = (text) => text !== '' && !IMPOSSIBLE.test(text);

/** Collects words, and what must come before the command for them. */
class Words {
  setUp = '';

  word(name, text) {
    if (!UNSEEN.test(text)) return quoted(text);
    this.setUp += `${name}=$(printf '${printfText(text)}x'); `;
    return `"\${${name}%x}"`;
  }
}

/** `progressive-storage NAME … KEY PLACE`. `place` is `{ dataDir }` or `{ schema }`, `options` are finished words. */
function command(name, { place, log, key }, options = []) {
  const words = new Words();
  const all = [`--log=${words.word('log', log)}`, ...options];
  const given = key === undefined ? [] : [words.word('key', key)];
  if (place.dataDir === undefined)
    all.unshift('--url', 'env', `--schema=${words.word('schema', place.schema)}`);
  else given.push(words.word('folder', place.dataDir));
  const isOption = key?.startsWith('-') || place.dataDir?.startsWith('-');
  return `${words.setUp}npx progressive-storage ${[name, ...all, ...(isOption ? ['--'] : []), ...given].join(' ')}`;
}

/**
 * The commands beside a step of a key's history, `[{ label, text }]`, or `{ reason }` where there are none. `isNewest` is
 * the step that made the value of now.
 */
export function commandsOf({ place, log, key, step, isNewest }) {
  if (!isPossible(key) || !isPossible(log))
    return { reason: 'No shell can hand on this key: use the calls of the package.' };
  const all = [];
  const about = { place, log, key };
  if (isNewest) all.push({ label: 'Undo this change', text: command('undo', about) });
  if (step.timestamp === null)
    return all.length > 0 ? { all } : { reason: 'This entry has no time, so no command can name it.' };
  if (!step.isLastAtItsTime)
    return { reason: 'Another change has the same time: a command would find that one.' };
  const at = step.timestamp;
  if (!isNewest) {
    const label = step.value === null ? 'Remove the key again' : 'Give the key this value again';
    all.push({ label, text: command('undo', about, [`--to=${quoted(at)}`]) });
  }
  const into = `restored-${at.replace(/\D/g, '').slice(0, 17)}`;
  const options = [`--at=${quoted(at)}`, `--into=${into}`];
  all.push({
    label: 'All of the log as it was then, in a new folder',
    text: command('restore', { place, log }, options),
  });
  return { all };
}
