// The addon: `native.js`, written by `npm run build`, looks for the binary of this machine. When it finds none that
// loads, the error says what was looked for and what to do.

// Deno loads in a way of its own and does not get here.
const { dlopen } = process;
process.dlopen = (...args) => {
  require('./binary-file.js').checkBinaryFile(args[1]);
  return dlopen.apply(process, args);
};
try {
  module.exports = require('./native.js');
} catch (error) {
  throw require('./load-error.js').explain(error);
} finally {
  process.dlopen = dlopen;
}
