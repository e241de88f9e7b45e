/**
 * Writes one player through the module's own functions, and prints where nothing else says it: the test looks for it.
 * Arguments: nothing, or the JSON of options for `configure`.
 */
import * as ps from '../../index.js';

if (process.argv[2]) ps.configure(JSON.parse(process.argv[2]));
await ps.updatePlayerStats('user', 'name', 5);
console.log(JSON.stringify(await ps.loadPlayers()));
