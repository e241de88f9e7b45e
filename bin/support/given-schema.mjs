// A schema in a JavaScript module, and values that must fit it: as a collection checks them (lib/schema.js), but all of them
// before anything is written.

import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { storedCopy } from '../../lib/check.js';
import { issuesText, Schema } from '../../lib/schema.js';
import { EXIT, Stop, usageError } from './errors.mjs';
import { count, plural } from './format.mjs';
import { visible } from './visible.mjs';

const FAILURES_SHOWN = 20;
const HINT = 'Give a module that exports a schema of zod, valibot, arktype or another Standard Schema.';

// The schema of a log: the module's export of that name, or its default export. A CommonJS module has its exports in that.
export async function loadSchema(given, cwd, log) {
  const file = path.resolve(cwd, given);
  let module;
  try {
    module = await import(pathToFileURL(file).href);
  } catch (error) {
    throw usageError(`'${file}' cannot be loaded as a module: ${error?.message ?? error}`, HINT);
  }
  const found = [module, module.default].flatMap((exported) => [
    own(exported, log),
    own(exported, 'default'),
  ]);
  const schema = found.find(isSchema);
  if (schema === undefined)
    throw usageError(
      `'${file}' has no schema: neither its default export is one, nor an export of the name '${log}'.`,
      HINT,
    );
  try {
    return new Schema(schema, log);
  } catch (error) {
    throw usageError(`The schema in '${file}' cannot be used: ${error.message}.`, HINT);
  }
}

const isAny = (value) => (typeof value === 'object' && value !== null) || typeof value === 'function';
const isSchema = (value) => isAny(value) && isAny(value['~standard']);
const own = (value, name) => (isAny(value) && Object.hasOwn(value, name) ? value[name] : undefined);

// The entries with what the schema makes of their values, as JSON has it. The command ends where one does not fit.
export function validated(schema, entries) {
  const failures = [];
  const outputs = entries.map(([key, value, ...others]) => {
    try {
      return [key, storedCopy(schema.output(key, value), 'value'), ...others];
    } catch (error) {
      if (error?.code !== 'ERR_VALIDATION') throw unusable(key, error);
      failures.push(`${JSON.stringify(key)}: ${issuesText(error.issues)}`);
      return [];
    }
  });
  if (failures.length === 0) return outputs;
  const details = failures.slice(0, FAILURES_SHOWN).map(visible);
  if (failures.length > FAILURES_SHOWN) details.push(`and ${count(failures.length - FAILURES_SHOWN)} more`);
  throw new Stop(`${plural(failures.length, 'value does', 'values do')} not fit the schema.`, {
    exitCode: EXIT.usage,
    code: 'ERR_VALIDATION',
    hint: 'Nothing was written.',
    details,
  });
}

// The schema itself fails: it has asynchronous checks, throws, or gives what JSON cannot hold.
function unusable(key, error) {
  return usageError(
    `The value of the key ${JSON.stringify(key)} cannot be checked: ${error?.message ?? error}.`,
    'Nothing was written.',
  );
}
