import { environment } from "../support/environment.js";
import { awake, expect, expectAccessible, expectNoSidewaysScroll, region, test } from "../support/portal.js";

test("a request is looked up by the id its caller got, from the keyboard", async ({ overview: page, request }) => {
  test.setTimeout(90_000);
  const answer = await request.get(`${environment.api}/courses`);
  const id = answer.headers()["apigw-requestid"] ?? "";
  expect(id).not.toBe("");
  await page.goto("/requests");
  await awake(page);
  await expect(page.getByRole("link", { name: "Requests", exact: true })).toHaveAttribute("aria-current", "page");
  await expect(page.getByLabel("Request id or trace id")).toBeFocused();
  await page.keyboard.type(id);
  await page.keyboard.press("Enter");
  await expect(page.getByRole("heading", { level: 1 })).toContainText(id);
  // Lines come in batches.
  await expect(async () => {
    await page.reload();
    await expect(region(page, "Time line")).toContainText("API Gateway, all of it", { timeout: 1_000 });
    await expect(region(page, "Function's log")).toContainText("platform.report", { timeout: 1_000 });
  }).toPass({ timeout: 40_000 });
  await expect(region(page, "In short")).toContainText("GET /courses");
  await expect(region(page, "In short")).toContainText("200");
  await expectNoSidewaysScroll(page);
  await expectAccessible(page);
  await region(page, "Function's log").locator("summary").first().click();
  await expectAccessible(page);
});

test("what is no id is said beside the field, and what is not found says where it was looked for", async ({
  overview: page,
  tolerated,
}) => {
  tolerated.push(/422/);
  await page.goto("/requests");
  await page.getByLabel("Request id or trace id").fill("what?");
  await page.getByRole("button", { name: "Look it up" }).click();
  await expect(page.getByText("This is neither an apigw-requestid")).toBeVisible();
  await expectAccessible(page);
  await page.getByLabel("Request id or trace id").fill("AAAAAAAAAAAAAAA=");
  await page.getByRole("button", { name: "Look it up" }).click();
  await expect(page.getByText("Nothing was found of this request.")).toBeVisible();
  await expect(region(page, "Access log")).toContainText("/aws/vendedlogs/learninghub-api");
});

test.describe("without JavaScript", () => {
  test.use({ javaScriptEnabled: false });

  test("the lookup is the same", async ({ overview: page, request }) => {
    const answer = await request.get(`${environment.api}/courses`);
    await page.goto("/requests");
    await page.getByLabel("Request id or trace id").fill(answer.headers()["apigw-requestid"] ?? "");
    await expect(async () => {
      await page.getByRole("button", { name: "Look it up" }).click();
      await expect(region(page, "Time line")).toBeVisible({ timeout: 1_000 });
    }).toPass({ timeout: 40_000 });
  });
});
