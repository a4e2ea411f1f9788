import { defineConfig, devices } from "@playwright/test";
import { environment } from "./support/environment.js";

/**
 * The portal in a browser. `cargo xtask test` starts sandbox and portal, and says in the environment
 * where they are (see `support/environment.ts`).
 *
 * Three kinds of browser look at the same portal; what breaks the stack on purpose runs after all of
 * them, alone.
 */
const scripted = [
  "sign-in.spec.ts",
  "overview.spec.ts",
  "keyboard.spec.ts",
  "api.spec.ts",
  "tokens.spec.ts",
  "requests.spec.ts",
  "errors.spec.ts",
  "logs.spec.ts",
  "charts.spec.ts",
];
const narrow = { width: 390, height: 844 };

export default defineConfig({
  testDir: "tests",
  timeout: 30_000,
  expect: { timeout: 10_000 },
  // Nothing may pass only at the second try.
  retries: 0,
  workers: 2,
  fullyParallel: true,
  forbidOnly: true,
  use: {
    ...devices["Desktop Chrome"],
    baseURL: environment.portal,
    viewport: { width: 1280, height: 800 },
    trace: "retain-on-failure",
    screenshot: "only-on-failure",
    launchOptions: {
      executablePath: environment.chromium,
      args: [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
      ],
    },
  },
  projects: [
    { name: "desktop", testMatch: scripted },
    { name: "phone", testMatch: ["sign-in.spec.ts", "overview.spec.ts", "tokens.spec.ts"], use: { viewport: narrow, hasTouch: true } },
    { name: "no-javascript", testMatch: ["no-javascript.spec.ts", "charts-no-javascript.spec.ts", "tokens.spec.ts"], use: { javaScriptEnabled: false } },
    { name: "secret", testMatch: "secret.spec.ts", dependencies: ["desktop", "phone", "no-javascript"] },
    {
      name: "secret-no-javascript",
      testMatch: "secret-no-javascript.spec.ts",
      dependencies: ["secret"],
      use: { javaScriptEnabled: false },
    },
    { name: "deploys", testMatch: "deploys.spec.ts", dependencies: ["secret-no-javascript"] },
    {
      name: "deploys-no-javascript",
      testMatch: "deploys-no-javascript.spec.ts",
      dependencies: ["deploys"],
      use: { javaScriptEnabled: false },
    },
    { name: "deploys-gates", testMatch: "deploys-gates.spec.ts", dependencies: ["deploys-no-javascript"] },
    { name: "alarms", testMatch: "alarms.spec.ts", dependencies: ["deploys-gates"] },
    { name: "outage", testMatch: "outage.spec.ts", dependencies: ["alarms"] },
  ],
});
