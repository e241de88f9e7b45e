// What every workflow of this project keeps to, beyond what actionlint knows: pinned actions, least rights, no text of
// others inside a script, and provenance where something is published. `faultsOf` reads a workflow and returns what is
// wrong as sentences.

import { readWorkflow } from './workflow.mjs';

const PINNED = /^[\w.-]+\/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$/;
const PUBLISHES = /\bnpm publish\b|\bnapi pre-publish\b/;

/** The only jobs with more than the right to read the repository, and the reason of each. */
const MORE_RIGHTS = {
  // npm trusts the workflow by this token, and signs the provenance with it.
  'release.yml/publish': { contents: 'read', 'id-token': 'write' },
  // Attaches the bill of materials to GitHub's release; this job runs nothing from the repository.
  'release.yml/attach': { contents: 'write' },
};
const READING = { contents: 'read' };

const isSame = (one, other) =>
  JSON.stringify(Object.entries(one).sort()) === JSON.stringify(Object.entries(other).sort());

function faultsOfLines(text) {
  return text.split(/\r?\n/).flatMap((line, index) => {
    const action = /^\s*(?:- )?uses:\s*(.*)$/.exec(line)?.[1];
    if (!action || PINNED.test(action)) return [];
    return [`line ${index + 1}: ${action} is not pinned to a commit with its version`];
  });
}

function faultsOfRights(file, job) {
  const allowed = MORE_RIGHTS[`${file}/${job.id}`] ?? READING;
  if (!job.permissions) return [`${job.id} names no rights`];
  if (typeof job.permissions !== 'object' || !isSame(job.permissions, allowed)) {
    return [
      `${job.id} has the rights ${JSON.stringify(job.permissions)} instead of ${JSON.stringify(allowed)}`,
    ];
  }
  // What writes elsewhere runs no code of the repository, except to publish it.
  const isWriting = job.permissions.contents === 'write';
  if (isWriting && job.steps.some(({ uses }) => uses?.startsWith('actions/checkout@'))) {
    return [`${job.id} may write to the repository and has its code`];
  }
  return [];
}

function faultsOfSteps(job) {
  const found = [];
  for (const step of job.steps) {
    const isCheckout = step.uses?.startsWith('actions/checkout@');
    if (isCheckout && step.with?.['persist-credentials'] !== false) {
      found.push(`${job.id}: checkout leaves its token in the folder`);
    }
    // A name of a branch or a title is text of others. Scripts get it as a variable, never as a part of their own text.
    for (const text of [step.run, step.with?.run]) {
      const inserted = [...(text ?? '').matchAll(/\$\{\{\s*(.*?)\s*\}\}/gs)].map(([, source]) => source);
      const foreign = inserted.filter((source) => !/^matrix\.\w+$/.test(source));
      if (foreign.length > 0)
        found.push(`${job.id}: a script contains \${{ ${foreign[0]} }}; pass it in env`);
    }
    if (step['continue-on-error']) found.push(`${job.id}: a step may fail without anybody noticing`);
  }
  return found;
}

/** Publishing: only on a tag, behind all tests, with provenance, without a token of npm. */
function faultsOfPublishing(workflow, text) {
  const found = [];
  for (const job of workflow.jobs) {
    for (const step of job.steps.filter(({ run }) => PUBLISHES.test(run ?? ''))) {
      if (step.if !== "github.ref_type == 'tag'") found.push(`${job.id} publishes without a tag`);
      if (step.env?.NPM_CONFIG_PROVENANCE !== 'true') found.push(`${job.id} publishes without provenance`);
      const others = workflow.jobs.filter(({ id, needs }) => id !== job.id && !needs.includes(job.id));
      const unneeded = others.filter(({ id }) => !job.needs.includes(id)).map(({ id }) => id);
      if (unneeded.length > 0) found.push(`${job.id} publishes without waiting for ${unneeded.join(', ')}`);
    }
  }
  if (/\bsecrets\.|_authToken|NODE_AUTH_TOKEN|NPM_TOKEN/.test(text))
    found.push('a secret is used; npm trusts the workflow');
  return found;
}

/** What is wrong with a workflow, as sentences; an empty list where nothing is. */
export function faultsOf(file, text) {
  const workflow = readWorkflow(text);
  const found = faultsOfLines(text);
  if (!workflow.permissions || Object.keys(workflow.permissions).length > 0) {
    found.push("no 'permissions: {}' at the top");
  }
  if (!workflow.concurrency) found.push('no concurrency');
  if (/^\s*(pull_request_target|workflow_run)\b/m.test(text)) {
    found.push('starts with the rights of the repository on the code of others');
  }
  for (const job of workflow.jobs) {
    if (!job['timeout-minutes']) found.push(`${job.id} has no time limit`);
    found.push(...faultsOfRights(file, job), ...faultsOfSteps(job));
  }
  found.push(...faultsOfPublishing(workflow, text));
  return found;
}
