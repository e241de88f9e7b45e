// An economy: players pay each other, a shop sells what it has, and everybody gets coins once a day.
//
// Accounts, goods and claims are keys of one collection, so one operation can change several of them: all or nothing,
// whichever shard runs it, and also when the process is killed in the middle.

import { tryOut } from './try-out.mjs';

const DAY_MS = 24 * 60 * 60 * 1000;
const DAILY_COINS = 100;

/** A refusal in words for the player: `interaction.reply(error.message)`. Other errors are no refusals. */
export class Refused extends Error {}

const economy = (storage) => storage.collection('economy');
const accountOf = (userId) => `account:${userId}`;
const goodsOf = (item) => `goods:${item}`;
const claimOf = (userId) => `daily:${userId}`;

/** The account with so many coins more, or fewer. */
function plus(coins, account = { coins: 0, items: [] }) {
  const sum = account.coins + coins;
  if (sum < 0) throw new Refused(`That takes ${-coins} coins, and there are ${account.coins}.`);
  if (!Number.isSafeInteger(sum)) throw new Refused('Nobody can have so many coins.');
  return { ...account, coins: sum };
}

export const getAccount = async (storage, userId) =>
  (await economy(storage).get(accountOf(userId))) ?? { coins: 0, items: [] };

/** Moves coins from one player to another. */
export async function transfer(storage, fromId, toId, coins) {
  if (!Number.isSafeInteger(coins) || coins < 1)
    throw new Refused('Give a whole number of coins, 1 or more.');
  const [from, to] = [accountOf(fromId), accountOf(toId)];
  if (from === to) throw new Refused('Nobody can pay themselves.');
  const pay = (found) => ({ [from]: plus(-coins, found[from]), [to]: plus(coins, found[to]) });
  await economy(storage).updateMany([from, to], pay);
}

/** Offers an item in the shop, in place of an earlier offer of it. */
export const offer = (storage, item, price, stock) => economy(storage).set(goodsOf(item), { price, stock });

/** Buys one item; resolves to the account. Of two players who want the last one, one gets it. */
export async function buy(storage, userId, item) {
  const [buyer, goods] = [accountOf(userId), goodsOf(item)];
  const bought = await economy(storage).updateMany([buyer, goods], (found) => {
    const { price, stock } = found[goods] ?? { stock: 0 };
    if (stock < 1) throw new Refused('The shop has none of these.');
    const account = plus(-price, found[buyer]);
    return { [buyer]: { ...account, items: [...account.items, item] }, [goods]: { price, stock: stock - 1 } };
  });
  return bought[buyer];
}

/** Pays the daily coins. The claim ends by itself; what was claimed and not paid, after a crash, the next call pays. */
export async function claimDaily(storage, userId) {
  const [account, claim] = [accountOf(userId), claimOf(userId)];
  const refuse = (found) => {
    if (found?.isPaid) throw new Refused('You had your daily coins.');
    return { isPaid: false };
  };
  await economy(storage).update(claim, refuse, { ttlMs: DAY_MS });
  await economy(storage).updateMany([account, claim], (found) => {
    refuse(found[claim]);
    return { [account]: plus(DAILY_COINS, found[account]), [claim]: { isPaid: true } };
  });
}

tryOut(import.meta.url, async (storage) => {
  for (const user of ['ann', 'ben']) await claimDaily(storage, user);
  await claimDaily(storage, 'ann').catch((refused) => console.log(`ann: ${refused.message}`));
  await transfer(storage, 'ann', 'ben', 30);
  await transfer(storage, 'ann', 'ben', 100).catch((refused) => console.log(`ann: ${refused.message}`));
  await offer(storage, 'sword', 120, 1);
  console.log('ben:', JSON.stringify(await buy(storage, 'ben', 'sword')));
  await buy(storage, 'ann', 'sword').catch((refused) => console.log(`ann: ${refused.message}`));
});
