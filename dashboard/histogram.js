// Histograms as `metrics()` gives them: `{ count, buckets: [[bound, count], …] }`, each count including the smaller
// bounds.

/**
 * The value that `share` (0 to 1) of the new measurements stay below, or null where there are none. New is what `after`
 * has beyond `before`; inside a bucket the value is interpolated.
 */
function percentile(before, after, share) {
  const counts = after.buckets.map(([bound, count], index) => [
    bound,
    count - (before?.buckets[index][1] ?? 0),
  ]);
  const total = after.count - (before?.count ?? 0);
  if (total <= 0) return null;
  let [low, below] = [0, 0];
  for (const [bound, count] of counts) {
    if (count >= total * share) return low + ((bound - low) * (total * share - below)) / (count - below || 1);
    [low, below] = [bound, count];
  }
  return low;
}

/** The sum of histograms with the same bounds; undefined where there are none. */
function sumOf(histograms) {
  const [first, ...others] = histograms;
  if (!first) return undefined;
  const sum = { count: first.count, buckets: first.buckets.map((bucket) => [...bucket]) };
  for (const { count, buckets } of others) {
    sum.count += count;
    buckets.forEach(([, number], index) => {
      sum.buckets[index][1] += number;
    });
  }
  return sum;
}

/** `{ NAME50, NAME99 }`: of the new measurements, half and 99 of 100 took at most that long; null where there are none. */
function percentiles(name, before, after) {
  const of = (share) => (after ? percentile(before, after, share) : null);
  return { [`${name}50`]: of(0.5), [`${name}99`]: of(0.99) };
}

module.exports = { percentiles, sumOf };
