// The record of what `npm run workflow` executed, over several calls: docs/release/workflow.md has a row for each job and
// combination of the workflows, with its steps: done, failed, left out and why, or never run.

import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { isLinux } from './workflow.mjs';

/** Adds the rows of a run to those of earlier calls, which stand beside the artifacts. */
export function remember(file, title, entry) {
  const known = existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : {};
  known[title] = entry;
  writeFileSync(file, `${JSON.stringify(known, null, 2)}\n`);
  return known;
}

const inCell = (text) => text.replaceAll('|', '\\|').replaceAll('\n', ' ');

/** `leftOut` are the reasons why steps of the run cannot be executed here. */
function cellsOf({ run, title, leftOut }, known) {
  if (!isLinux(run)) return ['no', `runs on ${run.runner}`];
  const entry = known[title];
  if (!entry) return ['no', ['not run', ...new Set(leftOut)].join('; left out: ')];
  const { rows, commit } = entry;
  const isExecuted = ({ result }) => !/^(left out|not )/.test(result);
  const done = rows.filter((row) => isExecuted(row) && !row.isBad);
  const seconds = rows.reduce((sum, row) => sum + row.seconds, 0);
  const isQualified = ({ result }) => /stand-ins|dry run/.test(result);
  const others = rows
    .filter((row) => !done.includes(row) || isQualified(row))
    .map(({ name, result }) => `${name}: ${result}`);
  // The reason stands beside the step that would need it.
  const told = others.filter((text) => !text.endsWith('no step that needs it can be executed here'));
  const what = [
    done.length > 0
      ? `${done.length} ${done.length === 1 ? 'step' : 'steps'} passed in ${seconds} s, at ${commit.slice(0, 7)}`
      : '',
    ...told,
  ];
  const isPartial = rows.some(({ result }) => result.startsWith('left out'));
  return [done.length === 0 ? 'no' : isPartial ? 'partly' : 'yes', what.filter(Boolean).join('; ')];
}

/** The document, of all runs of all workflows `{ run, title, leftOut }`, and what is known of each by its title. */
export function documentOf(all, known, { node }) {
  const rows = all.map((each) => `| \`${each.title}\` | ${cellsOf(each, known).map(inCell).join(' | ')} |`);
  return `# What ran of the workflows on one machine

Made by \`npm run workflow -- --report\`, which executes the Linux jobs from the workflows' own files in clean clones, with
Node.js ${node} whatever a job asks for.

| job | executed | how |
| --- | -------- | --- |
${rows.join('\n')}
`;
}
