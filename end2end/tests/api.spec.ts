import { environment } from "../support/environment.js";
import { expect, test } from "../support/portal.js";

test("the API that the portal watches answers out of the database", async ({ request }) => {
  const status = await request.get(`${environment.api}/status`);
  expect(status.status()).toBe(200);
  expect(await status.json()).toMatchObject({ status: "ok", database: { reachable: true } });

  const courses = await request.get(`${environment.api}/courses`);
  expect(courses.status()).toBe(200);
  const { items } = (await courses.json()) as { items: { slug: string; title: string }[] };
  expect(items.length).toBeGreaterThan(0);
  expect(items[0]?.title).toBeTruthy();
});

test("what has no route is refused by the function, and without a token by the gateway", async ({ request }) => {
  const nothing = await request.get(`${environment.api}/no-such-route`);
  expect(nothing.status()).toBe(404);
  expect(await nothing.json()).toMatchObject({ type: "urn:learninghub:problem:not-found", status: 404 });

  const deleting = await request.delete(`${environment.api}/courses`);
  expect(deleting.status()).toBe(405);
  expect(deleting.headers()["allow"]).toBe("GET, HEAD, POST");

  const mine = await request.get(`${environment.api}/me/progress`);
  expect(mine.status()).toBe(401);
  expect(await mine.json()).toEqual({ message: "Unauthorized" });
});
