// The schema of a collection: any object that follows Standard Schema (https://standardschema.dev), as those of zod, valibot
// and arktype do.
//
// Invariant: a value that does not fit is never written, and an answer that comes later is never waited for. What a schema says
// stands in messages without characters that a terminal would obey.

const {
  describe,
  isObject,
  quote,
  typeError,
  visible,
  wrongReturn,
  wrongType,
  wrongValue,
} = require('./check.js');

const ISSUES_SHOWN_MAX = 5;
const ISSUE_CHARACTERS_MAX = 300;

class Schema {
  #schema;
  #where;

  /** Throws where it is none. */
  constructor(schema, collectionName) {
    const isAny = (typeof schema === 'object' && schema !== null) || typeof schema === 'function';
    const standard = isAny ? schema['~standard'] : undefined;
    if (typeof standard?.validate !== 'function') {
      throw wrongType("The option 'schema'", "a schema with '~standard', such as those of zod", schema);
    }
    if (standard.version !== 1) {
      throw wrongValue("The option 'schema' follows another version of Standard Schema than 1");
    }
    this.#schema = schema;
    this.#where = `the collection '${visible(collectionName)}'`;
  }

  /**
   * What is stored of a value. What no value can be is left to the call that writes, which refuses it: undefined, functions,
   * symbols and promises.
   */
  output(key, value) {
    if (!canBeValue(value)) return value;
    const result = this.#schema['~standard'].validate(value);
    if (typeof result?.then === 'function') {
      // Should it reject, nobody else handles that.
      Promise.resolve(result).catch(() => {});
      throw wrongReturn(
        `The schema of ${this.#where} gives a promise; use one without asynchronous checks, for a write does not wait for them`,
      );
    }
    if (typeof result !== 'object' || result === null) {
      throw wrongReturn(
        `The schema of ${this.#where} gives ${describe(result)} where Standard Schema has an object`,
      );
    }
    if (result.issues) throw this.#doesNotFit(key, [...result.issues].map(issueOf));
    if (!canBeValue(result.value)) {
      throw wrongReturn(
        `The schema of ${this.#where} gives ${describe(result.value)}, which JSON cannot hold`,
      );
    }
    return result.value;
  }

  /** The same for changes by key. A key with undefined is removed, and what is no object by key is refused by the call. */
  outputs(changes) {
    if (!isObject(changes) || !canBeValue(changes) || typeof changes[Symbol.iterator] === 'function')
      return changes;
    const outputs = Object.create(null);
    for (const [key, value] of Object.entries(changes)) outputs[key] = this.output(key, value);
    return outputs;
  }

  /** The same for a record in which a call has changed a field: the schema must leave one of that kind there. */
  outputWithField(key, record, field, { holds, kind }) {
    const output = this.output(key, record);
    if (Object.hasOwn(Object(output), field) && holds(output[field])) return output;
    throw this.#doesNotFit(key, [
      { path: [field], message: `the schema leaves no value there that is ${kind}` },
    ]);
  }

  #doesNotFit(key, issues) {
    const message = `The value for the key ${quote(key)} in ${this.#where} does not fit its schema: ${issuesText(issues)}`;
    return Object.assign(typeError('ERR_VALIDATION', message), { issues });
  }
}

function canBeValue(value) {
  if (typeof value === 'object') return value === null || typeof value.then !== 'function';
  return value !== undefined && typeof value !== 'function' && typeof value !== 'symbol';
}

/** An issue as every schema library has it, without what is its own: a step of the path may be an object with its name. */
function issueOf({ message, path = [] }) {
  const step = (each) => (typeof each === 'object' && each !== null ? each.key : each);
  const name = (each) => (typeof each === 'number' ? each : String(each));
  return { path: Array.from(path, (each) => name(step(each))), message: String(message) };
}

function issuesText(issues) {
  const shown = issues.slice(0, ISSUES_SHOWN_MAX).map(issueText);
  if (issues.length > shown.length) shown.push(`and ${issues.length - shown.length} more`);
  return shown.join('; ');
}

function issueText({ path, message }) {
  const cut = message.length > ISSUE_CHARACTERS_MAX ? `${message.slice(0, ISSUE_CHARACTERS_MAX)}…` : message;
  const steps = path.map((step) => {
    if (typeof step === 'number') return `[${step}]`;
    return /^[\p{L}_$][\p{L}\p{N}_$]*$/u.test(step) ? `.${step}` : `[${quote(step)}]`;
  });
  const place = steps.join('').replace(/^\./, '');
  return place === '' ? visible(cut) : `${place}: ${visible(cut)}`;
}

module.exports = { issuesText, Schema };
