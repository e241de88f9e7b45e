// What a `package-lock.json` says of where packages come from and under which licence: each has the hash of its content, comes
// from the npm registry, and has a licence that this project takes. This needs no network.

/** Tools of the developers: nothing of them is published, so licences that only ask for a notice are all the same here. */
const ALLOWED = [
  '0BSD',
  'Apache-2.0',
  'BlueOak-1.0.0',
  'BSD-2-Clause',
  'BSD-3-Clause',
  // Only in what Prisma's command installs for its studio, on the machine of who measures.
  'EPL-2.0',
  'ISC',
  'MIT',
  // TypeScript's helper library of Python's argument parser.
  'PSF-2.0',
  'Unlicense',
];

/** Packages whose manifest names no licence, and where it stands instead. */
const NAMED_ELSEWHERE = {
  '@seald-io/binary-search-tree@1.0.3': 'MIT, in its file LICENSE.md',
};

/** True where an SPDX expression leaves a choice that is allowed. `AND` asks for all of its parts. */
export function isAllowed(expression, allowed = ALLOWED) {
  const text = expression
    .replaceAll('/', ' OR ')
    .replaceAll(' and ', ' AND ')
    .replaceAll(/[()]/g, ' $& ')
    .trim();
  const words = text.split(/\s+/);
  let at = 0;
  const single = () => {
    if (words[at] !== '(') return allowed.includes(words[at++]);
    at += 1;
    const value = either();
    at += 1;
    return value;
  };
  const both = () => {
    let value = single();
    while (words[at] === 'AND') {
      at += 1;
      value = single() && value;
    }
    return value;
  };
  const either = () => {
    let value = both();
    while (words[at] === 'OR') {
      at += 1;
      value = both() || value;
    }
    return value;
  };
  return either() && at === words.length;
}

/** What is wrong with a lock file, as sentences. `published` is true for what users install: they get no package but ours. */
export function faultsOfLock(lock) {
  const found = [];
  for (const [place, entry] of Object.entries(lock.packages)) {
    if (place === '' || entry.link) continue;
    const name = `${place.slice(place.lastIndexOf('node_modules/') + 'node_modules/'.length)}@${entry.version}`;
    if (!/^sha512-/.test(entry.integrity ?? '')) found.push(`${name} has no hash`);
    // The lock files name no addresses: npm takes all packages from its registry, and their hashes tell whether they are right.
    if (entry.resolved) found.push(`${name} has an address of its own, ${entry.resolved}`);
    if (!entry.license) {
      if (!NAMED_ELSEWHERE[name]) found.push(`${name} names no licence`);
    } else if (!isAllowed(entry.license)) found.push(`${name} has the licence ${entry.license}`);
  }
  const { dependencies = {} } = lock.packages[''];
  if (Object.keys(dependencies).length > 0 && lock.name === 'progressive-storage') {
    found.push(`users would install ${Object.keys(dependencies).join(', ')}`);
  }
  return found;
}
