import { assert, assertEquals } from "@std/assert";
import { answerCommand } from "../lib/chat/command_answers.ts";
import { liveDevice } from "../lib/chat/devices.ts";
import { type TestApp, testApp, type TestUser } from "../testing/app.ts";

const strict = { sanitizeOps: true, sanitizeResources: true, sanitizeExit: true };

/** A room of Ada's with Bob and a device in it. */
async function plant(app: TestApp) {
  const [ada, bob, eve] = await Promise.all(["ada", "bob", "eve"].map(app.register)) as [
    TestUser,
    TestUser,
    TestUser,
  ];
  const made = await app.request("POST", "/v1/rooms", {
    ...ada,
    body: { name: "Plant", visibility: "private" },
  });
  const room: string = made.body.room.id;
  const device = await app.request("POST", "/v1/devices", { ...ada, body: { name: "pump1" } });
  const pump: string = device.body.device.id;
  for (const id of [bob.user.id, pump]) {
    await app.request("PUT", `/v1/rooms/${room}/members/${id}`, { ...ada, body: {} });
  }
  return { ada, bob, eve, room, pump };
}

Deno.test(
  "members command a device, see what became of it, and take commands back",
  strict,
  async () => {
    await using app = await testApp();
    const { ada, bob, eve, room, pump } = await plant(app);
    const path = `/v1/rooms/${room}/devices/${pump}/commands`;
    const body = { clientId: "c1", name: "start", args: { speed: 3 } };
    const sent = await app.request("POST", path, { ...bob, body });
    assertEquals([sent.status, sent.body.duplicate], [201, false]);
    const { message } = sent.body;
    assertEquals(message.text, "/cmd pump1 start speed=3");
    assertEquals(message.command.status, "queued");
    assertEquals(message.clientId, "c1");
    const again = await app.request("POST", path, { ...bob, body });
    assertEquals([again.status, again.body], [200, { message, duplicate: true }]);
    const other = await app.request("POST", path, { ...bob, body: { ...body, name: "stop" } });
    assertEquals([other.status, other.body.code], [409, "client_id_reused"]);
    assertEquals((await app.request("POST", path, { ...eve, body })).status, 404);

    const { principal } = (await liveDevice(app.services.chat, pump))!;
    const { id } = message.command;
    await answerCommand(app.services.chat, principal, { commandId: id, ok: true, text: "running" });
    const second = await app.request("POST", path, {
      ...bob,
      body: { clientId: "c2", name: "stop" },
    });
    const cancel = `/v1/rooms/${room}/commands/${second.body.message.command.id}/cancel`;
    assertEquals((await app.request("POST", cancel, eve)).status, 404);
    const cancelled = await app.request("POST", cancel, ada);
    assertEquals([cancelled.status, cancelled.body.message.command.status], [200, "cancelled"]);
    assertEquals(cancelled.body.message.clientId, undefined);
    assertEquals((await app.request("POST", cancel, bob)).body.duplicate, true);
    const late = await app.request("POST", `/v1/rooms/${room}/commands/${id}/cancel`, ada);
    assertEquals([late.status, late.body.code], [409, "command_settled"]);

    const list = (query: string, who = ada) =>
      app.request("GET", `/v1/rooms/${room}/commands${query}`, who);
    const first = (await list("?limit=1")).body;
    assertEquals(first.items.map((one: { name: string }) => one.name), ["stop"]);
    const rest = (await list(`?limit=1&next=${first.next}`)).body;
    assertEquals([rest.items[0].status, rest.items[0].sender.id, rest.next], [
      "done",
      bob.user.id,
      null,
    ]);
    assertEquals((await list(`?status=done&device=${pump}`)).body.items.length, 1);
    assertEquals((await list(`?status=open`)).status, 400);
    assertEquals((await list("", eve)).status, 404);
    const entries = (await app.request("GET", `/v1/rooms/${room}/log?after=4`, bob)).body.entries;
    assertEquals(entries.map((entry: { event: { type: string } }) => entry.event.type), [
      "message.created",
      "command.updated",
      "message.created",
      "command.updated",
    ]);
  },
);

Deno.test("an owner says what a device takes, and who may send it", strict, async () => {
  await using app = await testApp();
  const { ada, bob, eve, room, pump } = await plant(app);
  const path = `/v1/devices/${pump}/commands`;
  const inRoom = `/v1/rooms/${room}/devices/${pump}/commands`;
  assertEquals((await app.request("GET", path, ada)).body, { commands: null });
  const commands = [
    { name: "start", description: "Start pumping", args: { speed: "1 to 5" } },
    { name: "reset", dangerous: true },
    { name: "flush", minRole: "owner" },
  ];
  const put = (body: unknown, who = ada) => app.request("PUT", path, { ...who, body });
  assertEquals((await put({ commands })).body, { commands });
  assertEquals((await app.request("GET", path, ada)).body, { commands });
  assertEquals((await app.request("GET", inRoom, bob)).body, { commands });
  assertEquals((await app.request("GET", inRoom, eve)).status, 404);
  assertEquals((await put({ commands }, bob)).status, 404);
  assertEquals((await app.request("GET", path, bob)).status, 404);
  let n = 0;
  const send = async (who: TestUser, body: object) => {
    const all = { clientId: `c${n++}`, ...body };
    const answer = await app.request("POST", inRoom, { ...who, body: all });
    return answer.body.code ?? answer.status;
  };
  assertEquals(await send(bob, { name: "start" }), 201);
  assertEquals(await send(bob, { name: "stop" }), "unknown_command");
  assertEquals(await send(bob, { name: "reset" }), "confirmation_required");
  assertEquals(await send(bob, { name: "reset", confirm: true }), 201);
  assertEquals(await send(bob, { name: "flush" }), "forbidden");
  assertEquals(await send(ada, { name: "flush" }), 201);
  assertEquals((await put({ commands: [] })).status, 200);
  assertEquals(await send(bob, { name: "start" }), "unknown_command");
  assertEquals((await put({ commands: null })).body, { commands: null });
  assertEquals(await send(bob, { name: "stop" }), 201);

  const refused = [
    {},
    { commands: [{ name: "Start" }] },
    { commands: [{ name: "start" }, { name: "start" }] },
    { commands: [{ name: "start", minRole: "reader" }] },
    { commands: [{ name: "start", schema: {} }] },
    { commands: Array.from({ length: 51 }, (_, i) => ({ name: `c${i}` })) },
    {
      commands: [{
        name: "start",
        args: Object.fromEntries(Array.from({ length: 21 }, (_, i) => [`a${i}`, ""])),
      }],
    },
  ];
  for (const body of refused) {
    assertEquals((await put(body)).body.code, "invalid_request", JSON.stringify(body));
  }
});

Deno.test("what is no command is refused before anything is stored", strict, async () => {
  await using app = await testApp();
  const { ada, room, pump } = await plant(app);
  const path = `/v1/rooms/${room}/devices/${pump}/commands`;
  const good = { clientId: "c", name: "start" };
  const refused = [
    { name: "start" },
    { clientId: "c" },
    { ...good, name: "" },
    { ...good, name: "-x" },
    { ...good, text: "/cmd pump1 status" },
    { ...good, name: "a".repeat(65) },
    { ...good, args: [1] },
    { ...good, args: { text: "x".repeat(4096) } },
    { ...good, args: { n: "a\0b" } },
    { ...good, timeoutSeconds: 0 },
    { ...good, timeoutSeconds: 86_401 },
    { ...good, timeoutSeconds: 1.5 },
    { ...good, confirm: false },
    { ...good, device: pump },
  ];
  for (const body of refused) {
    const answer = await app.request("POST", path, { ...ada, body });
    assertEquals(answer.body.code, "invalid_request", JSON.stringify(body));
  }
  const messages = `/v1/rooms/${room}/messages`;
  assert(!(await app.request("GET", messages, ada)).body.messages.length);
  const typed = { clientId: "typed", text: "/cmd pump1 start" };
  assertEquals((await app.request("POST", messages, { ...ada, body: typed })).status, 201);
  const { body } = await app.request("GET", `/v1/rooms/${room}/commands`, ada);
  assertEquals(body, { items: [], next: null });
});
