import { expect, region, test } from "../support/portal.js";

test("without JavaScript a version that is there is deployed", async ({ overview: page }) => {
  test.setTimeout(180_000);
  await page.getByRole("link", { name: "Deploys", exact: true }).first().click();
  // The oldest that has no requests: newer ones may be other tests' broken ones.
  const deploy = page.getByRole("link", { name: /^Deploy version \d+$/ }).last();
  const version = (await deploy.getAttribute("aria-label"))?.replace("Deploy version ", "") ?? "";
  await deploy.click();
  await expect(page.getByLabel("A version that is there")).toBeChecked();
  await page.getByLabel("Strategy").selectOption("all");
  await page.getByRole("button", { name: "Check", exact: true }).click();
  await expect(page.getByRole("heading", { level: 1, name: "Check the deploy" })).toBeVisible();
  await expect(page.getByRole("main")).toContainText(`version ${version}, as it is`);
  const override = page.getByLabel(/^Deploy although alarms fire/);
  if (await override.isVisible()) await override.check();
  await page.getByRole("button", { name: "Deploy", exact: true }).click();
  await expect(page).toHaveURL(/\/deploys$/);
  await expect(async () => {
    await page.goto("/deploys");
    await expect(region(page, "Last rollout")).toBeVisible({ timeout: 1_000 });
  }).toPass({ timeout: 90_000 });
  await expect(region(page, "What has the requests")).toContainText(`Version ${version}`);
});
