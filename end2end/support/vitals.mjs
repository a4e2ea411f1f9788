// What a visitor waits for, in Chromium on a processor that is four times slower: the largest paint, and
// when the page is quiet and awake. `node vitals.mjs http://127.0.0.1:3000 lockkeeper=COOKIE`
import { chromium } from "@playwright/test";

const [, , address, cookie] = process.argv;
const [name, value] = [cookie.slice(0, cookie.indexOf("=")), cookie.slice(cookie.indexOf("=") + 1)];
const PAGES = ["/", "/charts?range=1h", "/charts?range=1d", "/deploys", "/secret"];
const ROUNDS = 5;

const browser = await chromium.launch({
  executablePath: process.env.LOCKKEEPER_CHROMIUM ?? "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
});
const median = (values) => values.sort((a, b) => a - b)[Math.floor(values.length / 2)];

console.log("in Chromium at a quarter of the processor's speed, cold cache, medians of 5");
console.log(`  ${"".padEnd(24)} ${"LCP ms".padStart(8)} ${"awake ms".padStart(9)} ${"kB sent".padStart(9)} ${"requests".padStart(9)}`);
for (const path of PAGES) {
  const seen = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    const context = await browser.newContext();
    await context.addCookies([{ name, value, url: address }]);
    // A first visit would note its time zone and load the page anew.
    await context.addCookies([{ name: "lockkeeper-tz", value: "UTC", url: `${address}/charts` }]);
    const page = await context.newPage();
    const session = await context.newCDPSession(page);
    await session.send("Network.enable");
    await session.send("Emulation.setCPUThrottlingRate", { rate: 4 });
    let bytes = 0, requests = 0;
    session.on("Network.loadingFinished", (event) => {
      bytes += event.encodedDataLength;
      requests += 1;
    });
    await page.addInitScript(() => {
      window.seen = { paint: 0, busy: 0 };
      new PerformanceObserver((list) => {
        for (const entry of list.getEntries()) window.seen.paint = entry.startTime;
      }).observe({ type: "largest-contentful-paint", buffered: true });
      new PerformanceObserver((list) => {
        for (const entry of list.getEntries()) window.seen.busy = entry.startTime + entry.duration;
      }).observe({ type: "longtask", buffered: true });
      new MutationObserver(() => {
        if (document.documentElement?.dataset.hydrated !== undefined) window.seen.awake ??= performance.now();
      }).observe(document, { attributes: true, subtree: true });
    });
    await page.goto(address + path);
    await page.waitForFunction(() => window.seen.awake !== undefined, undefined, { timeout: 30_000 });
    // Quiet for a second: no long task any more.
    await page.waitForTimeout(1_000);
    const { paint, awake, busy } = await page.evaluate(() => window.seen);
    seen.push({ paint, awake: Math.max(awake, busy), bytes, requests });
    await context.close();
  }
  const of = (key) => median(seen.map((one) => one[key]));
  console.log(`  ${path.padEnd(24)} ${of("paint").toFixed(0).padStart(8)} ${of("awake").toFixed(0).padStart(9)} ${(of("bytes") / 1000).toFixed(1).padStart(9)} ${String(of("requests")).padStart(9)}`);
}
console.log("goal: LCP <= 800 ms");
await browser.close();
