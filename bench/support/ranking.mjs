/**
 * Leaderboard and rank for stores without an index on a field: they read every record.
 */

const score = (record) => record.totalScore ?? 0;

/** The `count` records with the highest totalScore, best first. */
export function topOf(records, count) {
  return [...records].sort((a, b) => score(b) - score(a)).slice(0, count);
}

/** The rank of a record; 1 is the best. */
export function rankOf(records, record) {
  let better = 0;
  for (const other of records) if (score(other) > score(record)) better += 1;
  return better + 1;
}
