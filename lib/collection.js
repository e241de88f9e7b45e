// `Collection`: reading and writing are native methods. Added here are the iteration, the calls that are an `update` with a
// function of ours, and the schema, which every value passes that the object writes.
//
// Invariant: all arguments are checked and copied, and the native call is made, before a method returns. So a call keeps its
// place among the calls of its thread, and what the caller does to its objects later changes nothing.

const native = require('./addon.js');
const {
  checkFinite,
  checkText,
  describe,
  isObject,
  quote,
  storedCopy,
  typeError,
  visible,
  wrongType,
  wrongValue,
} = require('./check.js');
const { entryList } = require('./several-keys.js');

const NUMBER = { call: 'increment', kind: 'a number', holds: (value) => typeof value === 'number', empty: 0 };
const LIST = { call: 'push', kind: 'an array', holds: Array.isArray, empty: [] };

/** What a function of ours throws to leave the value as it is, with the answer of the call. */
class Unchanged {
  constructor(answer) {
    this.answer = answer;
  }
}

/** Sets an own property whatever its name, and whatever `Object.prototype` has. */
const put = (record, field, value) =>
  Object.defineProperty(record, field, { value, enumerable: true, configurable: true, writable: true });

/** The schema of a collection, or undefined. */
function schemaIn(options, name) {
  if (options === undefined) return undefined;
  if (!isObject(options)) throw wrongType("The argument 'options'", 'an object', options);
  const unknown = Object.keys(options).find((each) => each !== 'schema');
  if (unknown !== undefined) throw wrongValue(`A collection has no option ${quote(unknown)}; it has schema`);
  const schema = Object.hasOwn(options, 'schema') ? options.schema : undefined;
  if (schema === undefined) return undefined;
  // Read when it is first needed.
  const { Schema } = require('./schema.js');
  return new Schema(schema, name);
}

/** The storage, the name and the schema of a collection; undefined for anything else. */
let partsOf;

class Collection extends native.Collection {
  #storage;
  #name;
  #schema;

  constructor(storage, name, options) {
    super(storage, name);
    this.#storage = storage;
    this.#name = name;
    this.#schema = schemaIn(options, name);
  }

  static {
    partsOf = (value) =>
      isObject(value) && #name in value
        ? { storage: value.#storage, name: value.#name, schema: value.#schema }
        : undefined;
  }

  // What a schema has no part in is checked by the native calls: keys, functions, and other arguments.

  set(key, value, ...others) {
    const schema = this.#schema;
    if (schema === undefined || typeof key !== 'string') return super.set(key, value, ...others);
    try {
      return super.set(key, schema.output(key, value), ...others);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  update(key, fn, ...others) {
    const schema = this.#schema;
    if (schema === undefined || typeof fn !== 'function') return super.update(key, fn, ...others);
    return super.update(key, (value) => schema.output(key, fn(value)), ...others);
  }

  setMany(entries) {
    const schema = this.#schema;
    if (schema === undefined) return super.setMany(entries);
    try {
      const list = entryList(entries);
      const pairs = [];
      for (let at = 0; at < list.length; at += 2) {
        const [key, value] = list.slice(at, at + 2);
        pairs.push([key, typeof key === 'string' ? schema.output(key, value) : value]);
      }
      return super.setMany(pairs);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  updateMany(keys, fn) {
    const schema = this.#schema;
    if (schema === undefined || typeof fn !== 'function') return super.updateMany(keys, fn);
    return super.updateMany(keys, (values) => schema.outputs(fn(values)));
  }

  async ensure(key, value) {
    checkText(key, 'key');
    const schema = this.#schema;
    const wanted = storedCopy(schema === undefined ? value : schema.output(key, value), 'value');
    return this.#change(key, (present) => {
      if (present !== undefined) throw new Unchanged(present);
      return wanted;
    });
  }

  async increment(key, field, by = 1) {
    checkFinite(by, 'by');
    return this.#changeField(NUMBER, key, field, (number) => {
      const sum = number + by;
      if (Number.isFinite(sum)) return sum;
      throw wrongValue(
        `increment() by ${by} would take ${this.#place(key, field)} from ${number} to ${sum}, which JSON cannot hold`,
      );
    });
  }

  async push(key, field, ...items) {
    const copies = items.map((item, index) => storedCopy(item, `items[${index}]`));
    const list = await this.#changeField(LIST, key, field, (old) =>
      copies.length === 0 ? undefined : old.concat(copies),
    );
    return list.length;
  }

  async values() {
    return (await super.entries()).map(([, value]) => value);
  }

  iterate(options) {
    return require('./iterate.js').iterate(this, options);
  }

  [Symbol.asyncIterator]() {
    return require('./iterate.js').iterate(this);
  }

  watch(keyOrPrefix, listener) {
    // Read when somebody watches.
    return require('./watch.js').watch(this, keyOrPrefix, listener);
  }

  /** An update whose function may throw `Unchanged`. */
  async #change(key, fn) {
    try {
      return await super.update(key, fn);
    } catch (error) {
      if (error instanceof Unchanged) return error.answer;
      throw error;
    }
  }

  /** Changes a field of a record; `change(old)` gives its new value, or undefined for no change. Resolves to what is stored. */
  async #changeField(what, key, field, change) {
    checkText(key, 'key');
    checkText(field, 'field');
    const schema = this.#schema;
    const record = await this.#change(key, (found = {}) => {
      const old = this.#fieldOf(found, what, key, field);
      const next = change(old);
      if (next === undefined) throw new Unchanged(put(found, field, old));
      put(found, field, next);
      return schema === undefined ? found : schema.outputWithField(key, found, field, what);
    });
    return record[field];
  }

  #fieldOf(record, { call, kind, holds, empty }, key, field) {
    const wrong = (where, value, wanted) => {
      const message = `${call}() cannot change ${this.#place(key, field)}: ${where} is ${describe(value)}, not ${wanted}`;
      return typeError('ERR_STORED_TYPE', `${message}. Nothing was changed`);
    };
    if (!isObject(record)) throw wrong('the value of the key', record, 'an object');
    const value = Object.hasOwn(record, field) ? record[field] : empty;
    if (holds(value)) return value;
    throw wrong('the field', value, kind);
  }

  #place(key, field) {
    return `the field ${quote(field)} of the key ${quote(key)} in the collection '${visible(this.#name)}'`;
  }
}

module.exports = { Collection, partsOf };
