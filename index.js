// The package's entry. One assignment of a `require` on purpose: it lets `import { name }` see the names.
module.exports = require('./lib/exports.js');
