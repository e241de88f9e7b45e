// The options of `startDashboard`: defaults and checks.

const PORT = 8377;
const TOKEN_LENGTH_MIN = 16;
const LOOPBACK = new Set(['127.0.0.1', '::1', 'localhost']);

const isLoopback = (name) => LOOPBACK.has(name);

function refuse(Type, code, message) {
  throw Object.assign(new Type(message), { code });
}

/** The options with their defaults; throws a TypeError that names a wrong one. */
function checkOptions({ port = PORT, host = '127.0.0.1', token, storage, ...others } = {}) {
  const wrongType = (message) => refuse(TypeError, 'ERR_INVALID_ARG_TYPE', message);
  const wrongValue = (message) => refuse(TypeError, 'ERR_INVALID_ARG_VALUE', message);
  const [unknown] = Object.keys(others);
  if (unknown !== undefined) {
    wrongValue(`There is no option '${unknown}'; the options are port, host, token, storage`);
  }
  if (typeof port !== 'number') wrongType("The option 'port' must be a number");
  if (!Number.isInteger(port) || port < 0 || port > 65535) {
    wrongValue(`The option 'port' is ${port}; give a whole number from 0 to 65535`);
  }
  if (typeof host !== 'string') wrongType("The option 'host' must be a string");
  if (token !== undefined && typeof token !== 'string') wrongType("The option 'token' must be a string");
  if (token !== undefined && !/^[\x21-\x7e]{16,512}$/.test(token)) {
    wrongValue(
      `The option 'token' must have at least ${TOKEN_LENGTH_MIN} visible ASCII characters and no spaces; make one with: openssl rand -hex 32`,
    );
  }
  if (token === undefined && !isLoopback(host)) {
    wrongValue(
      `The option 'host' is '${host}', which others can reach; give a 'token' too, or listen on 127.0.0.1 only`,
    );
  }
  if (storage !== undefined && typeof storage?.metrics !== 'function') {
    wrongType("The option 'storage' must be a Storage");
  }
  return { port, host, token, storage };
}

module.exports = { checkOptions, isLoopback, refuse };
