import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { z } from "zod";
import { type TestApp, testApp, type TestRequest, type TestUser } from "../testing/app.ts";
import { arbitraryOf, naughtyString, nearly, wildJson } from "../testing/schema_arbitrary.ts";
import { type Definition, takesBody } from "./endpoint.ts";
import type { JsonSchema } from "./json_schemas.ts";

/** More of them: `FUZZ_RUNS=5000 deno task test routes/fuzz_test.ts`. */
const RUNS = Number(Deno.env.get("FUZZ_RUNS") ?? 300);
/** These end what the test works with, and have tests of their own. */
const LEFT_OUT = new Set(["deleteMe", "logout", "openSocket", "streamRoom"]);

/** Somebody who only has things: a private room and a device in which everything holds `planted`. */
interface Stranger extends TestUser {
  planted: string;
  room: string;
  device: string;
}

/** What requests may name. */
interface Ids {
  rooms: string[];
  people: string[];
  devices: string[];
}

function allOf({ rooms, people, devices }: Ids): string[] {
  return [...rooms, ...people, ...devices];
}

interface Sent {
  endpoint: Definition;
  method: string;
  path: string;
  as: "ada" | "eve" | "nobody";
  request: TestRequest;
}

async function strangerOf(app: TestApp, name: string): Promise<Stranger> {
  const user = await app.register(name);
  const planted = `planted-${crypto.randomUUID()}`;
  const body = { name: planted, visibility: "private", topic: planted, metadata: { planted } };
  const { id: room } = (await app.request("POST", "/v1/rooms", { ...user, body })).body.room;
  for (let i = 0; i < 3; i++) {
    const body = { clientId: `${planted}-${i}`, text: planted, data: { planted } };
    await app.request("POST", `/v1/rooms/${room}/messages`, { ...user, body });
  }
  const lamp = { ...user, body: { name: planted } };
  const device = (await app.request("POST", "/v1/devices", lamp)).body.device.id;
  await app.request("PUT", `/v1/rooms/${room}/members/${device}`, { ...user, body: {} });
  return { ...user, planted, room, device };
}

function schemaOf(schema: z.ZodType | undefined, io: "input" | "output"): JsonSchema {
  return schema === undefined
    ? { type: "object", properties: {} }
    : z.toJSONSchema(schema, { io, unrepresentable: "any" });
}

/** A part of a URL: percent-encoded, or raw where it is already an escape that may be broken. */
function urlPart(text: string): string {
  return /^%[0-9a-f.]*$/i.test(text) ? text : encodeURIComponent(text.toWellFormed());
}

function pathOf({ path }: Definition, ids: Ids): fc.Arbitrary<string> {
  const names = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name!);
  const things = path.includes("/devices/") ? ids.devices : ids.people;
  const value = (name: string) =>
    fc.oneof(
      {
        weight: 8,
        arbitrary: name === "seq"
          ? fc.nat(9).map(String)
          : fc.constantFrom(...name === "room" ? ids.rooms : things),
      },
      { weight: 1, arbitrary: fc.constantFrom(...allOf(ids)) },
      { weight: 1, arbitrary: naughtyString().map((text) => text.slice(0, 300)) },
    );
  return fc.tuple(...names.map(value)).map((values) =>
    names.reduce((shown, name, i) => shown.replace(`{${name}}`, () => urlPart(values[i]!)), path)
  );
}

function queryOf(endpoint: Definition, ids: Ids): fc.Arbitrary<string> {
  const valid = arbitraryOf(schemaOf(endpoint.query, "output"), allOf(ids));
  const pair = fc.tuple(
    fc.oneof(fc.constantFrom("limit", "next", "q", "after", "before"), naughtyString()),
    naughtyString(),
  );
  const show = (pairs: [string, unknown][]) =>
    pairs.map(([name, value]) => `${urlPart(name)}=${urlPart(String(value).slice(0, 2000))}`)
      .join("&");
  return fc.oneof(
    { weight: 4, arbitrary: valid.map((value) => show(Object.entries(value as object))) },
    { weight: 1, arbitrary: fc.array(pair, { maxLength: 3 }).map(show) },
  );
}

function bodyOf(endpoint: Definition, ids: Ids): fc.Arbitrary<TestRequest> {
  if (!takesBody(endpoint)) return fc.constant({});
  const valid = arbitraryOf(schemaOf(endpoint.body, "input"), allOf(ids));
  const type = fc.constantFrom(
    "application/json",
    "application/x-www-form-urlencoded",
    "text/plain",
    "application/json; charset=latin1",
  );
  const raw = fc.tuple(fc.oneof(naughtyString(), fc.json()), type)
    .map(([text, type]) => ({ raw: text.toWellFormed(), headers: { "content-type": type } }));
  return fc.oneof(
    { weight: 5, arbitrary: valid.map((body) => ({ body })) },
    { weight: 4, arbitrary: nearly(valid).map((body) => ({ body })) },
    { weight: 1, arbitrary: wildJson().map((body) => ({ body })) },
    { weight: 1, arbitrary: raw },
  );
}

function requestsTo(endpoint: Definition, ids: Ids): fc.Arbitrary<Sent> {
  return fc.record({
    endpoint: fc.constant(endpoint),
    method: fc.constant(endpoint.method),
    path: fc.tuple(pathOf(endpoint, ids), queryOf(endpoint, ids))
      .map(([path, query]) => query === "" ? path : `${path}?${query}`),
    as: fc.oneof({ weight: 9, arbitrary: fc.constantFrom("ada" as const, "eve" as const) }, {
      weight: 1,
      arbitrary: fc.constant("nobody" as const),
    }),
    request: bodyOf(endpoint, ids),
  });
}

Deno.test("no request makes the server fail or say what is not the caller's", {
  sanitizeOps: true,
  sanitizeResources: true,
  sanitizeExit: true,
}, async () => {
  await using app = await testApp();
  const strangers = [await strangerOf(app, "sam"), await strangerOf(app, "tim")];
  const callers = { ada: await app.register("ada"), eve: await app.register("eve") };
  const ids: Ids = {
    rooms: strangers.map(({ room }) => room),
    people: strangers.map(({ user }) => user.id),
    devices: strangers.map(({ device }) => device),
  };
  for (const caller of Object.values(callers)) await addThings(app, caller, ids);
  const targets = app.endpoints.filter(({ name }) => !LEFT_OUT.has(name));
  const statuses = new Map<string, Set<number>>();
  const sequences = fc.array(
    fc.oneof(...targets.map((endpoint) => requestsTo(endpoint, ids))),
    { minLength: 1, maxLength: 8 },
  );
  await fc.assert(
    fc.asyncProperty(sequences, async (sequence) => {
      for (const { endpoint, method, path, as, request } of sequence) {
        const token = as === "nobody" ? undefined : callers[as].token;
        const answer = await app.request(method, path, { ...request, token });
        const what = `${as}: ${method} ${path} → ${answer.status} ${answer.text.slice(0, 300)}`;
        assert(answer.status < 500, what);
        for (const { planted } of strangers) {
          assert(!answer.text.includes(planted), `${what}\nholds what is a stranger's`);
        }
        const seen = statuses.get(endpoint.name) ?? new Set();
        statuses.set(endpoint.name, seen.add(answer.status));
      }
    }),
    { numRuns: RUNS },
  );
  const unused = targets.map(({ name }) => name).filter((name) =>
    ![...statuses.get(name) ?? []].some((status) => status < 300)
  );
  assert(unused.length < targets.length / 2, `Never used rightly: ${unused.join(", ")}`);
  for (const { token, room } of strangers) {
    const { body } = await app.request("GET", `/v1/rooms/${room}`, { token });
    assertEquals(body.room.head, 5, "Nobody wrote into a stranger's room");
  }
});

/** Gives somebody who acts a public and a private room with messages and a device. */
async function addThings(app: TestApp, user: TestUser, ids: Ids): Promise<void> {
  ids.people.push(user.user.id);
  for (const visibility of ["public", "private"]) {
    const body = { name: visibility, visibility };
    const { id } = (await app.request("POST", "/v1/rooms", { ...user, body })).body.room;
    for (let i = 0; i < 3; i++) {
      const body = { clientId: `first-${i}`, text: "Hello" };
      await app.request("POST", `/v1/rooms/${id}/messages`, { ...user, body });
    }
    ids.rooms.push(id);
  }
  const lamp = { ...user, body: { name: "Lamp" } };
  ids.devices.push((await app.request("POST", "/v1/devices", lamp)).body.device.id);
}
