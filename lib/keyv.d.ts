import { EventEmitter } from 'node:events';
import { Storage, StorageOptions } from '../index.js';

/** Where a `KeyvStorage` keeps its values: in a `storage` that is open, or in one of its own with these options. */
export type KeyvStorageOptions =
  | {
      /** The name of the collection. Default: 'keyv'. */
      collection?: string;
      /** A storage that is open; `disconnect()` leaves it open. */
      storage: Storage;
    }
  | ({
      /** The name of the collection. Default: 'keyv'. */
      collection?: string;
    } & StorageOptions);

/**
 * A collection as a store of Keyv, with namespaces, many keys at once and an iterator.
 *
 * Keyv writes into each value when it ends, and never returns one that is over. What `set` wrote also ends in the collection, so
 * that it goes if nobody reads it.
 *
 * @example
 * import Keyv from 'keyv'
 * import { KeyvStorage } from 'progressive-storage/keyv'
 * const cache = new Keyv({ store: new KeyvStorage({ dataDir: 'data' }), namespace: 'cache' })
 * await cache.set('answer', 42, 60_000)
 */
export declare class KeyvStorage extends EventEmitter {
  /**
   * Opens nothing yet: files are read, or the server is asked, with the first call.
   *
   * Throws `TypeError` (`ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`) for a wrong option.
   * @param options Collection, and storage or the options of one. Default: the collection 'keyv' in the folder `data`.
   */
  constructor(options?: KeyvStorageOptions);
  /** What Keyv reads of a store. */
  opts: { dialect: string; url: string; collection: string };
  /** The namespace of the Keyv that uses this store; Keyv sets it. */
  namespace: string | undefined;
  /** The value that Keyv gave, or undefined. */
  get<Value>(key: string): Promise<Value | undefined>;
  /** The same for several keys, in their order, as of one moment. */
  getMany<Value>(keys: string[]): Promise<Array<Value | undefined>>;
  /**
   * Resolves when the value is on disk, or committed on a server.
   * @param ttl Milliseconds after which the collection has it no more. Default: it stays.
   */
  set(key: string, value: unknown, ttl?: number): Promise<void>;
  /** All or none. Of a key that is given twice, the last value counts. When one ends is in its value alone. */
  setMany(entries: Array<{ key: string; value: unknown }>): Promise<boolean[]>;
  /** Whether the key was there. */
  delete(key: string): Promise<boolean>;
  /** All or none. Whether one of them was there. */
  deleteMany(keys: string[]): Promise<boolean>;
  /** Removes the keys of the namespace, or all keys where there is none. */
  clear(): Promise<void>;
  /** Keys and values of a namespace, as of one moment. */
  iterator<Value>(namespace?: string): AsyncGenerator<[string, Value], void>;
  /** Closes the storage, unless it was given. */
  disconnect(): Promise<void>;
}
