import { awake, expect, signInLink, test } from "../support/portal.js";

test("signing in, skipping to the content and signing out need no mouse", async ({ page }) => {
  await page.goto(await signInLink());
  const confirm = page.getByRole("button", { name: "Sign in" });
  await confirm.focus();
  await page.keyboard.press("Enter");
  await expect(page.getByRole("heading", { level: 1, name: "Overview" })).toBeVisible();
  await awake(page);

  await page.keyboard.press("Tab");
  const skip = page.getByRole("link", { name: "Skip to content" });
  await expect(skip).toBeFocused();
  await expect(skip).toBeInViewport();
  await page.keyboard.press("Enter");
  await expect(page.getByRole("main")).toBeFocused();

  // Backwards from the content the last control of the frame is the sign-out.
  await page.keyboard.press("Shift+Tab");
  await expect(page.getByRole("button", { name: "Sign out" })).toBeFocused();
  await page.keyboard.press("Enter");
  await expect(page).toHaveURL(/\/sign-in/);
});

test("the form is filled in from the keyboard, in its visible order", async ({ page }) => {
  await page.goto("/sign-in");
  const email = page.getByLabel(/e-?mail/i);
  await email.focus();
  await page.keyboard.type("somebody@localhost");
  await page.keyboard.press("Tab");
  await expect(page.getByLabel("Password")).toBeFocused();
  await page.keyboard.press("Tab");
  await expect(page.getByRole("button", { name: "Sign in" })).toBeFocused();
});

test("every control shows where the focus is", async ({ overview: page }) => {
  for (let step = 0; step < 8; step++) {
    await page.keyboard.press("Tab");
    const shown = await page.evaluate(() => {
      const focused = document.activeElement;
      if (!focused || focused === document.body) return "nothing";
      const style = getComputedStyle(focused);
      const seen = style.outlineStyle !== "none" || style.boxShadow !== "none";
      return seen ? "" : focused.outerHTML.slice(0, 120);
    });
    if (shown === "nothing") break;
    expect(shown, "focused, and nothing shows it").toBe("");
  }
});
