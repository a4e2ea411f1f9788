import type { Locator, Page } from "@playwright/test";
import { awake, expect, region } from "./portal.js";
import type { Zip } from "./zips.js";

/** A share is watched for 10 s at least, and its figures are read at a rhythm; on a busy machine more. */
export const ROLLED_OUT = { timeout: 150_000 };

/** Goes to the page of deploys. */
export async function open(page: Page): Promise<void> {
  await page.getByRole("link", { name: "Deploys", exact: true }).first().click();
  await expect(page.getByRole("heading", { level: 1, name: "Deploys" })).toBeVisible();
  await awake(page);
}

/** Fills in the form; a custom strategy and few requests, so that it takes seconds. */
export async function fill(page: Page, description: string, strategy: string, requests = "5"): Promise<void> {
  await page.getByLabel(/^Description/).fill(description);
  await page.getByLabel("Strategy").selectOption("custom");
  await page.getByLabel("Shares and times").fill(strategy);
  await page.getByText("When it is taken back").click();
  await page.getByLabel(/^Requests needed/).fill(requests);
  // On a loaded machine cold and warm starts differ by more than a new version's own doing.
  await page.getByLabel(/^Times as slow/).fill("100");
}

/** Deploys a zip through the form. */
export async function deployZip(
  page: Page,
  zip: Zip,
  strategy: string,
  description = "From a test",
  requests = "5",
): Promise<void> {
  await open(page);
  await page.getByRole("link", { name: "New deploy" }).click();
  await awake(page);
  await page.getByLabel("Zip", { exact: true }).setInputFiles(zip);
  await fill(page, description, strategy, requests);
  await page.getByRole("button", { name: "Check", exact: true }).click();
  await expect(page.getByRole("heading", { level: 1, name: "Check the deploy" })).toBeVisible(ROLLED_OUT);
  await confirmed(page);
  await page.getByRole("button", { name: "Deploy", exact: true }).click();
  await expect(page).toHaveURL(/\/deploys$/);
  await awake(page);
}

/** Alarms may fire for what another test did: then that is overridden. */
async function confirmed(page: Page): Promise<void> {
  const override = page.getByLabel(/^Deploy although alarms fire/);
  if (await override.isVisible()) await override.check();
}

/** The rollout's region has one of two names. */
export function rollout(page: Page): Locator {
  return page.locator("#rollout");
}

/** The version that has the requests. */
export async function live(page: Page): Promise<string> {
  const text = await region(page, "What has the requests").getByText(/^Version \d+$/).first().innerText();
  return text.replace("Version ", "");
}
