/**
 * Writes one player through the module's own functions, and prints what they load then.
 * Arguments: nothing, or the JSON of options for `configure`; `again` to close, and to write once more after that.
 */
import * as ps from '../../index.js';

if (process.argv[2]) ps.configure(JSON.parse(process.argv[2]));
await ps.updatePlayerStats('user', 'name', 5);
if (process.argv[3] === 'again') {
  await ps.close();
  await ps.updatePlayerStats('user', 'name', 5);
}
console.log(JSON.stringify(await ps.loadPlayers()));
