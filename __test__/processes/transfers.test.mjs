// Coins are moved between accounts with updateMany, and between collections with transactions, by several processes at once, and one after the other is killed in the
// middle of what it does: no coin is lost or made, and no reader ever sees half of a move.

import path from 'node:path';
import { test } from 'node:test';
import { temporaryFolder } from '../support/temp.mjs';
import { moveAndKill } from '../support/transfers.mjs';

test('in a folder, no kill splits a move', async (t) => {
  const dataDir = path.join(await temporaryFolder(t), 'data');
  await moveAndKill(t, { dataDir }, { kills: 12, moved: 40 });
});

test('in a folder, no kill splits a move between collections', async (t) => {
  const dataDir = path.join(await temporaryFolder(t), 'data');
  await moveAndKill(t, { dataDir }, { kills: 12, moved: 25, collections: ['coins', 'bank'] });
});
