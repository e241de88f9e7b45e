/** Plays a game, and prints the logs that `snapshot` of the module copied. Argument: the folder of the copy. */
import { snapshot, updatePlayerStats } from '../../index.js';

await updatePlayerStats('ann', 'Ann', 1);
const { logs } = await snapshot(process.argv[2]);
for (const { name } of logs) console.log(name);
