/**
 * The values of the comparison on a server: a player of 5 KB with 50 games, and a small record of 150 bytes; each with
 * the change that an update makes.
 */

import { players } from '../support/fixture.mjs';
import { play } from '../support/play.mjs';

const SMALL_TEXT = 'x'.repeat(110);

export const KINDS = {
  large: {
    title: '5 KB',
    values: (count) => [...players(count)],
    change: play,
  },
  small: {
    title: '150 bytes',
    values: (count) =>
      Array.from({ length: count }, (_, index) => [`k${index}`, { n: 0, id: `k${index}`, text: SMALL_TEXT }]),
    change: (record) => ({ ...record, n: record.n + 1 }),
  },
};
