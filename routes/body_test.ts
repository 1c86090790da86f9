import { assert, assertEquals } from "@std/assert";
import { type TestApp, testApp, type TestUser } from "../testing/app.ts";

const strict = { sanitizeOps: true, sanitizeResources: true, sanitizeExit: true };
const json = { "content-type": "application/json" };

async function post(
  app: TestApp,
  { token }: TestUser,
  raw: BodyInit,
  headers: Record<string, string> = json,
) {
  const { status, body } = await app.request("POST", "/v1/rooms", { token, raw, headers });
  return [status, body.code];
}

/** A body of unknown length that counts what was taken from it. */
function endless(): { body: ReadableStream<Uint8Array>; taken: () => number } {
  let taken = 0;
  const body = new ReadableStream<Uint8Array>({
    pull(controller) {
      taken += 10_000;
      controller.enqueue(new Uint8Array(10_000).fill(0x20));
    },
  });
  return { body, taken: () => taken };
}

Deno.test("a body that is not JSON is refused with its own code", strict, async () => {
  await using app = await testApp();
  const user = await app.register();
  for (const bad of ["{", "", "nul", '{"name":"a",}', "[1", '{"a":1}{"b":2}']) {
    const expected = bad === "" ? "invalid_request" : "invalid_json";
    assertEquals(await post(app, user, bad), [400, expected]);
  }
  const notUtf8 = new Uint8Array([0x7b, 0x22, 0xff, 0x22, 0x7d]);
  assertEquals(await post(app, user, notUtf8), [400, "invalid_utf8"]);
  for (const wrong of ["null", "1", '"text"', "[]", "{}"]) {
    assertEquals(await post(app, user, wrong), [400, "invalid_request"]);
  }
});

Deno.test("a body too large is refused before parsing, announced or not", strict, async () => {
  await using app = await testApp();
  const user = await app.register();
  const fits = JSON.stringify({ name: "A", visibility: "public" }).padEnd(64 * 1024);
  assertEquals(await post(app, user, fits), [201, undefined]);
  assertEquals(await post(app, user, fits + " "), [413, "payload_too_large"]);
  assertEquals(
    await post(app, user, "{}", { ...json, "content-length": "65537" }),
    [413, "payload_too_large"],
  );
  const { body, taken } = endless();
  assertEquals(await post(app, user, body), [413, "payload_too_large"]);
  assert(taken() < 200_000, `Took ${taken()} bytes`);
});

Deno.test("a body that nobody may send is not read", strict, async () => {
  await using app = await testApp();
  const { body, taken } = endless();
  const answer = await app.request("POST", "/v1/rooms", { raw: body, headers: json });
  assertEquals(answer.status, 401);
  assert(taken() <= 10_000);
});

Deno.test("a body of another type is refused", strict, async () => {
  await using app = await testApp();
  const user = await app.register();
  const text = JSON.stringify({ name: "A", visibility: "public" });
  for (
    const type of ["text/plain", "application/xml", "application/x-www-form-urlencoded", "json", ""]
  ) {
    assertEquals(await post(app, user, text, { "content-type": type }), [
      415,
      "unsupported_media_type",
    ]);
  }
  assertEquals(
    await post(app, user, text, { ...json, "content-encoding": "gzip" }),
    [415, "unsupported_media_type"],
  );
  assertEquals(
    await post(app, user, text, { "content-type": "Application/JSON; charset=utf-8" }),
    [201, undefined],
  );
});

Deno.test("fields that are unknown, missing or of a wrong type are named", strict, async () => {
  await using app = await testApp();
  const { token } = await app.register();
  const errorsOf = async (body: unknown) => {
    const answer = await app.request("POST", "/v1/rooms", { token, body });
    assertEquals([answer.status, answer.body.code], [400, "invalid_request"]);
    return answer.body.errors.map(({ path }: { path: string }) => path).sort();
  };
  assertEquals(await errorsOf({ name: "A", visibility: "public", owner: "me" }), ["owner"]);
  assertEquals(await errorsOf({ name: "A" }), ["visibility"]);
  assertEquals(await errorsOf({ name: 7, visibility: "open" }), ["name", "visibility"]);
  assertEquals(await errorsOf({ name: "\u0000", visibility: "public" }), ["name"]);
  assertEquals(await errorsOf({ name: "\ud800", visibility: "public" }), ["name"]);
  const many = Object.fromEntries(Array.from({ length: 3000 }, (_, i) => [`k${i}`, 1]));
  const answer = await app.request("POST", "/v1/rooms", { token, body: many });
  assert(answer.body.errors.length <= 20);
  assert(answer.text.length < 8000);
  const path = { ["x".repeat(50_000)]: 1 };
  assert((await app.request("POST", "/v1/rooms", { token, body: path })).text.length < 8000);
});

Deno.test("an endpoint without fields accepts no body but {}", strict, async () => {
  await using app = await testApp();
  const { token } = await app.register();
  const room = crypto.randomUUID();
  const ask = (body?: unknown) => app.request("POST", `/v1/rooms/${room}/join`, { token, body });
  assertEquals((await ask()).status, 404);
  assertEquals((await ask({})).status, 404);
  assertEquals((await ask({ role: "owner" })).body.code, "invalid_request");
  const query = await app.request("GET", "/v1/me?admin=1", { token });
  assertEquals([query.status, query.body.errors[0].path], [400, "admin"]);
});
