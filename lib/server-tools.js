// What the program in bin/ and the dashboard ask a server beside the calls of a storage: which logs it has, what it is, what a
// role may. SQL and connection are the addon's.
//
// Invariant: an error has the code and the message of the addon, and none of them holds the url.

const native = require('./addon.js');

const TIMEOUT_MS = 30_000;

function answerOf(text) {
  const { error, server, answer } = JSON.parse(text);
  if (error === undefined) return { server, answer };
  throw Object.assign(new Error(error.message), { code: error.code });
}

/** `{ server, answer }`: what a person calls the server, and the answer. */
async function askServer({ url, schema, timeoutMs = TIMEOUT_MS }, question, ...parameters) {
  const given = parameters.map(String);
  return answerOf(await native.askServer(url, schema, timeoutMs, question, given));
}

/** The statements that make schema and tables and give a role its rights. */
function serverTables(schema, role) {
  return answerOf(native.serverTables(schema, role)).answer;
}

module.exports = { askServer, serverTables };
