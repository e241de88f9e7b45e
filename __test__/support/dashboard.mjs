/** Helpers of the dashboard's tests: a dashboard on a storage, and requests. */

import http from 'node:http';
import { ps } from './durability.mjs';

export const TOKEN = '0123456789abcdef0123';

export async function start(place, options = {}) {
  const storage = place.open();
  const dashboard = await ps.startDashboard({ port: 0, storage, ...options });
  place.beforeEnd(() => dashboard.close());
  return { storage, dashboard };
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
