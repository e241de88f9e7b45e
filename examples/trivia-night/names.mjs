/**
 * Names of generated players and newcomers: two words, and sometimes a number.
 */

import { between } from './random.mjs';

// biome-ignore format: a word list is read more easily in lines than in a column
const FIRST = [
  'Amber', 'Brisk', 'Calm', 'Clever', 'Cosmic', 'Curious', 'Daring', 'Dusty', 'Eager', 'Fuzzy', 'Gentle',
  'Golden', 'Hasty', 'Humble', 'Icy', 'Jolly', 'Keen', 'Lucky', 'Mellow', 'Misty', 'Noble', 'Quiet', 'Rapid',
  'Rusty', 'Silver', 'Sleepy', 'Sunny', 'Swift', 'Tidy', 'Velvet', 'Witty', 'Zesty',
];
// biome-ignore format: the same
const SECOND = [
  'Badger', 'Beaver', 'Comet', 'Condor', 'Dolphin', 'Ferret', 'Finch', 'Fox', 'Gecko', 'Heron', 'Ibis',
  'Jaguar', 'Kestrel', 'Lemur', 'Lynx', 'Marmot', 'Newt', 'Ocelot', 'Orca', 'Otter', 'Owl', 'Panda', 'Puffin',
  'Quokka', 'Raven', 'Robin', 'Salmon', 'Seal', 'Stoat', 'Tapir', 'Walrus', 'Wombat',
];

export function personName(random) {
  const name = FIRST[between(random, 0, FIRST.length - 1)] + SECOND[between(random, 0, SECOND.length - 1)];
  return random() < 0.35 ? `${name}${between(random, 2, 99)}` : name;
}

/** A user id as in chat services: 18 digits, too long for an array index or an exact number. */
export function personId(random) {
  let id = String(between(random, 1, 9));
  while (id.length < 18) id += between(random, 0, 9);
  return id;
}
