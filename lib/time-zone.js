// Time zones, as the runtime knows them: ADR 10.

const HOUR_MS = 3_600_000;

/** The formatter that was made last, and of which zone: to make one takes much longer than to use it. */
let known = { timeZone: undefined, formatter: undefined };

/** Shows the offset from UTC; without a zone, that of this process, which `process.env.TZ` may change at any time. */
function formatter(timeZone) {
  if (timeZone !== undefined && known.timeZone === timeZone) return known.formatter;
  const made = new Intl.DateTimeFormat('en-US', { timeZoneName: 'longOffset', timeZone });
  known = { timeZone, formatter: made };
  return made;
}

/** How far the clock on the wall is ahead of UTC. Throws for a zone that the runtime does not know. */
function offsetMs(timeZone, at) {
  return offsetOf(formatter(timeZone).format(at));
}

/** The offset at the end of `3/29/2026, GMT+02:00`; none where it says `GMT`. */
function offsetOf(shown) {
  const match = /GMT([+\-\u2212])(\d+):?(\d*):?(\d*)$/.exec(shown);
  if (!match) return 0;
  const [hours, minutes, seconds] = match.slice(2).map(Number);
  const aheadMs = hours * HOUR_MS + minutes * 60_000 + seconds * 1000;
  return match[1] === '+' ? aheadMs : -aheadMs;
}

module.exports = { offsetMs };
