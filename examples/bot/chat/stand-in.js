// A chat without Discord, for tests: messages are kept in a list, and functions play the people.

export function standInChat() {
  let onCommand = () => {};
  let onMessage = () => {};
  const listeners = new Set();
  const chat = {
    // What the bot said, oldest first: { channelId, text }.
    said: [],
    definitions: undefined,
    isStopped: false,
    onCommand(handler) {
      onCommand = handler;
    },
    onMessage(handler) {
      onMessage = handler;
    },
    async send(channelId, text) {
      chat.said.push({ channelId, text });
      // People answer after the bot has finished speaking.
      setImmediate(() => {
        for (const listen of listeners) listen({ channelId, text });
      });
    },
    async start(definitions) {
      chat.definitions = definitions;
    },
    async stop() {
      chat.isStopped = true;
    },

    // The other side: somebody uses a slash command, writes a message, or listens.
    async use({ channelId, userId, username }, name, options = {}) {
      let answer;
      const reply = async (text) => {
        answer = text;
      };
      await onCommand({ name, channelId, userId, username, options, reply });
      return answer;
    },
    say({ channelId, userId, username }, text) {
      onMessage({ channelId, userId, username, text });
    },
    listen(listener) {
      listeners.add(listener);
    },
  };
  return chat;
}
