import { assertEquals } from "@std/assert";
import type { MemberPresence, RoomPresence } from "../protocol.ts";
import { applyPresence, type PresenceChange, PresenceReader } from "./presence.ts";
import { until } from "./testing/manual_clock.ts";
import { scene } from "./testing/scene.ts";

const strict = { sanitizeOps: true, sanitizeResources: true, sanitizeExit: true };

const is = (principal: string, state: MemberPresence["state"]) => ({ principal, state });
const known = (...items: MemberPresence[]): RoomPresence => ({ state: "known", items });
const change = (...changes: MemberPresence[]): PresenceChange => ({ state: "known", changes });

Deno.test("applyPresence() changes those who are named and keeps the others", strict, () => {
  const before = known(is("a", "online"), is("b", "offline"));
  const after = applyPresence(before, change(is("b", "online"), is("c", "offline")));
  assertEquals(after, known(is("a", "online"), is("b", "online"), is("c", "offline")));
  assertEquals(before.items[1], is("b", "offline"), "what was there before stays as it was");
});

Deno.test("applyPresence() forgets everybody when presence is not known", strict, () => {
  for (const state of ["unknown", "off"] as const) {
    const after = applyPresence(known(is("a", "online")), { state, changes: [] });
    assertEquals(after, { state, items: [] });
    assertEquals(applyPresence(after, change(is("b", "online"))), known(is("b", "online")));
  }
});

Deno.test(
  "PresenceReader believes what is signalled while the answer travels",
  strict,
  async () => {
    const answer = Promise.withResolvers<RoomPresence>();
    const reader = new PresenceReader(() => answer.promise);
    reader.receive(change(is("a", "offline"))); // before the question: the answer knows better
    const read = reader.read();
    reader.receive(change(is("b", "offline")));
    answer.resolve(known(is("a", "online"), is("b", "online")));
    assertEquals(await read, known(is("a", "online"), is("b", "offline")));
  },
);

Deno.test("Room reads who is online, and tells what changes", strict, async () => {
  const { client, server } = await scene();
  server.say("r", "hello");
  server.rest.intercept = (path) =>
    path === "/v1/rooms/r/presence" ? Response.json(known(is("a", "online"))) : undefined;
  const room = client.room("r");
  const changes: PresenceChange[] = [];
  room.on("presence", (one) => changes.push(one));
  await room.join();
  assertEquals(await room.presence(), known(is("a", "online")));
  server.socket.send({
    type: "signal",
    room: "r",
    signal: { type: "presence", ...change(is("a", "offline")) },
  });
  await until(() => changes.length === 1);
  assertEquals(changes, [change(is("a", "offline"))]);
  client.close();
});
