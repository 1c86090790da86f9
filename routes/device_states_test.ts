import { assert, assertEquals } from "@std/assert";
import { reportState, signalStates } from "../lib/chat/device_states.ts";
import { type TestApp, testApp, type TestUser } from "../testing/app.ts";
import { newDevice } from "../testing/chat.ts";
import { testWith } from "../testing/services.ts";
import { serverService, startTestServer } from "../testing/test_server.ts";

const strict = { sanitizeOps: true, sanitizeResources: true, sanitizeExit: true };

/** A room of `owner` with a device in it. */
async function plantOf(app: TestApp, owner: TestUser) {
  const room = { name: "Plant", visibility: "private" };
  const { id } = (await app.request("POST", "/v1/rooms", { ...owner, body: room })).body.room;
  const made = await app.request("POST", "/v1/devices", { ...owner, body: { name: "Pump" } });
  const device: string = made.body.device.id;
  await app.request("PUT", `/v1/rooms/${id}/members/${device}`, { ...owner, body: {} });
  const devices = `/v1/rooms/${id}/devices`;
  return { room: id as string, device, devices, state: `${devices}/${device}/state` };
}

Deno.test("a desired state is set, changed in parts, and read", strict, async () => {
  await using app = await testApp();
  const ada = await app.register("ada");
  const { room, device, devices, state } = await plantOf(app, ada);
  const ask = async (method: string, body?: unknown) => {
    const answer = await app.request(method, state, body === undefined ? ada : { ...ada, body });
    assertEquals(answer.status, 200, answer.text);
    return answer.body;
  };
  const empty = await ask("GET");
  assertEquals([empty.device.name, empty.desiredVersion, empty.delta], ["Pump", 0, {}]);
  const set = await ask("PUT", { desired: { speed: 3, limits: { low: 1 } }, version: 0 });
  assertEquals([set.duplicate, set.state.desiredBy.id], [false, ada.user.id]);
  const version = set.state.desiredVersion;
  const changed = await ask("PATCH", { desired: { limits: { high: 9 } }, version, clientId: "c" });
  assertEquals(changed.state.desired, { speed: 3, limits: { low: 1, high: 9 } });
  assertEquals((await ask("PATCH", { desired: { limits: { high: 9 } } })).duplicate, true);
  await reportState(app.services.chat, device, room, { speed: 3 });
  const now = await ask("GET");
  assertEquals([now.reported, now.delta], [{ speed: 3 }, { limits: { low: 1, high: 9 } }]);
  const { body: list } = await app.request("GET", devices, ada);
  assertEquals(list, { items: [now], next: null });
});

Deno.test("a wish for another version than the present one is refused", strict, async () => {
  await using app = await testApp();
  const ada = await app.register("ada");
  const { state } = await plantOf(app, ada);
  const first = await app.request("PUT", state, { ...ada, body: { desired: { a: 1 } } });
  const version = first.body.state.desiredVersion;
  for (const method of ["PUT", "PATCH"]) {
    const late = { ...ada, body: { desired: { a: 2 }, version: version - 1 } };
    const { status, body } = await app.request(method, state, late);
    assertEquals([status, body.code], [409, "version_conflict"]);
    assert(body.detail.includes(String(version)), body.detail);
  }
});

Deno.test("what is no state, no device or not one's own is refused by name", strict, async () => {
  await using app = await testApp();
  const [ada, eve] = [await app.register("ada"), await app.register("eve")];
  const { room, devices, state } = await plantOf(app, ada);
  const put = (body: unknown, path = state, user: TestUser = ada) =>
    app.request("PUT", path, { ...user, body });
  const deep = JSON.parse(`${'{"a":'.repeat(40)}1${"}".repeat(40)}`);
  for (
    const body of [
      {},
      { desired: null },
      { desired: [1] },
      { desired: "on" },
      { desired: deep },
      { desired: { a: "x".repeat(9000) } },
      { desired: { a: "\0" } },
      { desired: {}, version: -1 },
      { desired: {}, version: "1" },
      { desired: {}, force: true },
    ]
  ) {
    const { status, body: problem } = await put(body);
    assertEquals([status, problem.code], [400, "invalid_request"], JSON.stringify(body));
  }
  const wish = { desired: { a: 1 } };
  const member = `${devices}/${ada.user.id}/state`;
  assertEquals((await put(wish, member)).status, 404);
  assertEquals((await put(wish, `${devices}/x/state`)).status, 404);
  assertEquals((await put(wish, state, eve)).status, 404);
  assertEquals((await app.request("GET", state, eve)).status, 404);
  assertEquals((await app.request("GET", devices, eve)).status, 404);
  assertEquals((await app.request("GET", devices)).status, 401);
  assertEquals((await app.request("GET", `${devices}?limit=51`, ada)).status, 400);
  const reader = { ...ada, body: { role: "reader" } };
  await app.request("PUT", `/v1/rooms/${room}/members/${eve.user.id}`, reader);
  assertEquals((await app.request("GET", state, eve)).status, 200);
  assertEquals((await put(wish, state, eve)).body.code, "read_only");
});

Deno.test("the devices of a room come in pages", strict, async () => {
  await using app = await testApp();
  const ada = await app.register("ada");
  const { room, device, devices } = await plantOf(app, ada);
  const made = await app.request("POST", "/v1/devices", { ...ada, body: { name: "Valve" } });
  const other: string = made.body.device.id;
  await app.request("PUT", `/v1/rooms/${room}/members/${other}`, { ...ada, body: {} });
  const first = (await app.request("GET", `${devices}?limit=1`, ada)).body;
  const second = (await app.request("GET", `${devices}?limit=1&next=${first.next}`, ada)).body;
  const ids = [...first.items, ...second.items].map((one) => one.device.id);
  assertEquals([ids, second.next], [[device, other].sort(), null]);
});

testWith(serverService, "a socket hears what is wished for and what is reported", async () => {
  await using server = await startTestServer();
  const { api, services: { chat } } = server;
  const ada = await api.register("ada");
  const room = await api.room(ada);
  const { token } = ada;
  const owner = { id: ada.id, kind: "user", role: "user", name: ada.name } as const;
  const { id: device } = await newDevice(chat.db, owner);
  await api.request("PUT", `/v1/rooms/${room}/members/${device}`, { token, body: {} });
  await using socket = await server.connect(ada);
  await socket.ok({ type: "join", room });
  const path = `/v1/rooms/${room}/devices/${device}/state`;
  const wish = await api.request("PUT", path, { token, body: { desired: { on: true } } });
  const { desiredVersion } = wish.body.state;
  await socket.reach(room, desiredVersion);
  const entry = socket.entries(room).at(-1)!;
  assert(entry.event.type === "device.state");
  assertEquals(entry.event.state, { version: desiredVersion, desired: { on: true } });
  const states = () =>
    socket.frames.flatMap((frame) =>
      frame.type === "signal" && frame.signal.type === "state" ? [frame.signal] : []
    );
  await socket.wait("what is to do", () => states().length === 1);
  await reportState(chat, device, room, { on: true });
  await signalStates(chat, [{ room, device }]);
  await socket.wait("the report", () => states().length === 2);
  const [first, second] = states();
  assertEquals([first!.desiredVersion, first!.delta], [desiredVersion, { on: true }]);
  assertEquals([second!.reported, second!.delta], [{ on: true }, {}]);
});

Deno.test(
  "who only looks into a public room reads states, but not what its devices take",
  strict,
  async () => {
    await using app = await testApp();
    const [ada, eve] = [await app.register("ada"), await app.register("eve")];
    const made = await app.request("POST", "/v1/devices", { ...ada, body: { name: "Pump" } });
    const body = { name: "R", visibility: "public" };
    const { id: room } = (await app.request("POST", "/v1/rooms", { ...ada, body })).body.room;
    const { id } = made.body.device;
    await app.request("PUT", `/v1/rooms/${room}/members/${id}`, { ...ada, body: {} });
    const codes = ["", `/${id}/telemetry`, `/${id}/rules`, `/${id}/commands`].map(async (path) =>
      (await app.request("GET", `/v1/rooms/${room}/devices${path}`, eve)).body.code ?? "ok"
    );
    assertEquals(await Promise.all(codes), ["ok", ...Array(3).fill("not_a_member")]);
  },
);
