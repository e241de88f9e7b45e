// Posts problems of a storage to a Discord channel through a webhook of that channel (channel settings, Integrations).
//
//     import { alertDiscord } from './discord-alerts.mjs';
//     alertDiscord(process.env.DISCORD_WEBHOOK_URL);
//
// The same problem of the same log is posted at most once in ten minutes. A failed post is printed and not retried:
// alerts must never delay the bot.

import * as progressiveStorage from 'progressive-storage';

const PROBLEMS = [
  'compactionFailed',
  'corruption',
  'recovery',
  'externalEdit',
  'slowSync',
  'lockWait',
  'mirrorFailed',
  'mirrorCostly',
  'syncFailed',
  'backupFailed',
];
const QUIET_MS = 10 * 60 * 1000;
const CONTENT_MAX = 1900;

/** Starts posting; returns a function that ends it. `storage` is the module or a Storage. */
export function alertDiscord(webhookUrl, storage = progressiveStorage) {
  const postedAt = new Map();
  const post = async ({ event, log = '', message, timestamp }) => {
    const subject = `${event} ${log}`;
    const now = Date.now();
    if (now - (postedAt.get(subject) ?? Number.NEGATIVE_INFINITY) < QUIET_MS) return;
    postedAt.set(subject, now);
    const content = `**${event}** ${log} (${timestamp})\n${message}`.slice(0, CONTENT_MAX);
    try {
      const answer = await fetch(webhookUrl, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        // A message may contain a key that looks like a mention. It must not notify anybody.
        body: JSON.stringify({ content, allowed_mentions: { parse: [] } }),
        signal: AbortSignal.timeout(10_000),
      });
      if (!answer.ok) throw new Error(`Discord answered ${answer.status}`);
    } catch (error) {
      console.error(`The alert could not be posted: ${error.message}`);
    }
  };
  // With `observe`, the storage still prints problems.
  for (const event of PROBLEMS) storage.on(event, post, { observe: true });
  return () => {
    for (const event of PROBLEMS) storage.off(event, post);
  };
}
