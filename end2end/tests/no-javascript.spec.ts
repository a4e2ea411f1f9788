import { expect, region, REGIONS, test } from "../support/portal.js";

test("the overview is whole without JavaScript", async ({ overview: page }) => {
  for (const name of REGIONS) await expect(region(page, name)).toBeVisible();
  await expect(region(page, "Health")).toContainText("Healthy");
});

test("a link refreshes and a form signs out", async ({ overview: page }) => {
  const when = region(page, "Health").locator("time").first();
  const before = await when.getAttribute("datetime");
  // The server reads health anew every few seconds, not for every visitor.
  await expect(async () => {
    await page.getByRole("link", { name: "Refresh" }).click();
    expect(await when.getAttribute("datetime")).not.toBe(before);
  }).toPass({ timeout: 20_000 });

  await page.getByRole("button", { name: "Sign out" }).click();
  await expect(page).toHaveURL(/\/sign-in/);
  await expect(page.getByLabel("Password")).toBeVisible();
});
