import { assertEquals, assertRejects } from "@std/assert";
import type { DeviceState, LogEntry, PublicPrincipal } from "../protocol.ts";
import { ConfabClientError } from "./errors.ts";
import type { RoomEvents } from "./room_events.ts";
import { until } from "./testing/manual_clock.ts";
import { scene } from "./testing/scene.ts";
import { refusal } from "./testing/scripted_rest.ts";
import { ME } from "./testing/scripted_server.ts";

const strict = { sanitizeOps: true, sanitizeResources: true, sanitizeExit: true };
const device: PublicPrincipal = { id: "pump", kind: "device", name: "Pump" };
const state: DeviceState = { device, desiredVersion: 0, reportedVersion: 0, delta: {} };

/** A client whose requests for devices are answered in turn; the last answer stays. */
async function plant(...answers: Response[]) {
  const sent: { method: string; path: string; body: Record<string, unknown> | undefined }[] = [];
  const all = await scene();
  all.server.rest.intercept = async (path, request) => {
    if (!path.includes("/devices")) return undefined;
    const text = await request.text();
    const body = text === "" ? undefined : JSON.parse(text);
    sent.push({ method: request.method, path: path + new URL(request.url).search, body });
    return (answers.length > 1 ? answers.shift()! : answers[0]!).clone();
  };
  return { ...all, sent, room: all.client.room("r") };
}

Deno.test("RoomDevices reads the devices of the room, page by page", strict, async () => {
  const { client, sent, room } = await plant(Response.json({ items: [state], next: null }));
  assertEquals(await room.devices.list(), { items: [state], next: null });
  await room.devices.list("more");
  await room.devices.state("pump");
  assertEquals(sent.map(({ method, path }) => `${method} ${path}`), [
    "GET /v1/rooms/r/devices",
    "GET /v1/rooms/r/devices?next=more",
    "GET /v1/rooms/r/devices/pump/state",
  ]);
  client.close();
});

Deno.test("RoomDevices repeats a wish until it is answered, as the same wish", strict, async () => {
  const done = { state, duplicate: false };
  const { client, clock, sent, room } = await plant(
    refusal(503, "outcome_unknown"),
    refusal(503, "unavailable"),
    Response.json(done),
  );
  const wish = room.devices.changeDesired("pump", { speed: 3 }, { version: 7 });
  await until(() => {
    clock.advance(100);
    return sent.length === 3;
  });
  assertEquals(await wish, done);
  assertEquals(sent.length, 3);
  const { clientId, ...body } = sent[0]!.body!;
  assertEquals([typeof clientId, body], ["string", { desired: { speed: 3 }, version: 7 }]);
  for (const one of sent) assertEquals(one, sent[0]!);
  await room.devices.setDesired("pump", {});
  assertEquals([sent[3]!.method, sent[3]!.body!.desired], ["PUT", {}]);
  client.close();
});

Deno.test("RoomDevices leaves a conflict to whoever wished", strict, async () => {
  const { client, sent, room } = await plant(refusal(409, "version_conflict"));
  const wish = () => room.devices.setDesired("pump", { speed: 3 }, { version: 1 });
  const { code } = await assertRejects(wish, ConfabClientError);
  assertEquals([code, sent.length], ["version_conflict", 1]);
  client.close();
});

Deno.test("Room tells what is wished for and what is reported", strict, async () => {
  const { client, server } = await scene();
  server.say("r", "hello");
  const room = client.room("r");
  const desired: RoomEvents["desired"][] = [];
  const reported: RoomEvents["reported"][] = [];
  room.on("desired", (one) => desired.push(one));
  room.on("reported", (one) => reported.push(one));
  await room.join();
  const entry: LogEntry = {
    room: "r",
    epoch: server.room("r").epoch,
    seq: 2,
    event: {
      type: "device.state",
      actor: ME,
      at: "2030-01-01T00:00:00.000Z",
      device,
      state: { version: 2, desired: { on: true } },
    },
  };
  server.deliver(entry);
  const report = {
    device,
    desiredVersion: 2,
    reported: { on: false },
    reportedVersion: 1,
    delta: { on: true },
  };
  server.socket.send({ type: "signal", room: "r", signal: { type: "state", ...report } });
  await until(() => desired.length + reported.length === 2);
  assertEquals([desired, reported], [[entry.event], [report]] as never);
  assertEquals(room.cursor?.seq, 2);
  client.close();
});
