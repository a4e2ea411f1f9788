// The database secret: read once, kept for SECRET_TTL seconds.

import { GetSecretValueCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';

const client = new SecretsManagerClient({});
const ttl = Number(process.env.SECRET_TTL ?? 120) * 1000;

let kept;

/** The current secret, from memory unless it is too old or `fresh` is asked for. */
export async function databaseSecret({ fresh = false } = {}) {
  if (!fresh && kept && Date.now() - kept.readAt < ttl) return kept;
  const answer = await client.send(new GetSecretValueCommand({ SecretId: process.env.SECRET_ID }));
  kept = {
    ...JSON.parse(answer.SecretString),
    version: answer.VersionId,
    created: answer.CreatedDate,
    readAt: Date.now(),
  };
  return kept;
}

/** The secret that was last read, for GET /status. */
export const lastSecret = () => kept;
