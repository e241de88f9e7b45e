// What a file in `.github/workflows` says: its jobs in the order in which they can run, the combinations of each job's
// matrix, and the steps of each combination with their values filled in. It reads the file itself, so nothing that is
// said of a workflow elsewhere can differ from it.

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { root } from '../tools.mjs';
import { filled } from './expression.mjs';

const FOLDER = join(root, '.github', 'workflows');

/** The workflows of this project: `{ file, name, jobs }`. */
export const workflows = () =>
  readdirSync(FOLDER)
    .filter((file) => /\.ya?ml$/.test(file))
    .sort()
    .map((file) => ({ file, ...readWorkflow(readFileSync(join(FOLDER, file), 'utf8')) }));

/** `{ name, env, permissions, jobs }`; each job has its `id` and its `needs`, those before it in the list. */
export function readWorkflow(text) {
  const document = parse(text);
  const jobs = Object.entries(document.jobs ?? {}).map(([id, job]) => ({
    ...job,
    id,
    needs: [job.needs ?? []].flat(),
    steps: job.steps ?? [],
  }));
  return { ...document, env: document.env ?? {}, jobs: inOrder(jobs) };
}

/** The jobs, each behind those that it needs, and otherwise as in the file. */
export function inOrder(jobs) {
  const ordered = [];
  const waiting = new Set();
  const add = (job) => {
    if (ordered.includes(job)) return;
    if (waiting.has(job)) throw new Error(`The job '${job.id}' needs itself.`);
    waiting.add(job);
    for (const id of job.needs) {
      const needed = jobs.find((other) => other.id === id);
      if (!needed) throw new Error(`The job '${job.id}' needs '${id}', which is not there.`);
      add(needed);
    }
    ordered.push(job);
  };
  for (const job of jobs) add(job);
  return ordered;
}

const isSame = (one, other) => JSON.stringify(one) === JSON.stringify(other);

/** The combinations of a matrix as GitHub makes them, with `include` and `exclude`; one empty combination without. */
export function combinations(matrix) {
  if (!matrix) return [{}];
  const { include = [], exclude = [], ...axes } = matrix;
  for (const [name, values] of Object.entries(axes)) {
    if (!Array.isArray(values)) throw new Error(`The axis '${name}' of a matrix is no list.`);
  }
  let all = Object.keys(axes).length > 0 ? [{}] : [];
  for (const [name, values] of Object.entries(axes)) {
    all = all.flatMap((combination) => values.map((value) => ({ ...combination, [name]: value })));
  }
  const isExcluded = (combination) =>
    exclude.some((row) => Object.entries(row).every(([name, value]) => isSame(combination[name], value)));
  all = all.filter((combination) => !isExcluded(combination));
  const originals = all.map((combination) => ({ ...combination }));
  for (const row of include) {
    // A row extends each combination whose own values it does not change. Where there is none, it is one of its own.
    const extended = originals.flatMap((original, at) =>
      Object.entries(row).every(([name, value]) => !(name in original) || isSame(original[name], value))
        ? [at]
        : [],
    );
    for (const at of extended) Object.assign(all[at], row);
    if (extended.length === 0) all.push({ ...row });
  }
  return all.length > 0 ? all : [{}];
}

/** Each job with each combination of its matrix: `{ job, matrix, title, runner }`. */
export function runsOf(workflow) {
  return workflow.jobs.flatMap((job) =>
    combinations(job.strategy?.matrix).map((matrix) => {
      const runner = filled(String(job['runs-on']), { matrix });
      const values = Object.values(matrix).map((value) => JSON.stringify(value).replaceAll('"', ''));
      return { job, matrix, runner, title: values.length > 0 ? `${job.id}[${values.join(', ')}]` : job.id };
    }),
  );
}

/** True where a run is on a Linux machine. */
export const isLinux = ({ runner }) => runner.startsWith('ubuntu-');
