import { environment } from "../support/environment.js";
import { expect, expectAccessible, expectNoSidewaysScroll, signInLink, test } from "../support/portal.js";

test("whoever is not signed in is sent to the form", async ({ page }) => {
  await page.goto("/");
  await expect(page).toHaveURL(/\/sign-in(\?|$)/);
  await expect(page.getByRole("heading", { level: 1, name: "Sign in" })).toBeVisible();
  await expect(page.getByLabel(/e-?mail/i)).toHaveAttribute("autocomplete", "username");
  await expect(page.getByLabel("Password")).toHaveAttribute("type", "password");
  await expectNoSidewaysScroll(page);
});

test("the form is accessible in both colour schemes", async ({ page }) => {
  await page.goto("/sign-in");
  await expectAccessible(page);
});

test.describe("what the server refuses", () => {
  // The browser reports the status of the answer as an error.
  test.use({ tolerated: [/status of 4\d\d/] });

  test("an empty form is told what is missing", async ({ page }) => {
    await page.goto("/sign-in");
    await page.getByRole("button", { name: "Sign in" }).click();
    await expect(page.getByRole("alert")).toContainText("Enter your");
    await expect(page.getByLabel("Password")).toHaveAttribute("aria-invalid", "true");
    await expectAccessible(page);
  });

  test("with wrong credentials it is not said which of the two is wrong", async ({ page }) => {
    await page.goto("/sign-in");
    await page.getByLabel(/e-?mail/i).fill("nobody@localhost");
    await page.getByLabel("Password").fill("not the password of anybody");
    await page.getByRole("button", { name: "Sign in" }).click();
    await expect(page.getByRole("alert")).toContainText(/wrong|too many tries/i);
    await expect(page.getByLabel("Password")).toHaveValue("");
    await page.goto("/");
    await expect(page).toHaveURL(/\/sign-in/);
  });

  test("a link works once", async ({ page, browser }) => {
    const link = await signInLink();
    await page.goto(link);
    await page.getByRole("button", { name: "Sign in" }).click();
    await expect(page.getByRole("heading", { level: 1, name: "Overview" })).toBeVisible();

    const stranger = await browser.newPage({ baseURL: environment.portal });
    await stranger.goto(link);
    const button = stranger.getByRole("button", { name: "Sign in" });
    if (await button.isVisible()) await button.click();
    await expect(stranger.getByRole("heading", { level: 1, name: "Overview" })).toHaveCount(0);
    await stranger.goto("/");
    await expect(stranger).toHaveURL(/\/sign-in/);
    await stranger.close();
  });
});

test("signing out ends the session", async ({ overview: page }) => {
  const session = (await page.context().cookies()).find((cookie) => cookie.httpOnly);
  expect(session?.sameSite, "the session's cookie").toMatch(/Lax|Strict/);
  await page.getByRole("button", { name: "Sign out" }).click();
  await expect(page).toHaveURL(/\/sign-in/);
  // Nor does the old cookie work any more.
  await page.context().addCookies(session ? [session] : []);
  await page.goto("/");
  await expect(page).toHaveURL(/\/sign-in/);
});
