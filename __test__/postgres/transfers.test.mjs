// The same as `processes/transfers`, on a server: several processes move coins between accounts with updateMany, and are
// killed. No coin is lost or made, and no reader ever sees half of a move.

import { after, test } from 'node:test';
import { startServer, whyNoServer } from '../../scripts/postgres/index.mjs';
import { newSchema } from '../support/server-scene.mjs';
import { moveAndKill } from '../support/transfers.mjs';

const skip = whyNoServer();
const server = skip ? null : await startServer();
after(() => server?.remove());

test('on a server, no kill splits a move', { skip }, async (t) => {
  const options = { url: server.url, schema: newSchema(), timeoutMs: 60_000 };
  await moveAndKill(t, options, { kills: 8, moved: 40 });
});

test('on a server, no kill splits a move between collections', { skip }, async (t) => {
  const options = { url: server.url, schema: newSchema(), timeoutMs: 60_000 };
  await moveAndKill(t, options, { kills: 6, moved: 30, collections: ['coins', 'bank'] });
});
