// Points in time as people write them.

import { usageError } from './errors.mjs';

const UNITS_MS = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 };
const AGE = /^(\d+(?:\.\d+)?)([smhdw])$/;
// A thousand years.
const DURATION_MS_MAX = 1000 * 365 * UNITS_MS.d;

// `2026-01-31T20:15:00Z` (without a zone: local time), `2026-01-31` (UTC), or an age: `90s`, `30m`, `2h`, `3d`, `1w`.
export function parseTime(text, option, now = Date.now()) {
  const [, number, unit] = text.match(AGE) ?? [];
  const ms = unit ? now - Number(number) * UNITS_MS[unit] : Date.parse(text);
  if (!unit && !/^\d{4}-\d\d/.test(text)) throw wrong(text, option);
  if (Number.isNaN(ms)) throw wrong(text, option);
  return new Date(ms);
}

// A time to live, in milliseconds: `90s`, `10m`, `2h`, `3d`, `1w`.
export function parseDuration(text, option) {
  const [, number, unit] = text.match(AGE) ?? [];
  const ms = Number(number) * UNITS_MS[unit];
  if (ms > 0 && ms <= DURATION_MS_MAX) return ms;
  throw usageError(`'${text}' of ${option} is no time to live.`, 'Give one like 90s, 10m, 2h or 3d.');
}

// Behind a value: until when it is there. Nothing where it does not end by itself.
export const untilText = (expiresAt) =>
  expiresAt === undefined || expiresAt === null ? '' : `, until ${new Date(expiresAt).toISOString()}`;

function wrong(text, option) {
  return usageError(
    `'${text}' of ${option} is not a point in time.`,
    'Give one like 2026-01-31T20:15:00Z (without the Z: local time), or an age like 30m, 2h, 3d.',
  );
}
