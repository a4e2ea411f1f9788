import { aws } from "../support/aws.js";
import { environment } from "../support/environment.js";
import { awake, expect, expectAccessible, expectNoSidewaysScroll, region, test } from "../support/portal.js";

/** One after the other: there is one set of alarms. */
test.describe.configure({ mode: "serial" });

const READ = { timeout: 60_000 };

test("the missing alarm is created with a preview, from the keyboard", async ({ overview: page, javaScriptEnabled }) => {
  test.setTimeout(120_000);
  await page.getByRole("link", { name: "Alarms", exact: true }).first().click();
  await expect(page.getByRole("heading", { level: 1, name: "Alarms" })).toBeVisible();
  if (javaScriptEnabled !== false) await awake(page);
  const set = region(page, "What should be watched");
  await expect(set.getByRole("listitem").filter({ hasText: "Rotation failed" }).first()).toContainText("AWS has no metric of rotations");
  await expect(region(page, "The stack's alarms")).toContainText("nobody: it has no action");
  await expectAccessible(page);
  await page.setViewportSize({ width: 390, height: 844 });
  await expectNoSidewaysScroll(page);
  await page.setViewportSize({ width: 1280, height: 800 });
  // What is missing is ticked already.
  await expect(page.getByLabel("Rotation failed")).toBeChecked();
  await page.locator("#put-alarms").getByRole("button", { name: "Preview" }).focus();
  await page.keyboard.press("Enter");
  await expect(page.getByRole("heading", { level: 1, name: "Check the change" })).toBeVisible(READ);
  await expect(page.getByRole("main")).toContainText("-rotation-failed");
  await expect(page.getByRole("main")).toContainText("Without a topic nobody is told");
  await expectAccessible(page);
  await page.getByRole("button", { name: "Change it" }).focus();
  await page.keyboard.press("Enter");
  await expect(page).toHaveURL(/done=changed/);
  await expect(region(page, "The stack's alarms")).toContainText("-rotation-failed");
  await expect(region(page, "History")).toContainText("created");
});

test("a topic is told, and whether anybody has confirmed is said", async ({ overview: page, request }) => {
  test.setTimeout(180_000);
  const made = await request.post(environment.aws, {
    headers: { authorization: `AWS4-HMAC-SHA256 Credential=test/20261201/${environment.region}/sns/aws4_request, SignedHeaders=host, Signature=0` },
    form: { Action: "CreateTopic", Version: "2010-03-31", Name: "operators" },
  });
  const topic = /<TopicArn>(.+)<\/TopicArn>/.exec(await made.text())?.[1] ?? "";
  await request.post(environment.aws, {
    headers: { authorization: `AWS4-HMAC-SHA256 Credential=test/20261201/${environment.region}/sns/aws4_request, SignedHeaders=host, Signature=0` },
    form: { Action: "Subscribe", Version: "2010-03-31", TopicArn: topic, Protocol: "email", Endpoint: "ops@example.com" },
  });
  await page.goto("/alarms");
  await page.getByLabel(/^SNS topic/).fill(topic);
  for (const name of ["Errors of the function", "Answers from 500"]) await page.getByLabel(name, { exact: true }).check();
  await page.locator("#put-alarms").getByRole("button", { name: "Preview" }).click();
  await expect(page.getByRole("main")).toContainText("None of the 1 subscriptions", READ);
  await page.getByRole("button", { name: "Change it" }).click();
  await expect(page).toHaveURL(/done=changed/);
  const alarms = region(page, "The stack's alarms");
  await expect(alarms).toContainText("the one subscription is not confirmed", READ);
  const confirmed = await request.post(`${environment.control}/sns/confirm`, { data: { topic, endpoint: "ops@example.com" } });
  expect(confirmed.status()).toBe(204);
  await expect(async () => {
    await page.goto("/alarms");
    await expect(alarms).toContainText("1 confirmed subscriber", { timeout: 1_000 });
  }).toPass(READ);
});

test("retention, logging and the stage are set with a preview", async ({ overview: page, request }) => {
  test.setTimeout(180_000);
  await page.goto("/alarms");
  await page.getByLabel("Log group", { exact: true }).selectOption(`/aws/lambda/${environment.function}`);
  await page.getByLabel("Kept for").selectOption("7");
  await page.locator("#retention").getByRole("button", { name: "Preview" }).click();
  await expect(page.getByRole("main")).toContainText("deleted, for good", READ);
  await page.getByRole("button", { name: "Change it" }).click();
  await expect(region(page, "Logs, traces and metrics")).toContainText("7 days", READ);

  await page.locator("#logging-0").getByLabel(/^Level/).selectOption("DEBUG");
  await page.locator("#logging-0").getByRole("button", { name: "Preview" }).click();
  await expect(page.getByRole("main")).toContainText("next deploy", READ);
  await page.getByRole("button", { name: "Change it" }).click();
  await expect(region(page, "Logs, traces and metrics")).toContainText("What has the requests", READ);

  await page.getByLabel("Keep figures of each route").check();
  await page.locator("#stage-logging").getByRole("button", { name: "Preview" }).click();
  await expect(page.getByRole("main")).toContainText("CloudWatch charges for each", READ);
  await page.getByRole("button", { name: "Change it" }).click();
  await expect(region(page, "Logs, traces and metrics")).toContainText("All that is worth having", READ);
  const stage = await aws(request, "apigateway", "GET", `/v2/apis/${environment.apiId}/stages/${encodeURIComponent(environment.stage)}`);
  expect(stage["defaultRouteSettings"]["detailedMetricsEnabled"]).toBe(true);
  expect((await request.get(`${environment.api}/courses`)).status()).toBe(200);
  await page.locator("#stage-logging").getByRole("button", { name: "Preview" }).click();
  await expect(page.getByRole("main")).toContainText("all is as it is to be", READ);
});
