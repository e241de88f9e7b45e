// Which processes use a folder, for the commands; the dashboard looks in the same way.

export { processesUsing } from '../../lib/processes.mjs';
