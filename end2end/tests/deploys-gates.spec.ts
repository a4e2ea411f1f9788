import type { APIRequestContext } from "@playwright/test";
import { aws } from "../support/aws.js";
import { deployZip, live, open, ROLLED_OUT, rollout } from "../support/deploys.js";
import { environment } from "../support/environment.js";
import { awake, expect, expectAccessible, expectNoSidewaysScroll, region, test } from "../support/portal.js";
import { apiZip, erringZip } from "../support/zips.js";

/** One after the other: there is one alias. */
test.describe.configure({ mode: "serial" });

const functions = `/2015-03-31/functions/${environment.function}`;
const stage = `/v2/apis/${environment.apiId}/stages/${encodeURIComponent(environment.stage)}`;

/** Calls the API until told to stop. */
function callers(request: APIRequestContext): () => Promise<void> {
  let going = true;
  const calling = (async () => {
    while (going) await request.get(`${environment.api}/courses`).catch(() => undefined);
  })();
  return async () => {
    going = false;
    await calling;
  };
}

test("a version that fails requests is taken back by itself, watched live", async ({ overview: page, request }) => {
  test.setTimeout(300_000);
  await open(page);
  const before = await live(page);
  await deployZip(page, await erringZip(0.3), "50%/10m");
  await page.evaluate(() => Object.assign(window, { here: true }));
  const stop = callers(request);
  try {
    await expect(rollout(page)).toContainText("50 % of the requests", ROLLED_OUT);
    await expect(rollout(page)).toContainText("was taken back", ROLLED_OUT);
  } finally {
    await stop();
  }
  await expect(rollout(page)).toContainText(/\d+ of \d+ requests failed/);
  expect(await page.evaluate(() => "here" in window)).toBe(true);
  await expect(region(page, "What has the requests")).toContainText("Rolled back");
  expect(await live(page)).toBe(before);
  await expectAccessible(page);
});

test("too little traffic says so, and is filled with requests of the portal's own", async ({ overview: page }) => {
  test.setTimeout(300_000);
  await open(page);
  const before = await live(page);
  await deployZip(page, await apiZip("few"), "1%/10m", "Few requests", "90");
  await expect(rollout(page)).toContainText("not enough to judge: 90 are needed", ROLLED_OUT);
  await rollout(page).getByLabel("Requests (1 to 100)").fill("30");
  await rollout(page).getByRole("button", { name: "Send requests" }).click();
  await expect(page).toHaveURL(/done=sent/);
  await expect(page.getByRole("status").filter({ hasText: "30 requests were answered well" })).toBeVisible();
  await awake(page);
  await expect(rollout(page)).toContainText(/\b(3\d|[4-8]\d) requests, not enough to judge/, ROLLED_OUT);
  await rollout(page).getByRole("button", { name: "Roll back now" }).click();
  await expect(page).toHaveURL(/done=rolled-back/);
  expect(await live(page)).toBe(before);
});

test("old versions are pruned, and those that are needed stay", async ({ overview: page, request }) => {
  test.setTimeout(180_000);
  for (const name of ["first", "second", "third", "fourth", "fifth", "sixth"]) {
    const { buffer } = await apiZip(name);
    const code = { ZipFile: buffer.toString("base64"), Publish: true };
    await expect(async () => {
      await aws(request, "lambda", "PUT", `${functions}/code`, code);
    }).toPass({ timeout: 30_000 });
  }
  await expect(async () => {
    await page.goto("/deploys");
    await expect(page.getByText(/^Prune \d+ old versions?/)).toBeVisible({ timeout: 1_000 });
  }).toPass({ timeout: 60_000 });
  await awake(page);
  const before = await live(page);
  await page.getByText(/^Prune \d+ old versions?/).focus();
  await page.keyboard.press("Enter");
  const old = page.getByRole("table", { name: "Versions that would go" }).getByRole("row");
  const numbers = await old.locator("td:first-child").allInnerTexts();
  expect(numbers.length).toBeGreaterThan(0);
  expect(numbers).not.toContain(before);
  await expectAccessible(page);
  await page.getByRole("button", { name: /^Delete th(is version|ese versions)$/ }).click();
  await expect(page).toHaveURL(/done=pruned/);
  const versions = await aws(request, "lambda", "GET", `${functions}/versions`);
  const left = versions["Versions"].map((version: { Version: string }) => version.Version);
  expect(left).toContain(before);
  for (const number of numbers) expect(left).not.toContain(number);
});

test("an integration that leads past the alias is led to it", async ({ overview: page, request }) => {
  test.setTimeout(120_000);
  const integrations = `/v2/apis/${environment.apiId}/integrations`;
  const held = await aws(request, "apigateway", "GET", integrations);
  const { integrationId, integrationUri } = held["items"][0];
  const past = integrationUri.replace(/:live\/invocations$/, "/invocations").replace(/:live$/, "");
  expect(past).not.toBe(integrationUri);
  // Whoever leads it there lets the API in there too, else every request fails meanwhile.
  await aws(request, "lambda", "POST", `${functions}/policy`, {
    StatementId: "past-the-alias",
    Action: "lambda:InvokeFunction",
    Principal: "apigateway.amazonaws.com",
    SourceArn: `arn:aws:execute-api:${environment.region}:123456789012:${environment.apiId}/*/*`,
  });
  await aws(request, "apigateway", "PATCH", `${integrations}/${integrationId}`, { integrationUri: past });
  await expect(async () => {
    await page.goto("/deploys");
    await expect(region(page, "HTTP API")).toContainText("Past the alias", { timeout: 1_000 });
  }).toPass({ timeout: 60_000 });
  await awake(page);
  await expect(region(page, "HTTP API")).toContainText(`Then integration ${integrationId} leads from`);
  await expectAccessible(page);
  await page.getByRole("button", { name: "Lead it to the alias" }).click();
  await expect(page).toHaveURL(/done=pointed/);
  await expect(region(page, "HTTP API")).toContainText("To the alias");
  const now = await aws(request, "apigateway", "GET", `${integrations}/${integrationId}`);
  expect(now["integrationUri"]).toContain(":live");
  expect((await request.get(`${environment.api}/courses`)).status()).toBe(200);
});

test("where the stage waits for it, the API is deployed", async ({ overview: page, request }) => {
  test.setTimeout(120_000);
  await aws(request, "apigateway", "PATCH", stage, { autoDeploy: false });
  try {
    await expect(async () => {
      await page.goto("/deploys");
      await expect(region(page, "HTTP API")).toContainText("Waits to be deployed", { timeout: 1_000 });
    }).toPass({ timeout: 60_000 });
    await awake(page);
    const before = await aws(request, "apigateway", "GET", stage);
    await page.getByLabel("Description (may be left empty)").fill("From a test");
    await page.setViewportSize({ width: 390, height: 844 });
    await expectNoSidewaysScroll(page);
    await page.getByRole("button", { name: "Deploy API" }).click();
    await expect(page).toHaveURL(/done=api-deployed/);
    const after = await aws(request, "apigateway", "GET", stage);
    expect(after["deploymentId"]).not.toBe(before["deploymentId"]);
    const deployments = await aws(request, "apigateway", "GET", `/v2/apis/${environment.apiId}/deployments`);
    const words = deployments["items"].map((deployment: { description?: string }) => deployment.description);
    expect(words).toContain("From a test");
  } finally {
    await aws(request, "apigateway", "PATCH", stage, { autoDeploy: true });
  }
});
