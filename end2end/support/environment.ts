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
  /** The API function that misbehaves as a file in its package tells it to. */
  misbehaving: needed("LOCKKEEPER_MISBEHAVING"),
  /** The AWS endpoint, and what of the stack is named there. */
  aws: needed("AWS_ENDPOINT_URL").replace(/\/$/, ""),
  region: needed("AWS_REGION"),
  apiId: needed("LOCKKEEPER_API_ID"),
  stage: needed("LOCKKEEPER_API_STAGE"),
  function: needed("LOCKKEEPER_FUNCTION"),
  /** The browser. */
  chromium: process.env.LOCKKEEPER_CHROMIUM ?? "/usr/bin/chromium",
};

function needed(name: string): string {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set: run these tests with \`cargo xtask test\``);
  return value;
}
