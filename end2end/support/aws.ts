import { expect, type APIRequestContext } from "@playwright/test";
import { environment } from "./environment.js";

/** A call of AWS, as somebody makes it who goes past the portal; its answer. The sandbox takes any signature. */
export async function aws(
  request: APIRequestContext,
  service: "lambda" | "apigateway" | "monitoring" | "sns" | "logs",
  method: string,
  path: string,
  data?: unknown,
): Promise<Record<string, any>> {
  const scope = `Credential=test/20261201/${environment.region}/${service}/aws4_request`;
  const answer = await request.fetch(`${environment.aws}${path}`, {
    method,
    headers: { authorization: `AWS4-HMAC-SHA256 ${scope}, SignedHeaders=host, Signature=0` },
    data,
  });
  const text = await answer.text();
  expect(answer.ok(), `${method} ${path}: ${answer.status()} ${text}`).toBe(true);
  return text === "" ? {} : JSON.parse(text);
}
