// The database: a pool of one connection, because an environment serves one request at a time.
//
// mssql checks a connection when it takes it out of the pool and makes another one when it is broken,
// so an environment that was frozen for long recovers by itself. That is its default and stays on.

import { readFileSync } from 'node:fs';
import sql from 'mssql';

import { databaseSecret } from './secret.mjs';

export { sql };

const LOGIN_FAILED = 18456;
const UNIQUE_VIOLATIONS = [2601, 2627];

let pool;
let version;

function certificates() {
  const ca = process.env.SQL_CA;
  if (!ca) return undefined;
  return ca.includes('-----BEGIN') ? ca : readFileSync(ca, 'utf8');
}

async function connect(secret) {
  const fresh = new sql.ConnectionPool({
    server: secret.host,
    port: Number(secret.port),
    database: secret.dbname ?? 'master',
    user: secret.username,
    password: secret.password,
    connectionTimeout: 5000,
    requestTimeout: Number(process.env.SQL_TIMEOUT ?? 5000),
    pool: { max: 1, min: 0, idleTimeoutMillis: 15 * 60 * 1000 },
    options: {
      encrypt: process.env.SQL_TLS === 'strict' ? 'strict' : true,
      trustServerCertificate: false,
      enableArithAbort: true,
      cryptoCredentialsDetails: { ca: certificates() },
    },
  });
  // Without a listener an error of an idle connection would end the process.
  fresh.on('error', (error) => console.error(JSON.stringify({ level: 'ERROR', message: error.message })));
  await fresh.connect();
  return fresh;
}

/** The pool, made anew when the secret has got a new version. */
export async function database() {
  let secret = await databaseSecret();
  if (pool && version === secret.version) return pool;
  const old = pool;
  pool = undefined;
  await old?.close();
  try {
    pool = await connect(secret);
  } catch (error) {
    if (error.originalError?.number !== LOGIN_FAILED && error.code !== 'ELOGIN') throw error;
    // The password may have been rotated since the secret was read.
    secret = await databaseSecret({ fresh: true });
    pool = await connect(secret);
  }
  version = secret.version;
  return pool;
}

function bind(request, parameters) {
  for (const [name, [type, value]] of Object.entries(parameters)) request.input(name, type, value);
  return request;
}

/** Runs a statement with its parameters, each `[type, value]`, and returns mssql's result. */
export async function query(text, parameters = {}) {
  return bind((await database()).request(), parameters).query(text);
}

/** Runs `work` in a transaction; it gets a `query` of its own. */
export async function transaction(work) {
  const open = new sql.Transaction(await database());
  await open.begin();
  try {
    const result = await work((text, parameters = {}) => bind(open.request(), parameters).query(text));
    await open.commit();
    return result;
  } catch (error) {
    // The server may have rolled back already, and then this is refused.
    await open.rollback().catch(() => {});
    throw error;
  }
}

/** Whether a row with that key is there already. */
export const isDuplicate = (error) => UNIQUE_VIOLATIONS.includes(error.number);
