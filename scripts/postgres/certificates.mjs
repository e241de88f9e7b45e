// Certificates of an authority of their own, made by openssl, for servers and clients with TLS.

import { execFileSync, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';

const DAYS = 2;

/** Why no certificates can be made here, in one line; false where they can. */
export function whyNoCertificates() {
  const { stdout } = spawnSync('openssl', ['version'], { encoding: 'utf8' });
  return !/^OpenSSL [3-9]/.test(stdout ?? '') && 'openssl 3 or newer is not installed';
}

/** An authority with its key in a folder. `certificate` is the file that clients trust, as `sslrootcert`. */
export class Authority {
  #folder;
  #count = 0;

  constructor(folder, name = 'An authority for tests') {
    this.#folder = folder;
    fs.mkdirSync(folder, { recursive: true });
    const { certificate, key } = this.#make('authority', name, ['basicConstraints = critical, CA:TRUE'], []);
    this.certificate = certificate;
    this.key = key;
  }

  /**
   * A certificate for a server at these hosts, or for the client that `name` is the role of: the files
   * `{ certificate, key }`. `days` below zero make one that has expired.
   */
  issue({ name = 'server', hosts = ['localhost'], addresses = ['127.0.0.1'], days } = {}) {
    const names = [...hosts.map((host) => `DNS:${host}`), ...addresses.map((address) => `IP:${address}`)];
    const extensions = ['basicConstraints = critical, CA:FALSE', 'extendedKeyUsage = serverAuth, clientAuth'];
    if (names.length > 0) extensions.push(`subjectAltName = ${names.join(', ')}`);
    const signed = ['-CA', this.certificate, '-CAkey', this.key];
    return this.#make(`issued-${++this.#count}`, name, extensions, signed, days);
  }

  #make(file, name, extensions, signed, days = DAYS) {
    const place = (ending) => path.join(this.#folder, `${file}.${ending}`);
    const [config, key, certificate] = ['conf', 'key', 'crt'].map(place);
    const parts = [
      '[req]',
      'distinguished_name = name',
      'x509_extensions = extensions',
      '[name]',
      '[extensions]',
    ];
    fs.writeFileSync(config, `${[...parts, ...extensions].join('\n')}\n`);
    const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
    const files = ['-config', config, '-keyout', key, '-out', certificate];
    const args = [
      'req',
      '-x509',
      ...curve,
      ...files,
      '-subj',
      `/CN=${name}`,
      '-days',
      String(days),
      ...signed,
    ];
    execFileSync('openssl', args, { stdio: ['ignore', 'ignore', 'pipe'] });
    return { certificate, key };
  }
}

/** The files of a server from its option `ssl`: see `startServer`. */
export function certificatesFor(folder, ssl) {
  if (ssl.certificate) return ssl;
  const authority = ssl.authority ?? new Authority(path.join(folder, 'authority'));
  return { ...authority.issue(ssl.issue), root: authority.certificate, authority };
}
