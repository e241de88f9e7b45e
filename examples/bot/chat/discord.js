// Discord as a chat, by discord.js, which is loaded only here.

export async function discordChat({ token }) {
  const { Client, Events, GatewayIntentBits } = await import('discord.js');
  const client = new Client({
    intents: [GatewayIntentBits.Guilds, GatewayIntentBits.GuildMessages, GatewayIntentBits.MessageContent],
  });
  client.on(Events.Error, (error) => console.error('Discord:', error.message));
  return {
    onCommand(handler) {
      client.on(Events.InteractionCreate, (interaction) => {
        if (!interaction.isChatInputCommand()) return;
        handler({
          name: interaction.commandName,
          channelId: interaction.channelId,
          userId: interaction.user.id,
          username: interaction.user.username,
          options: Object.fromEntries(interaction.options.data.map(({ name, value }) => [name, value])),
          reply: (text) => interaction.reply(text),
        });
      });
    },
    onMessage(handler) {
      client.on(Events.MessageCreate, ({ author, channelId, content }) => {
        if (author.bot) return;
        handler({ channelId, userId: author.id, username: author.username, text: content });
      });
    },
    async send(channelId, text) {
      const channel = await client.channels.fetch(channelId);
      await channel.send(text);
    },
    async start(definitions) {
      const ready = new Promise((resolve) => client.once(Events.ClientReady, resolve));
      await client.login(token);
      await ready;
      await client.application.commands.set(definitions);
    },
    stop: () => client.destroy(),
  };
}
