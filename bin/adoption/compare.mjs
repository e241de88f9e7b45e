// Compares what old and new code read.

const DIFFERENCES_SHOWN = 5;

// `[{ ok, text, details }]`, one check for each part of two probes; `names` are those of the two in messages.
export function compareProbes(before, after, names) {
  return Object.keys(before.parts).map((part) => {
    const sides = [before.parts[part], after.parts[part]];
    const failed = sides.findIndex(({ error }) => error);
    if (failed >= 0) {
      return {
        ok: false,
        text: `${part}: ${names[failed]} cannot read it`,
        details: [sides[failed].error],
      };
    }
    return comparePart(part, sides, names);
  });
}

function comparePart(part, [one, other], [nameBefore, nameAfter]) {
  const show = (text) =>
    text === undefined ? 'nothing' : text.replace(/^[0-9a-f]{16} ?/, '') || 'another value';
  const details = [...new Set([...Object.keys(one.keys), ...Object.keys(other.keys)])]
    .map((key) => [key, one.keys[key], other.keys[key]])
    .filter(([, was, is]) => was !== is)
    .map(([key, was, is]) => `${key}: ${nameBefore} has ${show(was)}, ${nameAfter} has ${show(is)}`);
  if (details.length === 0) {
    const same = part === 'leaderboard' ? 'the same order' : `${Object.keys(one.keys).length} the same`;
    return { ok: true, text: `${part}: ${same}`, details };
  }
  const more = details.length - DIFFERENCES_SHOWN;
  return {
    ok: false,
    text: `${part}: ${details.length} differ`,
    details: [...details.slice(0, DIFFERENCES_SHOWN), ...(more > 0 ? [`… and ${more} more`] : [])],
  };
}
