import { assertEquals } from "@std/assert";
import type { LogEntry } from "../../lib/protocol.ts";
import { Recorder } from "../recorder.ts";
import { DeviceRoom } from "./device_room.ts";

const strict = { sanitizeOps: true, sanitizeResources: true, sanitizeExit: true };
const ME = "device";

function entry(seq: number, epoch = "one"): LogEntry {
  const person = { id: "person", kind: "user", name: "Person" } as const;
  const message = {
    room: "room",
    seq,
    sender: person,
    at: "2026-01-01T00:00:00.000Z",
    attachments: [],
    updatedSeq: seq,
  };
  return {
    room: "room",
    epoch,
    seq,
    event: { type: "message.created", actor: person, at: message.at, message },
  };
}

function scene() {
  let now = 0;
  const recorder = new Recorder(1, () => now);
  const room = new DeviceRoom(recorder, ME, "device-mqtt", "room");
  const pass = (ms: number) => now += ms;
  return { room, recorder, pass };
}

Deno.test(
  "a device that sees a gap asks for it, and has everything with the answer",
  strict,
  () => {
    const { room, recorder } = scene();
    for (const seq of [1, 2, 5, 6]) room.live(entry(seq), "broker");
    assertEquals(room.have, 2);
    const request = room.request("r1")!;
    assertEquals([request.after, request.epoch], [2, "one"]);
    assertEquals(room.request("r2"), undefined, "one request at a time");
    const entries = [entry(3), entry(4)];
    const answer = { room: "room", epoch: "one", head: 6, entries, hasMore: false };
    assertEquals(room.answer({ requestId: "another", ...answer }, "broker"), false);
    assertEquals(room.answer({ requestId: "r1", ...answer }, "broker"), true);
    assertEquals(room.have, 6);
    const [record] = recorder.deliveries;
    assertEquals(
      record!.entries.map(({ entry: { seq }, live }) => [seq, live]),
      [[1, true], [2, true], [5, true], [6, true], [3, false], [4, false]],
    );
  },
);

Deno.test(
  "a device asks for what only the head shows, and again when no answer comes",
  strict,
  () => {
    const { room, pass } = scene();
    room.live(entry(1), "broker");
    room.head({ epoch: "one", seq: 2 });
    assertEquals(room.request("r1"), undefined, "it may be on its way");
    pass(1500);
    assertEquals(room.request("r1")!.after, 1);
    pass(1500);
    assertEquals(room.request("r2"), undefined);
    pass(2000);
    assertEquals(room.request("r2")!.requestId, "r2");
  },
);

Deno.test("another epoch makes a device ask for everything", strict, () => {
  const { room } = scene();
  for (const seq of [1, 2, 3]) room.live(entry(seq), "broker");
  room.live(entry(2, "two"), "broker");
  assertEquals(room.have, 0);
  assertEquals(room.request("r1")!.after, 0);
});
