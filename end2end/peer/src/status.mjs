// GET /status: whether the API can do its work.

import { query } from './database.mjs';
import { json } from './http.mjs';
import { lastSecret } from './secret.mjs';

export async function status(_event, _parameters, { requestId, coldStart }) {
  const began = performance.now();
  let reason = null;
  let latency = null;
  try {
    await query('SELECT 1 AS answer');
    latency = Math.round((performance.now() - began) * 1000) / 1000;
  } catch (error) {
    console.warn(JSON.stringify({ level: 'WARN', message: error.message, requestId }));
    reason = 'the database is out of reach';
  }
  const secret = lastSecret();
  const body = {
    status: latency === null ? 'unavailable' : 'ok',
    function: {
      name: process.env.AWS_LAMBDA_FUNCTION_NAME ?? 'api',
      version: process.env.AWS_LAMBDA_FUNCTION_VERSION ?? '$LATEST',
      cold_start: coldStart,
    },
    database: { reachable: latency !== null, latency_ms: latency, reason },
    secret: secret
      ? { version: secret.version.slice(0, 8), age_seconds: Math.max(0, Math.floor((Date.now() - secret.created) / 1000)) }
      : null,
    request_id: requestId,
  };
  const headers = { 'cache-control': 'no-store' };
  return latency === null ? json(503, body, { ...headers, 'retry-after': '2' }) : json(200, body, headers);
}
