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

test("an unknown route is the gateway's to refuse", async ({ request }) => {
  const answer = await request.get(`${environment.api}/no-such-route`);
  expect(answer.status()).toBe(404);
  expect(await answer.json()).toEqual({ message: "Not Found" });
});
