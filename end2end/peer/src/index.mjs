// The LearningHub API as a Node.js function. It stands beside the Rust function as what a team that
// knows Node.js would have written: the usual packages with their usual settings, one bundle, the
// connection made during the init phase, one line of JSON for each request.

import { ConnectionError, RequestError } from 'mssql';

import * as courses from './courses.mjs';
import { database } from './database.mjs';
import { Problem } from './http.mjs';
import * as learners from './learners.mjs';
import { status } from './status.mjs';

const ROUTES = [
  ['GET', '/status', status],
  ['GET', '/courses', courses.list],
  ['POST', '/courses', courses.create],
  ['GET', '/courses/{slug}', courses.read],
  ['PUT', '/courses/{slug}', courses.replace],
  ['DELETE', '/courses/{slug}', courses.remove],
  ['PUT', '/courses/{slug}/lessons', courses.replaceLessons],
  ['GET', '/me/enrolments', learners.enrolments],
  ['PUT', '/me/enrolments/{slug}', learners.enrol],
  ['DELETE', '/me/enrolments/{slug}', learners.leave],
  ['PUT', '/me/enrolments/{slug}/lessons/{position}', learners.setLesson],
  ['GET', '/me/progress', learners.progress],
].map(([method, path, handle]) => {
  const pattern = path.replace(/\{(\w+)\}/g, '(?<$1>[^/]+)');
  return { method, path, handle, pattern: new RegExp(`^${pattern}$`) };
});

/** The route for a request and what its path holds. */
function route(method, path) {
  const there = ROUTES.map((one) => ({ ...one, match: one.pattern.exec(path) })).filter((one) => one.match);
  const wanted = method === 'HEAD' ? 'GET' : method;
  const found = there.find((one) => one.method === wanted);
  if (found) return { ...found, parameters: found.match.groups ?? {} };
  if (there.length === 0) throw new Problem('not-found', 'There is nothing at this address.');
  const allow = there.flatMap((one) => (one.method === 'GET' ? ['GET', 'HEAD'] : [one.method])).join(', ');
  throw new Problem('method-not-allowed', `Allowed here: ${allow}.`, { headers: { allow } });
}

/** The path without the stage, which stands before it unless the stage is the default one. */
function pathOf(event) {
  const { stage } = event.requestContext;
  const path = event.rawPath;
  return stage && path.startsWith(`/${stage}/`) ? path.slice(stage.length + 1) : path;
}

function problemOf(error) {
  if (error instanceof Problem) return error;
  const isOutOfReach = error instanceof ConnectionError || (error instanceof RequestError && error.code !== 'EREQUEST');
  if (isOutOfReach || error.$metadata) {
    return new Problem('unavailable', 'Reason: the database is out of reach.', { headers: { 'retry-after': '2' } });
  }
  return new Problem('internal', 'Something went wrong.');
}

// The first request finds a connection. If there is none yet, it says why.
try {
  await database();
} catch (error) {
  console.error(JSON.stringify({ level: 'ERROR', message: `not connected during init: ${error.message}` }));
}

let isFirst = true;

export async function handler(event, context) {
  const began = performance.now();
  const coldStart = isFirst;
  isFirst = false;
  const requestId = context.awsRequestId;
  const { method } = event.requestContext.http;
  let found;
  let failure;
  let response;
  try {
    found = route(method, pathOf(event));
    response = await found.handle(event, found.parameters, { requestId, coldStart });
  } catch (error) {
    const problem = problemOf(error);
    if (problem !== error) failure = error.message;
    response = problem.response(requestId);
  }
  if (method === 'HEAD') delete response.body;
  console.log(
    JSON.stringify({
      timestamp: new Date().toISOString(),
      level: response.statusCode < 500 ? 'INFO' : 'ERROR',
      message: 'request',
      requestId,
      apiRequestId: event.requestContext.requestId,
      method,
      route: found && `${found.method} ${found.path}`,
      status: response.statusCode,
      durationMs: Math.round((performance.now() - began) * 1000) / 1000,
      coldStart,
      error: failure,
    }),
  );
  return response;
}
