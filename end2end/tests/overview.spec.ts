import { environment } from "../support/environment.js";
import { expect, expectAccessible, expectNoSidewaysScroll, region, REGIONS, test } from "../support/portal.js";

test("every region is there and says something", async ({ overview: page }) => {
  for (const name of REGIONS) {
    await expect(region(page, name).getByRole("heading", { name, exact: true })).toBeVisible();
  }
  await expect(region(page, "Health")).toContainText("Healthy");
  await expect(region(page, "Function")).toContainText("Active");
  await expect(region(page, "Database")).toContainText("Reachable");
  await expectNoSidewaysScroll(page);
});

test("it is accessible in both colour schemes", async ({ overview: page }) => {
  await expectAccessible(page);
});

test("figures refresh by themselves and focus stays where it is", async ({ overview: page }) => {
  const when = region(page, "Health").locator("time").first();
  const before = await when.getAttribute("datetime");
  const signOut = page.getByRole("button", { name: "Sign out" });
  await signOut.focus();
  await expect(when).not.toHaveAttribute("datetime", before ?? "", { timeout: 20_000 });
  await expect(signOut).toBeFocused();
});

test("requests of the last hour are counted", async ({ overview: page, request }) => {
  const response = await request.get(`${environment.api}/status`);
  expect(response.status()).toBe(200);
  // CloudWatch's figures come by the minute; a fresh stack shows its first after at most two.
  test.setTimeout(150_000);
  await expect(region(page, "Traffic")).toContainText(/[1-9][\d.]* a minute on average/, { timeout: 140_000 });
});
