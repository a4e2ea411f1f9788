import { expect, region, test } from "../support/portal.js";

test("without JavaScript the secret rotates and the page shows where it stands", async ({ overview: page }) => {
  test.setTimeout(120_000);
  await page.getByRole("link", { name: "Secret", exact: true }).click();
  await page.getByRole("button", { name: "Rotate now" }).click();
  await expect(page).toHaveURL(/\/secret\?rotation=[0-9a-f]{32}-admin/);
  await expect(async () => {
    await page.goto(page.url());
    await expect(region(page, "Rotation")).toContainText("Rotation is done", { timeout: 1_000 });
  }).toPass({ timeout: 60_000 });
});
