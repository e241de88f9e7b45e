// `progressive-storage/keyv`: a collection as a store of Keyv (https://keyv.org).
//
// Keyv hands over each value as a text in which the time of its end stands, and puts `NAMESPACE:` before each key.
//
// Invariant: nothing of another collection is read or changed, and `clear` removes only the keys of its namespace.

const { EventEmitter } = require('node:events');
const { wrongType, wrongValue } = require('./check.js');
const { Storage } = require('../index.js');

const COLLECTION = 'keyv';
/** Keyv lists the keys only of stores that give one of the names it knows, and uses the name for nothing else. */
const DIALECT = 'sqlite';

class KeyvStorage extends EventEmitter {
  #storage;
  #isOwn;
  #collection;

  /** The namespace of the Keyv that uses this store; Keyv sets it. */
  namespace;

  constructor(options = {}) {
    super();
    if (typeof options !== 'object' || options === null)
      throw wrongType("The argument 'options'", 'an object', options);
    const { storage, collection = COLLECTION, ...others } = options;
    if (storage !== undefined && !(storage instanceof Storage))
      throw wrongType("The option 'storage'", 'a Storage', storage);
    const [other] = Object.keys(others);
    if (storage !== undefined && other !== undefined)
      throw wrongValue(`The option '${other}' belongs to a storage, and one is given; leave one of them out`);
    this.#isOwn = storage === undefined;
    this.#storage = storage ?? new Storage(others);
    try {
      this.#collection = this.#storage.collection(collection);
    } catch (error) {
      this.disconnect();
      throw error;
    }
    this.opts = { dialect: DIALECT, url: '', collection };
  }

  get(key) {
    return this.#collection.get(key);
  }

  async getMany(keys) {
    const values = await this.#collection.getMany([...new Set(keys)]);
    return keys.map((key) => values.get(key));
  }

  /** With a `ttl` in milliseconds, a value that nobody reads any more is removed, too. */
  async set(key, value, ttl) {
    const ttlMs = Number.isFinite(ttl) && ttl > 0 ? ttl : undefined;
    await this.#collection.set(key, value, ttlMs === undefined ? undefined : { ttlMs });
  }

  /** The last one of a key counts. All or none. */
  async setMany(entries) {
    await this.#collection.setMany(new Map(entries.map(({ key, value }) => [key, value])));
    return entries.map(() => true);
  }

  delete(key) {
    return this.#collection.delete(key);
  }

  /** True when one of them was there. */
  async deleteMany(keys) {
    return (await this.#collection.deleteMany([...new Set(keys)])) > 0;
  }

  async clear() {
    if (this.namespace === undefined) return this.#collection.clear();
    const keys = await this.#collection.keys();
    await this.#collection.deleteMany(keys.filter((key) => key.startsWith(`${this.namespace}:`)));
  }

  async *iterator(namespace) {
    yield* this.#collection.iterate(namespace === undefined ? {} : { prefix: `${namespace}:` });
  }

  /** Closes a storage that the store opened, and leaves one that it was given. */
  async disconnect() {
    if (this.#isOwn) await this.#storage.close();
  }
}

module.exports = { KeyvStorage };
