import { deployZip, fill, live, open, ROLLED_OUT, rollout } from "../support/deploys.js";
import { environment } from "../support/environment.js";
import { awake, expect, expectAccessible, expectNoSidewaysScroll, region, test } from "../support/portal.js";
import { apiZip, brokenZip } from "../support/zips.js";

/** One after the other: there is one alias. */
test.describe.configure({ mode: "serial" });

test("a canary is watched live and promoted", async ({ overview: page, request }) => {
  test.setTimeout(300_000);
  await open(page);
  const before = await live(page);
  await deployZip(page, await apiZip("one"), "50%/10s");
  const region_ = rollout(page);
  await expect(region_).toContainText("Driven by");
  // Nothing is loaded anew: what stands here changes by itself.
  await page.evaluate(() => Object.assign(window, { here: true }));
  await expect(region_).toContainText("50 % of the requests", ROLLED_OUT);
  await expect(region_).toContainText("this portal", ROLLED_OUT);
  await expect(region_).toContainText("Promoted", ROLLED_OUT);
  expect(await page.evaluate(() => "here" in window)).toBe(true);
  await expect(region(page, "What has the requests")).toContainText("Promoted");
  expect(await live(page)).not.toBe(before);
  expect((await request.get(`${environment.api}/courses`)).status()).toBe(200);
  await expectAccessible(page);
  await page.setViewportSize({ width: 390, height: 844 });
  await expectNoSidewaysScroll(page);
});

test("one click goes back to the version before", async ({ overview: page }) => {
  await open(page);
  const before = await live(page);
  const back = region(page, "What has the requests").getByRole("button", { name: /^Roll back to version/ });
  const to = (await back.innerText()).replace("Roll back to version ", "");
  await back.click();
  await expect(page).toHaveURL(/done=rolled-back/);
  expect(await live(page)).toBe(to);
  expect(to).not.toBe(before);
  await expect(region(page, "What has the requests")).toContainText("Rolled back");
});

test("a rollout is paused and rolled back by hand from the keyboard, and what was typed stays meanwhile", async ({
  overview: page,
}) => {
  test.setTimeout(300_000);
  await open(page);
  const before = await live(page);
  await deployZip(page, await apiZip("two"), "20%/10m");
  const pause = rollout(page).getByRole("button", { name: "Pause", exact: true });
  await expect(pause).toBeVisible(ROLLED_OUT);
  await expect(rollout(page)).toContainText("First request to version");
  // The page refreshes itself each second: the fold stays open, the field keeps words and focus.
  await rollout(page).getByText("Answer and log").click();
  await expect(rollout(page).getByLabel("Answer", { exact: true })).toBeVisible();
  const why = rollout(page).getByLabel(/^Why/);
  await why.focus();
  await page.keyboard.type("It is only a test");
  const left = await rollout(page).getByText("Time left at this share").locator("xpath=..").innerText();
  await expect(rollout(page).getByText("Time left at this share").locator("xpath=..")).not.toHaveText(left, ROLLED_OUT);
  await expect(why).toBeFocused();
  await expect(why).toHaveValue("It is only a test");
  await expect(rollout(page).getByLabel("Answer", { exact: true })).toBeVisible();
  await expectAccessible(page);

  await pause.focus();
  await page.keyboard.press("Enter");
  await expect(page).toHaveURL(/done=paused/);
  await expect(rollout(page).getByRole("button", { name: "Resume" })).toBeVisible();
  await rollout(page).getByLabel(/^Why/).fill("It is only a test");
  await rollout(page).getByRole("button", { name: "Roll back now" }).focus();
  await page.keyboard.press("Enter");
  await expect(page).toHaveURL(/done=rolled-back/);
  await expect(rollout(page)).toContainText("was taken back");
  await expect(rollout(page)).toContainText("It is only a test");
  expect(await live(page)).toBe(before);
});

test("a version that can't start has no request, and its log is shown", async ({ overview: page, request }) => {
  test.setTimeout(300_000);
  await open(page);
  const before = await live(page);
  await deployZip(page, brokenZip(), "50%/10s");
  await expect(rollout(page)).toContainText("never had a request", ROLLED_OUT);
  await expect(rollout(page).getByLabel("Log", { exact: true })).toContainText("this version can not start");
  expect(await live(page)).toBe(before);
  expect((await request.get(`${environment.api}/courses`)).status()).toBe(200);
});

test("what is wrong is said, and what was typed stays", async ({ overview: page, tolerated }) => {
  tolerated.push(/422/);
  await open(page);
  await page.getByRole("link", { name: "New deploy" }).click();
  await awake(page);
  await expectAccessible(page);
  await page.getByLabel("Zip", { exact: true }).setInputFiles(await apiZip("three"));
  await fill(page, "Kept", "50 per cent");
  await page.getByRole("button", { name: "Check", exact: true }).click();
  await expect(page.getByRole("alert")).toContainText("is no share and time");
  await expect(page.getByLabel(/^Description/)).toHaveValue("Kept");
  await expect(page.getByLabel("Shares and times")).toHaveValue("50 per cent");
  await expect(page.getByText(/api.zip \([\d.]+ MB\) is uploaded/)).toBeVisible();
  await page.getByLabel("Shares and times").fill("50%/10s");
  await page.getByRole("button", { name: "Check", exact: true }).click();
  await expect(page.getByRole("heading", { level: 1, name: "Check the deploy" })).toBeVisible(ROLLED_OUT);
  await expectAccessible(page);
  await page.setViewportSize({ width: 390, height: 844 });
  await expectNoSidewaysScroll(page);
  await page.getByRole("button", { name: "Change it" }).click();
  await expectNoSidewaysScroll(page);
  await expect(page.getByLabel(/^Description/)).toHaveValue("Kept");
});

test("a zip that is too large is refused before it is sent", async ({ overview: page }) => {
  await open(page);
  await page.getByRole("link", { name: "New deploy" }).click();
  await awake(page);
  // 50 MB is also the most that a test may hand over at once, so the file says what it is not.
  await page.evaluate(() => {
    const files = new DataTransfer();
    files.items.add(new File([new Uint8Array(50 * 1024 * 1024 + 1)], "large.zip"));
    const input = document.getElementById("zip") as HTMLInputElement;
    input.files = files.files;
    input.dispatchEvent(new Event("change"));
  });
  await expect(page.getByRole("status")).toContainText("Put it into S3");
  await page.getByRole("button", { name: "Check", exact: true }).click();
  await expect(page.getByRole("heading", { level: 1, name: "New deploy" })).toBeVisible();
});
