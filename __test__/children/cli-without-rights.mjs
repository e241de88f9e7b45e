// The program as a user without rights: gives up root (if it has it), then runs the command of its arguments. It loads the
// whole program first, since that user may not be able to read it.
import { main } from '../../bin/program.mjs';
import { commandNames } from '../../bin/support/command-names.mjs';

for (const name of commandNames()) await import(`../../bin/commands/${name}.mjs`);
if (process.getuid() === 0) {
  const nobody = 65534;
  process.setgroups?.([]); // Deno has none.
  process.setgid(nobody);
  process.setuid(nobody);
}
await main(process.argv.slice(2));
