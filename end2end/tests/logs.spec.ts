import { environment } from "../support/environment.js";
import { awake, expect, expectAccessible, expectNoSidewaysScroll, test } from "../support/portal.js";

test("lines are searched for, and each leads back to itself", async ({ overview: page, request }) => {
  test.setTimeout(90_000);
  await request.get(`${environment.api}/courses/no-course-of-that-name`);
  await expect(async () => {
    await page.goto("/logs?text=no-course-of-that-name&group=access");
    await expect(page.locator(".line")).not.toHaveCount(0, { timeout: 1_000 });
  }).toPass({ timeout: 40_000 });
  await awake(page);
  await expect(page.getByLabel("Text, as it is written")).toHaveValue("no-course-of-that-name");
  const line = page.locator(".line").first();
  const id = await line.getAttribute("id");
  await line.locator("summary").click();
  await expectNoSidewaysScroll(page);
  await expectAccessible(page);
  await line.getByRole("link", { name: "Link to this line" }).click();
  await expect(page.locator(".line--meant")).toHaveAttribute("id", id ?? "");
  await expect(page.locator(".line--meant details")).toHaveAttribute("open", "");
});

test("what is written is followed, paused and followed on", async ({ overview: page, request }) => {
  test.setTimeout(90_000);
  await page.goto("/logs?group=access&text=followed-");
  await awake(page);
  await page.getByRole("button", { name: "Follow" }).press("Enter");
  await expect(page.getByText("Following", { exact: true })).toBeVisible();
  const tail = page.getByRole("region", { name: "Followed lines" });
  await request.get(`${environment.api}/courses/followed-one`);
  await expect(tail).toContainText("followed-one", { timeout: 15_000 });
  await expectAccessible(page);
  await page.getByRole("button", { name: "Pause" }).click();
  await expect(page.getByText("Paused", { exact: true })).toBeVisible();
  await request.get(`${environment.api}/courses/followed-two`);
  await expect(tail).not.toContainText("followed-two", { timeout: 3_000 });
  await page.getByRole("button", { name: "Go on" }).click();
  await expect(tail).toContainText("followed-two", { timeout: 15_000 });
  const ids = await tail.locator(".line").evaluateAll((lines) => lines.map((line) => line.id));
  expect(new Set(ids).size).toBe(ids.length);
});

test("no more lines are kept than the browser is told, however many come", async ({ overview: page }) => {
  // Twenty seconds of a thousand lines each, as the portal would send them.
  const events = Array.from({ length: 20 }, (_, second) => {
    const rows = Array.from({ length: 1000 }, (_, n) => `<li class="line" id="line-${second}-${n}">line ${n}</li>`);
    const data = JSON.stringify({ html: `<ol>${rows.join("")}</ol>`, gap: false, problem: null });
    return `event: lines\nid: ${second + 1}-${second}\ndata: ${data}\n\n`;
  });
  let asked = 0;
  await page.route("**/logs/tail?*", async (route) => {
    asked += 1;
    const body = asked === 1 ? events.join("") : "event: still\ndata\n\n";
    await route.fulfill({ contentType: "text/event-stream", body });
  });
  await page.goto("/logs");
  await awake(page);
  await page.getByRole("button", { name: "Follow" }).click();
  const tail = page.getByRole("region", { name: "Followed lines" });
  await expect(tail).toContainText("2,000 lines; 18,000 older ones dropped");
  expect(await tail.locator("li").count()).toBe(2000);
  await expect(tail.locator("li").last()).toHaveAttribute("id", "line-19-999");
});
