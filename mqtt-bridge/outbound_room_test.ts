import { assert, assertEquals } from "@std/assert";
import { newId } from "../lib/ids.ts";
import type { LogEntry, LogEvent, Message } from "../lib/protocol.ts";
import { OutboundRoom } from "./outbound_room.ts";

const strict = { sanitizeOps: true, sanitizeResources: true, sanitizeExit: true };
const at = new Date(0).toISOString();
const owner = { id: newId(), kind: "user" as const, name: "Owner" };
const pump = { id: newId(), kind: "device" as const, name: "Pump" };
const room = newId();

type Rest<E> = E extends unknown ? Omit<E, "actor" | "at"> : never;

function entry(seq: number, rest: Rest<LogEvent>): LogEntry {
  return { room, epoch: "e", seq, event: { actor: owner, at, ...rest } as LogEvent };
}

const edited = (seq: number, target: number): LogEntry => {
  const message: Message = {
    ...{ room, seq: target, sender: owner, at, text: "new", attachments: [] },
    ...{ editedAt: at, updatedSeq: seq },
  };
  return entry(seq, { type: "message.edited", target, message });
};
const joined = (seq: number) =>
  entry(seq, {
    type: "member.joined",
    member: { principal: pump, role: "member", joinedSeq: seq },
  });

/** The text in what the pump is given of `entry`. */
function given(state: OutboundRoom, entry: LogEntry): string | undefined {
  const { outgoing } = state.apply(entry);
  const own = outgoing.find(({ device }) => device === pump.id)!;
  return JSON.parse(own.payload).event.message.text;
}

Deno.test("a device that was removed meanwhile gets its entries whole", strict, () => {
  const state = new OutboundRoom(room);
  state.devices = new Map();
  state.apply(joined(5)); // `joiners` was read after the removal, and does not name it
  assertEquals(given(state, edited(6, 2)), "new");
  assert(state.stale, "it may also have been disabled");
});

Deno.test("a device sees no content from before what it may see", strict, () => {
  const state = new OutboundRoom(room);
  state.devices = new Map();
  state.joiners = [{ id: pump.id, member: pump.id, visibleFrom: 5 }];
  state.apply(joined(5));
  assertEquals(given(state, edited(6, 2)), undefined);
  assertEquals(given(state, edited(7, 5)), "new");
});
