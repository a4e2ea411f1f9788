import { expect, region, test } from "../support/portal.js";

test.use({ javaScriptEnabled: false });

test("charts, tables and ranges work without JavaScript", async ({ overview: page }) => {
  await page.getByRole("link", { name: "Metrics", exact: true }).click();
  await expect(region(page, "Requests").getByRole("img")).toBeVisible();
  await page.getByRole("link", { name: "3h", exact: true }).click();
  await expect(page).toHaveURL(/range=3h/);
  await expect(page.getByRole("link", { name: "3h", exact: true })).toHaveAttribute("aria-current", "page");
  await page.getByRole("link", { name: "Requests as a table" }).click();
  await expect(page.getByRole("columnheader", { name: "Requests" })).toBeVisible();
  await page.getByRole("link", { name: "Back to the charts" }).click();
  await expect(page).toHaveURL(/range=3h.*#chart-requests/);
});
