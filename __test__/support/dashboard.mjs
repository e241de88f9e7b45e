/** Helpers of the dashboard's tests: a dashboard on a storage or of the program, and requests. */

import http from 'node:http';
import { startCli } from './cli.mjs';
import { ps } from './durability.mjs';
import { waitUntil } from './temp.mjs';

export const TOKEN = '0123456789abcdef0123';

export async function start(place, options = {}) {
  const storage = place.open();
  const dashboard = await ps.startDashboard({ port: 0, storage, ...options });
  place.beforeEnd(() => dashboard.close());
  return { storage, dashboard };
}

/** The program with a dashboard of a place: `{ child, ended, url }` once it has printed its address. */
export async function startedProgram(t, place, args = [], options = {}) {
  const started = await startedDashboard(t, [place.data, ...args], options);
  place.beforeEnd(() => {
    started.child.kill('SIGKILL');
    return started.ended;
  });
  return started;
}

/** The program with these arguments: `{ child, output, ended, url }` once it has printed its address. */
export async function startedDashboard(t, args, options = {}) {
  const started = await startCli(t, ['dashboard', '--port', '0', ...args], options);
  const address = () => /http:\/\/[\w.:[\]]+\//.exec(started.output.stdout)?.[0];
  return { ...started, url: await waitUntil(address, { what: 'the address', deadlineMs: 60_000 }) };
}

/** Opens the live events of a dashboard, as a page does: `{ told, text(), last(), close() }`. */
export function listen(url) {
  const told = [];
  let all = '';
  const request = http.get(`${url}events`, (response) => {
    let text = '';
    response.setEncoding('utf8').on('data', (piece) => {
      all += piece;
      text += piece;
      for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
        const [, event, data] = /event: (\w+)\ndata: (.*)$/.exec(text.slice(0, end)) ?? [];
        told.push({ event, ...JSON.parse(data) });
        text = text.slice(end + 2);
      }
    });
  });
  request.on('error', () => {});
  return {
    told,
    text: () => all,
    last: () => told.findLast(({ event }) => event === 'now'),
    close: () => request.destroy(),
  };
}

/** A request with headers that fetch would not send. */
export function ask(url, { headers = {}, method = 'GET' } = {}) {
  return new Promise((resolve, reject) => {
    const request = http.request(url, { method, headers, agent: false }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (piece) => {
        text += piece;
      });
      response.on('end', () => resolve({ status: response.statusCode, headers: response.headers, text }));
    });
    request.on('error', reject);
    request.end();
  });
}

/** `{ status, found, value, records, history }` of a key as the page asks for it; the values read from their texts, where these are whole. */
export async function lookUp(url, query, options) {
  const { status, text } = await ask(`${url}key?${new URLSearchParams(query)}`, options);
  if (status !== 200) return { status, text };
  const { value, steps, ...others } = JSON.parse(text);
  const read = (shown) => (shown === null ? undefined : shown.isCut ? shown.text : JSON.parse(shown.text));
  const history = steps.map((step) => ({ ...step, value: read(step.value) }));
  return { status, ...others, value: read(value), history };
}

/** `{ status, keys, next, … }` of a page of keys. */
export async function listKeys(url, query, options) {
  const { status, text } = await ask(`${url}keys?${new URLSearchParams(query)}`, options);
  return { status, ...(status === 200 ? JSON.parse(text) : { text }) };
}
