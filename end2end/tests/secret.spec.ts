import type { APIRequestContext, Page } from "@playwright/test";
import { environment } from "../support/environment.js";
import { awake, expect, expectAccessible, expectNoSidewaysScroll, region, test } from "../support/portal.js";

/** One after the other: there is one secret. */
test.describe.configure({ mode: "serial" });

/** A rotation takes a few seconds, on a busy machine more. */
const ROTATED = { timeout: 60_000 };

async function fault(request: APIRequestContext, rule: object): Promise<void> {
  const answer = await request.post(`${environment.control}/faults`, { data: rule });
  expect(answer.ok(), `control port, faults: ${answer.status()}`).toBe(true);
}

async function noFaults(request: APIRequestContext): Promise<void> {
  expect((await request.delete(`${environment.control}/faults`)).ok()).toBe(true);
}

async function open(page: Page): Promise<void> {
  await page.getByRole("link", { name: "Secret", exact: true }).click();
  await expect(page.getByRole("heading", { level: 1 })).toContainText("learninghub/sqlserver");
  await awake(page);
}

test.afterEach(async ({ request }) => noFaults(request));

test("a rotation is watched to its end, and the page is accessible", async ({ overview: page }) => {
  test.setTimeout(120_000);
  await open(page);
  await expect(region(page, "Before you rotate")).toContainText(/can go ahead|Nothing is in the way/);
  await page.getByRole("button", { name: "Rotate now" }).click();
  await expect(page).toHaveURL(/\/secret\?rotation=[0-9a-f]{32}-admin/);
  const rotation = region(page, "Rotation");
  // Nothing is loaded anew: what stands here changes by itself, and the address says which rotation.
  await page.evaluate(() => Object.assign(window, { here: true }));
  await expect(rotation).toContainText("Rotation is done", ROTATED);
  expect(await page.evaluate(() => "here" in window)).toBe(true);
  await expect(page.locator("#live")).toHaveAttribute("data-from", /\/secret\/fragment\?rotation=[0-9a-f]{32}-admin$/);
  for (const step of ["createSecret", "setSecret", "testSecret", "finishSecret"]) {
    await expect(rotation.getByText(step, { exact: true })).toBeVisible();
  }
  // The page can be closed and opened again: nothing of it was remembered.
  await page.goto("/secret");
  await expect(region(page, "Rotation")).toContainText("Rotation is done");
  await expect(region(page, "Versions")).toContainText("AWSPREVIOUS");
  await awake(page);
  await expectAccessible(page);
  await page.setViewportSize({ width: 390, height: 844 });
  await expectNoSidewaysScroll(page);
});

test("the page refreshes itself: ages count on, and focus, folds and what was typed stay", async ({ overview: page }) => {
  test.setTimeout(90_000);
  await open(page);
  const id = page.locator('form[action="/secret/rotate"] input[name="id"]');
  const first = await id.inputValue();
  const versions = region(page, "Versions");
  await versions.locator("details.id").first().locator("summary").click();
  const expression = page.getByLabel("Expression");
  await expression.fill("rate(8 days)");
  const window_ = page.getByLabel(/^Window in hours/);
  await window_.focus();
  const read = versions.locator(".card__age time");
  const before = await read.getAttribute("datetime");
  await expect(read).not.toHaveAttribute("datetime", before ?? "", { timeout: 30_000 });
  await expect(window_).toBeFocused();
  await expect(expression).toHaveValue("rate(8 days)");
  await expect(versions.locator("details.id").first()).toHaveAttribute("open", "");
  // What is sent twice begins one rotation.
  await expect(id).toHaveValue(first);
  // Nothing is asked for, and ages count on all the same.
  await page.getByRole("button", { name: "Pause" }).click();
  await expect(page.getByText("Refreshing is paused.")).toBeVisible();
  await expect(read).toHaveText(/^[4-9] s ago$/, { timeout: 15_000 });
  await page.getByRole("link", { name: "Refresh" }).click();
  await expect(page.getByText("Refreshing is paused.")).toBeVisible();
  await expect(page.getByRole("button", { name: "Go on" })).toBeVisible();
});

test("what is in the way is red, says what to do, and turns green again", async ({ overview: page, request }) => {
  // The rotation function is read every 15 s: it is waited for twice.
  test.setTimeout(120_000);
  await fault(request, {
    at: { target: "aws", service: "lambda", operation: "GetPolicy", effect: "access_denied" },
  });
  await open(page);
  const preflight = region(page, "Before you rotate");
  await expect(preflight).toContainText("lambda:GetPolicy", { timeout: 30_000 });
  await noFaults(request);
  await expect(preflight).not.toContainText("lambda:GetPolicy", { timeout: 30_000 });
});

test("a failing step is named, and a repair puts all right", async ({ overview: page, request, tolerated }) => {
  test.setTimeout(180_000);
  tolerated.push(/422/);
  await open(page);
  await fault(request, { at: { target: "tds", effect: "refuse" } });
  await page.getByRole("button", { name: "Rotate now" }).click();
  const rotation = region(page, "Rotation");
  await expect(rotation).toContainText("does not reach the database", ROTATED);
  await expect(rotation).toContainText("setSecret");
  await expect(page.getByRole("button", { name: "Rotate now" })).toBeDisabled();
  await expect(region(page, "Before you rotate")).toContainText("left half done");
  await noFaults(request);
  const repair = region(page, "Repair");
  // The logins are tried again by themselves once the database answers.
  await expect(async () => {
    await page.goto("/secret");
    await expect(repair.getByRole("button", { name: "Repair" })).toBeVisible({ timeout: 2_000 });
  }).toPass({ timeout: 60_000 });
  await expect(repair).toContainText("AWSPENDING");
  await awake(page);
  await repair.getByLabel("The secret's name").fill("something else");
  // The plan stays as it was shown. Asked about another one, the server says so in place of the button.
  await page.route("**/secret/fragment?plan=*", (route) =>
    route.continue({ url: route.request().url().replace(/plan=[0-9a-f]+/, "plan=00") }),
  );
  await page.getByRole("link", { name: "Refresh" }).click();
  await expect(repair).toContainText("Things have changed since this plan was shown");
  await expect(repair.getByRole("button", { name: "Repair" })).toHaveCount(0);
  await expect(repair).toContainText("AWSPENDING");
  await expect(repair.getByLabel("The secret's name")).toHaveValue("something else");
  await page.unrouteAll();
  await page.goto("/secret");
  await repair.getByLabel("The secret's name").fill("something else");
  await repair.getByRole("button", { name: "Repair" }).click();
  await expect(region(page, "Repair")).toContainText("not the secret's name");
  await awake(page);
  // Why it was refused has to be read: it is still there when the page has refreshed itself.
  const read = region(page, "Versions").locator(".card__age time");
  const before = await read.getAttribute("datetime");
  await expect(read).not.toHaveAttribute("datetime", before ?? "", { timeout: 30_000 });
  await expect(region(page, "Repair")).toContainText("not the secret's name");
  await repair.getByLabel("The secret's name").fill("learninghub/sqlserver");
  await repair.getByRole("button", { name: "Repair" }).click();
  await expect(page).toHaveURL(/done=repaired/);
  await expect(page.getByRole("main")).toContainText("the rotation is put right");
  await expect(page.getByRole("button", { name: "Rotate now" })).toBeEnabled();
  expect((await request.get(`${environment.api}/courses`)).status()).toBe(200);
});

test("a schedule that AWS would refuse is refused with its rule, and what was typed stays", async ({
  overview: page,
  tolerated,
}) => {
  tolerated.push(/422/);
  await open(page);
  const expression = page.getByLabel("Expression");
  await expression.fill("rate(1 hours)");
  await page.getByRole("button", { name: "Change the schedule" }).click();
  await expect(page.getByRole("main")).toContainText("4 hours at least");
  await expect(expression).toHaveValue("rate(1 hours)");
  await expression.fill("rate(30 days)");
  await page.getByRole("button", { name: "Change the schedule" }).click();
  await expect(page).toHaveURL(/done=scheduled/);
});
