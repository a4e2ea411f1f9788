// Lambda's side of the Runtime API for the peer: takes an event, calls the handler, sends the answer.
//
// On AWS the managed runtime does this; here it is as little as that takes, on one kept-alive
// connection, so that what is measured is the function. Usage: `node runtime.mjs BUNDLE`.

import http from 'node:http';
import { pathToFileURL } from 'node:url';

const [host, port] = process.env.AWS_LAMBDA_RUNTIME_API.split(':');
const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });

function call(method, path, body) {
  return new Promise((resolve, reject) => {
    const headers = body === undefined ? {} : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) };
    const request = http.request({ host, port, method, path: `/2018-06-01/runtime${path}`, agent, headers }, (response) => {
      const chunks = [];
      response.on('data', (chunk) => chunks.push(chunk));
      response.on('end', () => resolve({ headers: response.headers, body: Buffer.concat(chunks).toString('utf8') }));
      response.on('error', reject);
    });
    request.on('error', reject);
    request.end(body);
  });
}

const failure = (error) => JSON.stringify({ errorType: error.name, errorMessage: error.message, trace: error.stack?.split('\n') });

let handler;
try {
  ({ handler } = await import(pathToFileURL(process.argv[2])));
} catch (error) {
  await call('POST', '/init/error', failure(error));
  throw error;
}

for (;;) {
  const next = await call('GET', '/invocation/next');
  const id = next.headers['lambda-runtime-aws-request-id'];
  const deadline = Number(next.headers['lambda-runtime-deadline-ms']);
  const context = { awsRequestId: id, getRemainingTimeInMillis: () => deadline - Date.now() };
  try {
    const answer = await handler(JSON.parse(next.body), context);
    await call('POST', `/invocation/${id}/response`, JSON.stringify(answer));
  } catch (error) {
    await call('POST', `/invocation/${id}/error`, failure(error));
  }
}
