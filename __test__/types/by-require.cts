// The package as TypeScript users of CommonJS have it. It is compiled by package/types.test.mjs and not run.

import log = require('progressive-storage/append-log');
import ps = require('progressive-storage');
import bot = require('progressive-storage/storage');

async function main(): Promise<void> {
  const record: ps.PlayerRecord = await ps.updatePlayerStats('1', 'Ann', 10);
  const list: ps.TokenList | null = await bot.loadTokens();
  const size: number = await log.getLogSize('players');
  const entry: log.LogEntry = (await log.readLogEntries('players'))[0];
  console.log(record.totalScore, list?.count, size, entry.op);
}

void main();
