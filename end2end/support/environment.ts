/** Where the stack under test is: what `cargo xtask test` puts into the environment. */
export const environment = {
  /** The portal's address. */
  portal: needed("LOCKKEEPER_URL"),
  /** The portal's program, for `admin link`; the `LOCKKEEPER_*` variables it needs are set too. */
  program: needed("LOCKKEEPER_BIN"),
  /** The sandbox's control port. */
  control: needed("LOCKKEEPER_CONTROL"),
  /** The HTTP API that the portal watches. */
  api: needed("LOCKKEEPER_HTTP_API").replace(/\/$/, ""),
  /** The API function's package, as it runs in the sandbox. */
  zip: needed("LOCKKEEPER_ZIP"),
  /** The browser. */
  chromium: process.env.LOCKKEEPER_CHROMIUM ?? "/usr/bin/chromium",
};

function needed(name: string): string {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set: run these tests with \`cargo xtask test\``);
  return value;
}
