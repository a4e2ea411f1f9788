import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { environment } from "../support/environment.js";
import { expect, expectAccessible, expectNoSidewaysScroll, region, test } from "../support/portal.js";

test("a token is made, used by a script and by the program, and revoked", async ({
  overview: page,
  playwright,
  javaScriptEnabled,
}) => {
  await page.getByRole("link", { name: "Access tokens" }).click();
  await expect(page.getByRole("heading", { level: 1, name: "Access tokens" })).toBeVisible();
  if (javaScriptEnabled !== false) await expectAccessible(page);
  const name = `browser ${Date.now()}`;
  await page.getByLabel("Name", { exact: true }).fill(name);
  await page.getByLabel("rotate:").check();
  await page.getByLabel("Good until, from now").selectOption("1 hour");
  await page.getByRole("button", { name: "Make the token" }).click();
  const token = (await page.locator(".new-token").textContent()) ?? "";
  expect(token).toMatch(/^lk_[0-9a-f]{12}_[\w-]{43}$/);
  if (javaScriptEnabled !== false) await expectAccessible(page);
  if (javaScriptEnabled !== false) await expectNoSidewaysScroll(page);

  // A script: no cookie, no origin.
  const script = await playwright.request.newContext({
    baseURL: environment.portal,
    extraHTTPHeaders: { Authorization: `Bearer ${token}` },
  });
  expect((await script.get("/api/v1/tokens")).status()).toBe(200);
  const forbidden = await script.post("/api/v1/tokens", { data: { name: "another" } });
  expect(forbidden.status(), "its scope is another").toBe(403);
  const variables = { LOCKKEEPER_URL: environment.portal, LOCKKEEPER_TOKEN: token };
  const program = promisify(execFile);
  const { stdout } = await program(environment.program, ["token", "list"], { env: variables, timeout: 20_000 });
  expect(stdout).toContain(name);

  await page.goto("/tokens");
  expect(await page.content()).not.toContain(token.slice(16));
  const row = region(page, "Your tokens").getByRole("row").filter({ hasText: name });
  await expect(row).toContainText("read rotate");
  await row.getByText("Revoke\u2026").click();
  await row.getByRole("button", { name: `Revoke ${name} now` }).click();
  await expect(page.getByRole("status")).toContainText("The token is revoked");
  await expect(row).toHaveCount(0);
  expect((await script.get("/api/v1/tokens")).status()).toBe(401);
  await script.dispose();
});
