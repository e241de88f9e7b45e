/**
 * The bot's end of the journal (bot-process.mjs reads it): what a bot reports on file descriptor 3, a line of JSON each.
 *
 * Every call is reported before it is made, and again once its promise is settled. These are synchronous writes into a
 * pipe: the parent gets them even if the process ends at once.
 */

import fs from 'node:fs';

const CHANNEL_TO_PARENT = 3;

export function report(message) {
  try {
    fs.writeSync(CHANNEL_TO_PARENT, `${JSON.stringify(message)}\n`);
  } catch (error) {
    if (error.code !== 'EPIPE') throw error;
    // The parent is gone, however it ended; nobody is left to play for.
    process.exit(1);
  }
}

let lastCall = 0;

/** Makes a call; reports it before, and what became of it. Gives its result, or its error. */
export async function reported(about, call) {
  const id = ++lastCall;
  report({ say: 'call', id, ...about });
  const begun = performance.now();
  try {
    const result = await call();
    report({ say: 'acked', id, ms: performance.now() - begun });
    return result;
  } catch (error) {
    const { code, message, isOutcomeUnknown = false } = error;
    report({ say: 'failed', id, code, message, isOutcomeUnknown });
    throw error;
  }
}
