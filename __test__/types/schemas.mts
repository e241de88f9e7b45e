// Schemas of zod, valibot and arktype, as a TypeScript user gives them to `collection`: what they take and make are the types of
// the calls. It is compiled under `strict` by package/types.test.mjs, and not run.

import { type } from 'arktype';
import { type Collection, collection, type StandardSchema, Storage } from 'progressive-storage';
import * as v from 'valibot';
import { z } from 'zod';

/** Compiles where the two types are the same. */
type Same<A, B> = (<X>() => X extends A ? 1 : 2) extends <X>() => X extends B ? 1 : 2 ? true : false;
function same<A, B>(isSame: Same<A, B>): void {
  console.log(isSame);
}

interface Guild {
  games: number;
  warnings: string[];
}
interface NewGuild {
  games?: number | undefined;
  warnings: string[];
}

const storage = new Storage({ dataDir: 'other' });

const ofZod = collection('guilds', {
  schema: z.object({ games: z.number().default(0), warnings: z.array(z.string()) }),
});
same<typeof ofZod, Collection<Guild, NewGuild>>(true);
const ofValibot = storage.collection('guilds', {
  schema: v.object({ games: v.optional(v.number(), 0), warnings: v.array(v.string()) }),
});
const one = await ofValibot.get('1');
same<typeof one, Guild | undefined>(true);
const ofArktype = collection('guilds', { schema: type({ games: 'number = 0', warnings: 'string[]' }) });
const values = await ofArktype.values();
same<typeof values, Guild[]>(true);

for (const guilds of [ofZod, ofValibot, ofArktype] as const) {
  await guilds.set('1', { warnings: [] });
  // @ts-expect-error: a field of another type
  await guilds.set('1', { warnings: [], games: '1' });
  const games: number = await guilds.increment('1', 'games');
  // @ts-expect-error: the field is no number
  await guilds.increment('1', 'warnings');
  await guilds.push('1', 'warnings', 'spam');
  // @ts-expect-error: an element is a text
  await guilds.push('1', 'warnings', games);
  const guild: Guild = await guilds.ensure('1', { warnings: [] });
  console.log(guild);
}

// Any of them is a StandardSchema.
const schemas: StandardSchema[] = [z.string(), v.string(), type('string')];
const texts = collection('texts', { schema: z.string().transform((text) => text.length) });
same<typeof texts, Collection<number, string>>(true);

export const used = [schemas];
