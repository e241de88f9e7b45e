// Numbers as people read them.

export function bytes(count) {
  if (count === null || count === undefined) return '–';
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  const sign = count < 0 ? '−' : '';
  let [size, unit] = [Math.abs(count), 0];
  while (size >= 1024 && unit < units.length - 1) {
    size /= 1024;
    unit++;
  }
  return `${sign}${size.toFixed(unit && size < 100 ? 1 : 0)} ${units[unit]}`;
}

export function number(value) {
  if (value === null || value === undefined) return '–';
  return value >= 100 ? Math.round(value).toLocaleString('en') : String(Number(value.toPrecision(3)));
}

export const ms = (value) => (value === null || value === undefined ? '–' : `${number(value)} ms`);

export const plural = (count, one, many = `${one}s`) => `${number(count)} ${count === 1 ? one : many}`;

export function duration(length) {
  if (length < 1000) return `${Math.round(length)} ms`;
  const s = length / 1000;
  if (s < 60) return `${s.toFixed(1)} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min`;
  return s < 172800 ? `${Math.floor(s / 3600)} h` : `${number(Math.floor(s / 86400))} days`;
}

export const time = (at) => new Date(at).toLocaleString();

const DAY_MS = 86_400_000;

/** The time of day; with the day where the span is longer than one. */
export function clock(at, span) {
  const day = span > DAY_MS ? { month: 'short', day: 'numeric' } : {};
  const seconds = span < 1_200_000 ? { second: '2-digit' } : {};
  const clock = { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' };
  return new Date(at).toLocaleTimeString([], { ...day, ...clock, ...seconds });
}

/** How fast something grows and when the disk is full at that rate, in words. */
export function growthText(first, last, freeBytes) {
  const hours = (last.at - first.at) / 3_600_000;
  const grown = last.stored - first.stored;
  if (hours < 1 / 60) return 'How fast it grows is known after a minute.';
  if (grown <= 0) return 'It did not grow in this time.';
  const perHour = grown / hours;
  const rate = `Grows by ${bytes(perHour)} an hour`;
  if (freeBytes === null || freeBytes === undefined) return `${rate}.`;
  return `${rate}: the disk is full in ${duration((freeBytes / perHour) * 3_600_000)}.`;
}
