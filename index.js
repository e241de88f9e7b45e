// The package's entry: everything that the addon exports, and the dashboard. `lib/native.js`, written by `npm run build`,
// looks for the binary of this machine; when it finds none that loads, the error says what was looked for and what to
// do.
//
// One assignment of a `require` on purpose: it is what lets `import { name }` see the addon's names.

// Deno loads in a way of its own and is not reached by this.
const { dlopen } = process;
process.dlopen = (...args) => {
  require('./lib/binary-file.js').checkBinaryFile(args[1]);
  return dlopen.apply(process, args);
};
try {
  module.exports = require('./lib/native.js');
} catch (error) {
  throw require('./lib/load-error.js').explain(error);
} finally {
  process.dlopen = dlopen;
}

// Read only when it is started.
module.exports.startDashboard = (options) =>
  require('./dashboard/start.js').startDashboard(module.exports, options);
