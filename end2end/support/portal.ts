import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { AxeBuilder } from "@axe-core/playwright";
import { test as base, expect, type Locator, type Page } from "@playwright/test";
import { environment } from "./environment.js";

type Fixtures = {
  /** What the console may say in this test; anything else that looks like an error fails it. */
  tolerated: RegExp[];
  /** A page of an administrator who signed in just now, on the overview. */
  overview: Page;
};

/** Playwright's `test`, with a page that fails its test when the browser reports an error. */
export const test = base.extend<Fixtures>({
  tolerated: [[], { option: true }],

  page: async ({ page, tolerated }, use) => {
    const complaints: string[] = [];
    const note = (text: string) => {
      if (!tolerated.some((pattern) => pattern.test(text))) complaints.push(text);
    };
    page.on("console", (message) => {
      if (message.type() === "error") note(`${message.text()} (${message.location().url})`);
    });
    page.on("pageerror", (error) => note(`${error.name}: ${error.message}`));
    await use(page);
    expect(complaints, "errors in the browser's console").toEqual([]);
  },

  overview: async ({ page, javaScriptEnabled }, use) => {
    await signIn(page);
    if (javaScriptEnabled !== false) await awake(page);
    await use(page);
  },
});

export { expect };

/** The regions of the overview, by their headings. */
export const REGIONS = ["Health", "Function", "Secret", "Database", "Alarms", "Traffic"];

/** A link that signs an administrator in, once. */
export async function signInLink(): Promise<string> {
  const command = ["admin", "link", "--email", "admin@localhost", "--create"];
  const { stdout } = await promisify(execFile)(environment.program, command, { timeout: 10_000 });
  const link = stdout.split("\n").find((line) => line.startsWith("http"));
  if (!link) throw new Error(`the portal printed no link: ${stdout}`);
  return link.trim();
}

/** Opens a fresh link and confirms. The link's page changes nothing by itself: mail programs open links. */
export async function signIn(page: Page): Promise<void> {
  await page.goto(await signInLink());
  await page.getByRole("button", { name: "Sign in" }).click();
  await expect(page).toHaveURL(`${environment.portal}/`);
  await expect(page.getByRole("heading", { level: 1, name: "Overview" })).toBeVisible();
}

/** Waits until the browser part runs. */
export async function awake(page: Page): Promise<void> {
  await expect(page.locator("html[data-hydrated]")).toBeAttached();
}

/** A region of a page, by its heading. */
export function region(page: Page, name: string): Locator {
  return page.getByRole("region", { name, exact: true });
}

/** Fails on anything axe finds, in the light and in the dark scheme. */
export async function expectAccessible(page: Page): Promise<void> {
  for (const colorScheme of ["light", "dark"] as const) {
    await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
    const { violations } = await new AxeBuilder({ page }).analyze();
    const found = violations.map(({ id, help, nodes }) => `${id}: ${help}: ${nodes.map((n) => n.html).join(" ")}`);
    expect(found, `accessibility, ${colorScheme}`).toEqual([]);
  }
}

/** Fails if a person would have to scroll sideways. */
export async function expectNoSidewaysScroll(page: Page): Promise<void> {
  const [content, window] = await page.evaluate(() => {
    const root = document.documentElement;
    return [root.scrollWidth, root.clientWidth] as const;
  });
  expect(content, "width of the page's content").toBeLessThanOrEqual(window);
}
