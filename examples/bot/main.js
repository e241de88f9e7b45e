// Starts the bot on Discord: DISCORD_TOKEN=… node main.js

import { Bot } from './bot.js';
import { discordChat } from './chat/discord.js';

const token = process.env.DISCORD_TOKEN;
if (!token) {
  console.error('Set DISCORD_TOKEN to the token of your bot (https://discord.com/developers/applications).');
  process.exit(2);
}

const bot = new Bot({ chat: await discordChat({ token }) });
for (const signal of ['SIGINT', 'SIGTERM']) {
  process.once(signal, async () => {
    await bot.stop();
    // The storage finishes what was called before the process ends.
    process.exit(0);
  });
}
await bot.start();
console.log('The bot is there.');
