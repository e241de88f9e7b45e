// A busy bot: stores results and compacts again and again until its stdin ends, then prints how many it stored.
// node busy-bot.mjs DATA-DIR [PACKAGE-URL]

const [dataDir, packageUrl] = process.argv.slice(2);
const { Storage } = await import(packageUrl);
const storage = new Storage({ dataDir });
let stored = 0;
let isEnding = false;
process.stdin.on('end', () => {
  isEnding = true;
});
process.stdin.resume();
while (!isEnding) {
  await Promise.all(
    Array.from({ length: 20 }, (_, i) =>
      storage.updatePlayerStats(`user${i}`, `Name ${i}`, stored, i === 0, 1, 1),
    ),
  );
  stored += 20;
  if (stored % 200 === 0) await storage.compactLog('players');
  if (stored === 40) console.log('busy');
  await new Promise((resolve) => setTimeout(resolve, 2));
}
const players = await storage.loadPlayers();
const games = Object.values(players).reduce((sum, { totalGames }) => sum + totalGames, 0);
console.log(JSON.stringify({ stored, games }));
await storage.close();
