// Points in time as people write them.

import { usageError } from './errors.mjs';

const UNITS_MS = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 };

// `2026-01-31T20:15:00Z` (without a zone: local time), `2026-01-31` (UTC), or an age: `90s`, `30m`, `2h`, `3d`, `1w`.
export function parseTime(text, option, now = Date.now()) {
  const [, number, unit] = text.match(/^(\d+(?:\.\d+)?)([smhdw])$/) ?? [];
  const ms = unit ? now - Number(number) * UNITS_MS[unit] : Date.parse(text);
  if (!unit && !/^\d{4}-\d\d/.test(text)) throw wrong(text, option);
  if (Number.isNaN(ms)) throw wrong(text, option);
  return new Date(ms);
}

function wrong(text, option) {
  return usageError(
    `'${text}' of ${option} is not a point in time.`,
    'Give one like 2026-01-31T20:15:00Z (without the Z: local time), or an age like 30m, 2h, 3d.',
  );
}
