// Payload 2.0 events in, answers and RFC 9457 problems out.

import { createHash } from 'node:crypto';

const LARGEST_BODY = 256 * 1024;

const PROBLEMS = {
  'bad-input': [400, 'The input was not understood'],
  unauthenticated: [401, 'A token is needed here'],
  forbidden: [403, 'The token does not allow this'],
  'not-found': [404, 'There is nothing at this address'],
  'method-not-allowed': [405, 'The method is not allowed here'],
  conflict: [409, 'The state of things does not allow this'],
  'precondition-failed': [412, 'It was changed in the meantime'],
  'too-large': [413, 'The body is too large'],
  'unsupported-media-type': [415, 'The body must be JSON'],
  'precondition-required': [428, 'If-Match is needed here'],
  internal: [500, 'Something went wrong on our side'],
  unavailable: [503, "This can't be answered at the moment"],
};

/** How a request ends when it does not end well. */
export class Problem extends Error {
  constructor(name, detail, { errors, headers } = {}) {
    super(detail);
    Object.assign(this, { name, detail, errors, headers });
  }

  response(requestId) {
    const [status, title] = PROBLEMS[this.name];
    const body = { type: `urn:learninghub:problem:${this.name}`, title, status, detail: this.detail, request_id: requestId };
    if (this.errors) body.errors = this.errors;
    return {
      statusCode: status,
      headers: { 'content-type': 'application/problem+json', 'cache-control': 'no-store', ...this.headers },
      body: JSON.stringify(body),
    };
  }
}

export const badInput = (field, reason) =>
  new Problem('bad-input', `See errors for what is wrong with: ${field}.`, { errors: [{ field, reason }] });

/** A JSON answer. */
export const json = (statusCode, body, headers = {}) => ({
  statusCode,
  headers: { 'content-type': 'application/json', ...headers },
  body: JSON.stringify(body),
});

/** A public JSON answer that caches may keep for a while and ask about again. */
export function cacheable(event, body) {
  const text = JSON.stringify(body);
  const etag = `"${createHash('sha256').update(text).digest('base64url').slice(0, 22)}"`;
  const headers = { etag, 'cache-control': 'public, max-age=30' };
  if (names(event.headers?.['if-none-match'], etag)) return { statusCode: 304, headers };
  return { statusCode: 200, headers: { 'content-type': 'application/json', ...headers }, body: text };
}

const names = (header, etag) =>
  header !== undefined && header.split(',').some((one) => ['*', etag].includes(one.trim().replace(/^W\//, '')));

/** The row version that If-Match names. */
export function ifMatch(event) {
  const header = event.headers?.['if-match'];
  if (!header) throw new Problem('precondition-required', 'Send the ETag you have seen in If-Match.');
  const match = /^"([0-9a-f]{16})"$/.exec(header.trim());
  if (!match) throw new Problem('precondition-failed', 'This is not the present ETag.');
  return Buffer.from(match[1], 'hex');
}

/** The ETag of a row version. */
export const etagOf = (rowVersion) => `"${rowVersion.toString('hex')}"`;

/** The body as an object. */
export function body(event) {
  if (!/^application\/json\s*(;|$)/i.test(event.headers?.['content-type'] ?? '')) {
    throw new Problem('unsupported-media-type', 'The content type must be application/json.');
  }
  const text = event.isBase64Encoded ? Buffer.from(event.body ?? '', 'base64').toString('utf8') : (event.body ?? '');
  if (Buffer.byteLength(text) > LARGEST_BODY) throw new Problem('too-large', `At most ${LARGEST_BODY} bytes.`);
  let value;
  try {
    value = JSON.parse(text);
  } catch {
    throw badInput('body', 'is not JSON');
  }
  if (value === null || typeof value !== 'object' || Array.isArray(value)) throw badInput('body', 'is not an object');
  return value;
}

/** The query parameters, none but the ones that are known. */
export function parameters(event, known) {
  const given = Object.fromEntries(new URLSearchParams(event.rawQueryString ?? ''));
  const unknown = Object.keys(given).find((name) => !known.includes(name));
  if (unknown !== undefined) throw badInput(unknown, 'is not known here');
  return given;
}

export function limitOf(given) {
  const limit = Number(given.limit ?? 20);
  if (!Number.isInteger(limit) || limit < 1 || limit > 100) throw badInput('limit', 'must be a whole number from 1 to 100');
  return limit;
}

/** Where a page ended: the time and id of its last item, opaque to clients. */
export const encodeCursor = (at, id) => Buffer.from(JSON.stringify([1, [at, id]])).toString('base64url');

export function decodeCursor(text) {
  if (text === undefined) return undefined;
  try {
    const [version, [at, id]] = JSON.parse(Buffer.from(text, 'base64url').toString('utf8'));
    const time = new Date(at);
    if (version === 1 && !Number.isNaN(time.getTime()) && /^-?\d{1,19}$/.test(id)) return { at: time, id };
  } catch {
    // Refused below, like every other text that is none.
  }
  throw badInput('cursor', 'is not a cursor of this list; leave it out to start over');
}

/** The claims of the token that API Gateway has checked. */
export function claims(event) {
  const found = event.requestContext?.authorizer?.jwt?.claims;
  if (!found?.sub) throw new Problem('unauthenticated', 'Send a token.');
  return found;
}

export function requireScope(event, scope) {
  const scopes = String(claims(event).scope ?? '').split(' ');
  if (!scopes.includes(scope)) throw new Problem('forbidden', `The scope ${scope} is needed.`);
}

/** A time as the API writes it. */
export const iso = (time) => time?.toISOString().replace('.000Z', 'Z') ?? null;
