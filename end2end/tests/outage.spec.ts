import type { APIRequestContext } from "@playwright/test";
import { environment } from "../support/environment.js";
import { expect, expectAccessible, region, test } from "../support/portal.js";

/** One refresh of the page after one reading of the portal, each every 5 s, and the function's own patience. */
const ONE_REFRESH = { timeout: 15_000 };

async function database(request: APIRequestContext, what: "stop" | "start"): Promise<void> {
  const answer = await request.post(`${environment.control}/tds/${what}`);
  expect(answer.ok(), `control port, tds/${what}: ${answer.status()}`).toBe(true);
}

test.afterEach(async ({ request }) => database(request, "start"));

test("a database that is gone is seen within one refresh, and so is its return", async ({ overview: page, request }) => {
  test.setTimeout(90_000);
  const health = region(page, "Health");
  await expect(health).toContainText("Healthy");

  await database(request, "stop");
  await expect(health).toContainText("Unhealthy", ONE_REFRESH);
  await expect(region(page, "Database")).toContainText("Out of reach");
  expect((await request.get(`${environment.api}/status`)).status()).toBe(503);
  await expectAccessible(page);

  await database(request, "start");
  await expect(health.getByText("Healthy", { exact: true })).toBeVisible(ONE_REFRESH);
  expect((await request.get(`${environment.api}/status`)).status()).toBe(200);
});
