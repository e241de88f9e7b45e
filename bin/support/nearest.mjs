// Which known name a person may have meant by an unknown one.

// How many insertions, deletions, replacements and swaps of neighbours turn one text into the other.
function distance(one, other) {
  let before = [];
  let row = Array.from({ length: other.length + 1 }, (_, at) => at);
  for (let i = 1; i <= one.length; i++) {
    const next = [i];
    for (let j = 1; j <= other.length; j++) {
      const isSame = one[i - 1] === other[j - 1];
      next[j] = Math.min(row[j] + 1, next[j - 1] + 1, row[j - 1] + (isSame ? 0 : 1));
      const isExchanged = i > 1 && j > 1 && one[i - 1] === other[j - 2] && one[i - 2] === other[j - 1];
      if (isExchanged) next[j] = Math.min(next[j], before[j - 2] + 1);
    }
    [before, row] = [row, next];
  }
  return row[other.length];
}

// The nearest of `names`; undefined where none is near enough.
export function nearest(name, names) {
  const wanted = name.toLowerCase();
  // A longer name is no typing mistake, and comparing it takes long.
  if (wanted.length > 100) return undefined;
  let best;
  for (const candidate of names) {
    const known = candidate.toLowerCase();
    const isBeginning = wanted.length >= 3 && known.startsWith(wanted);
    const far = isBeginning ? 0.5 : distance(wanted, known);
    if (far <= Math.max(1, Math.floor(known.length / 3)) && (!best || far < best.far)) {
      best = { candidate, far };
    }
  }
  return best?.candidate;
}
