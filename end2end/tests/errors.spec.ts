import { environment } from "../support/environment.js";
import { awake, expect, expectAccessible, expectNoSidewaysScroll, region, test } from "../support/portal.js";

test("a refused request is counted as the authorizer's and leads to its lookup", async ({
  overview: page,
  request,
}) => {
  test.setTimeout(90_000);
  const answer = await request.get(`${environment.api}/me/progress`);
  expect(answer.status()).toBe(401);
  const refused = region(page, "Answers from 400 to 499");
  await expect(async () => {
    await page.goto("/errors?range=1h");
    await expect(refused).toContainText("Authorizer", { timeout: 1_000 });
  }).toPass({ timeout: 60_000, intervals: [1_000, 5_000] });
  await awake(page);
  await expect(page.getByRole("link", { name: "Last hour" })).toHaveAttribute("aria-current", "page");
  await page.getByText("What this is based on").click();
  await expectNoSidewaysScroll(page);
  await expectAccessible(page);
  await refused.getByRole("link", { name: /Look at a request/ }).first().click();
  await expect(region(page, "Access log")).toContainText("UNAUTHORIZED");
  await expect(region(page, "Function's log")).toContainText("did not call the function");
});
