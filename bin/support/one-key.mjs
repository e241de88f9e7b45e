// A key that a command is about: its place, its log, and its value as a bot loads it.

import { usageError } from './errors.mjs';
import { bytesToRead } from './log-files.mjs';
import { placeOf, placeOptions } from './place.mjs';

export const keyOptions = {
  ...placeOptions,
  log: { type: 'string', value: 'NAME', default: 'players', description: 'which log' },
};

// `now` is undefined where the key is not there. `endsAt` is when it ends by itself, in milliseconds since 1970; null where it
// does not.
export async function openKey({ terminal, options, cwd, atEnd }, key, folder) {
  if (key === '') throw usageError('The key is empty.');
  const place = await placeOf({ options, cwd }, folder);
  const log = await place.log(options.log);
  const { name } = log;
  const storage = place.open(atEnd);
  const collection = storage.collection(name);
  const reading = collection.get(key);
  const now = await terminal.waiting(`Reading ${name}`, reading, bytesToRead(log));
  const endsAt = now === undefined ? null : await collection.expiresAt(key);
  return { place, log, name, storage, now, endsAt };
}
