// Plays one scene with the package of a release, for make.mjs: node play.mjs PACKAGE-URL SCENE DATA-DIR SAW-FILE
// It writes what the release answered to SAW-FILE, and then ends as the scene says: it closes, waits to be killed, or makes
// the call in which strace kills it.

import { writeFileSync } from 'node:fs';
import { SCENES, seenBy } from './scenes.mjs';

const [packageUrl, name, dataDir, sawFile] = process.argv.slice(2);
const scene = SCENES[name];
const { Storage } = await import(packageUrl);
const options = scene.options ?? {};
const wanted = {};
if (scene.needs && !(scene.needs in Storage.prototype)) process.exit(3);
let storage = new Storage({ dataDir, ...options });
storage = (await scene.play({ storage, Storage, dataDir, options, saw: wanted })) ?? storage;
const saw = await seenBy(storage, wanted);
// What a call that is not over yet, or the clock, makes of it stands in the scene.
writeFileSync(sawFile, JSON.stringify({ ...saw, ...wanted }, null, 2));
if (scene.end === 'close') await storage.close();
else {
  process.stdout.write('played\n');
  if (scene.last) await scene.last({ storage });
  setInterval(() => {}, 1000);
}
