import type { Page } from "@playwright/test";
import { environment } from "../support/environment.js";
import { awake, expect, expectAccessible, expectNoSidewaysScroll, region, test } from "../support/portal.js";

const CHARTS = [
  "Requests", "Errors", "Throttles", "Duration", "Concurrency", "API latency", "Cold starts", "Start time",
];

/** CloudWatch is asked once a minute for all pages; a fresh stack shows its first figures after two. */
const FIGURES = { timeout: 140_000 };

async function open(page: Page): Promise<void> {
  await page.getByRole("link", { name: "Metrics", exact: true }).click();
  await expect(page.getByRole("heading", { level: 1, name: "Metrics" })).toBeVisible();
  await awake(page);
}

async function openWithFigures(page: Page): Promise<void> {
  await open(page);
  await expect(region(page, "Requests").locator(".chart__figure")).toHaveText(/^[1-9]/, FIGURES);
}

test.beforeEach(async ({ request }) => {
  test.setTimeout(200_000);
  expect((await request.get(`${environment.api}/status`)).status()).toBe(200);
});

test("every chart is there, at any width and in both colour schemes", async ({ overview: page }) => {
  await openWithFigures(page);
  for (const name of CHARTS) await expect(region(page, name)).toBeVisible();
  await expectAccessible(page);
  await expectNoSidewaysScroll(page);
  await page.setViewportSize({ width: 390, height: 844 });
  await expectNoSidewaysScroll(page);
});

test("one cursor stands in all charts, moved by pointer and by keyboard", async ({ overview: page }) => {
  await openWithFigures(page);
  const plot = (name: string) => region(page, name).getByRole("slider");
  await plot("Requests").hover({ position: { x: 120, y: 80 } });
  for (const name of CHARTS) await expect(plot(name).locator(".plot__cursor")).toBeAttached();
  await page.getByRole("heading", { level: 1 }).hover();
  await expect(plot("Requests").locator(".plot__cursor")).not.toBeAttached();

  await plot("Duration").focus();
  await page.keyboard.press("End");
  await expect(plot("Duration")).toHaveAttribute("aria-valuetext", /\d\d:\d\d, not complete: p50 /);
  const last = Number(await plot("Duration").getAttribute("aria-valuemax"));
  await page.keyboard.press("ArrowLeft");
  await expect(plot("Errors")).toHaveAttribute("aria-valuenow", String(last - 1));
  await page.keyboard.press("Escape");
  await expect(plot("Errors").locator(".plot__cursor")).not.toBeAttached();
});

test("a stretch is zoomed into by keyboard and by drawing over it, and out again", async ({ overview: page }) => {
  await openWithFigures(page);
  const plot = region(page, "Requests").getByRole("slider");
  await plot.focus();
  await page.keyboard.press("Home");
  for (let step = 0; step < 9; step += 1) await page.keyboard.press("Shift+ArrowRight");
  await page.keyboard.press("Enter");
  await expect(page).toHaveURL(/from=\d+&to=\d+/);
  const range = () => {
    const query = new URL(page.url()).searchParams;
    return Number(query.get("to")) - Number(query.get("from"));
  };
  expect(range()).toBe(10 * 60_000);
  await page.getByRole("link", { name: "Zoom out" }).click();
  await expect.poll(range).toBe(20 * 60_000);

  await page.getByRole("link", { name: "1h", exact: true }).click();
  await awake(page);
  await expect(plot).toBeVisible();
  const box = await plot.boundingBox();
  if (!box) throw new Error("the plot has no place");
  await page.mouse.move(box.x + box.width * 0.25, box.y + 60);
  await page.mouse.down();
  await page.mouse.move(box.x + box.width * 0.5, box.y + 70, { steps: 5 });
  await expect(plot.locator(".plot__marked")).toBeAttached();
  await page.mouse.up();
  await expect(page).toHaveURL(/from=\d+&to=\d+/);
  expect(range()).toBeGreaterThan(13 * 60_000);
  expect(range()).toBeLessThan(19 * 60_000);
});

test("values are there as a table and as a file", async ({ overview: page }) => {
  await openWithFigures(page);
  const download = page.waitForEvent("download");
  await page.getByRole("link", { name: "Errors as CSV" }).click();
  expect((await download).suggestedFilename()).toBe("lockkeeper-errors.csv");
  await page.getByRole("link", { name: "Duration as a table" }).click();
  await expect(page.getByRole("columnheader", { name: "p95" })).toBeVisible();
  await expect(page.getByRole("row").nth(1)).toContainText("Whole");
  await expectAccessible(page);
  await expectNoSidewaysScroll(page);
});

test("another time zone and a range of its own", async ({ overview: page }) => {
  await open(page);
  await page.getByText("Other time, version or time zone").click();
  await page.getByLabel("Time zone").fill("Europe/Berlin");
  await page.getByLabel("From", { exact: true }).fill("2026-10-25T00:00");
  await page.getByLabel("To", { exact: true }).fill("2026-10-26T00:00");
  await page.getByRole("button", { name: "Show" }).click();
  // The day on which summer time ends has 25 hours.
  await expect(page.locator("[data-shown]")).toHaveText("2026-10-25 00:00 CEST to 2026-10-26 00:00 CET");
});

test("what can't be read stays in its field", async ({ overview: page, tolerated }) => {
  tolerated.push(/422/);
  await page.goto(`${environment.portal}/charts?tz=Nowhere`);
  await expect(page.getByRole("alert")).toContainText("This is no time zone");
  await expect(page.getByLabel("Time zone")).toHaveValue("Nowhere");
  await expectAccessible(page);
});

test("newer figures come by themselves, and a page that nobody sees asks for nothing", async ({ overview: page }) => {
  await openWithFigures(page);
  const asked: string[] = [];
  page.on("request", (request) => {
    if (/\/(fragment|events)\?/.test(request.url())) asked.push(request.url());
  });
  await expect.poll(() => asked.filter((url) => url.includes("/charts/fragment")).length, FIGURES).toBeGreaterThan(0);
  await page.evaluate(() => {
    Object.defineProperty(document, "hidden", { value: true, configurable: true });
    document.dispatchEvent(new Event("visibilitychange"));
  });
  await page.waitForTimeout(1_500);
  const before = asked.length;
  await page.waitForTimeout(20_000);
  expect(asked.length).toBe(before);
  await page.evaluate(() => {
    Object.defineProperty(document, "hidden", { value: false, configurable: true });
    document.dispatchEvent(new Event("visibilitychange"));
  });
  await expect.poll(() => asked.slice(before).some((url) => url.includes("/events?page=charts"))).toBe(true);
});
