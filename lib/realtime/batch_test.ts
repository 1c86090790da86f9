import { assert, assertEquals } from "@std/assert";
import type { LogEntry } from "../protocol.ts";
import { Batch } from "./batch.ts";

function said(seq: number, sender: string): LogEntry {
  const who = { id: sender, kind: "user" as const, name: sender };
  const at = "2026-01-01T00:00:00.000Z";
  const message = {
    room: "room",
    seq,
    sender: who,
    at,
    clientId: `${sender}-${seq}`,
    text: "hi",
    attachments: [],
    updatedSeq: seq,
  };
  return {
    room: "room",
    epoch: "e",
    seq,
    event: { type: "message.created", actor: who, at, message },
  };
}

const ENTRIES = [said(4, "a"), said(5, "b"), said(6, "a"), said(7, "c")];

function ids(batch: Batch): (string | undefined)[] {
  const entries = JSON.parse(`[${batch.frames}]`) as LogEntry[];
  return entries.map(({ event }) => "message" in event ? event.message.clientId : undefined);
}

Deno.test("Batch.for() shows each viewer the own clientIds alone", () => {
  const batch = new Batch(ENTRIES);
  assertEquals(ids(batch), [undefined, undefined, undefined, undefined]);
  assertEquals(ids(batch.for("a")), ["a-4", undefined, "a-6", undefined]);
  assertEquals(ids(batch.for("b")), [undefined, "b-5", undefined, undefined]);
  assertEquals(ids(batch.for("z")), [undefined, undefined, undefined, undefined]);
});

Deno.test("Batch.part() keeps whose copy it is", () => {
  const batch = new Batch(ENTRIES);
  assertEquals(ids(batch.for("a").part(4, 6)!), [undefined, "a-6"]);
  assertEquals(ids(batch.for("z").part(5)!), [undefined, undefined]);
  assertEquals(ids(batch.part(3)!), [undefined, undefined, undefined, undefined]);
  assertEquals(batch.part(7), undefined);
  assertEquals(batch.part(3, 3), undefined);
});

Deno.test("Batch encodes once for everybody, and once more for a sender", () => {
  const batch = new Batch(ENTRIES);
  assert(batch.for("x") === batch && batch.for("y") === batch);
  assert(batch.for("a") === batch.for("a"));
  assert(batch.part(3) === batch && batch.for("a").part(0, 7) === batch.for("a"));
});

Deno.test("Batch.events has the cursor of each entry", () => {
  const batch = new Batch(ENTRIES.slice(0, 2));
  const events = batch.events.split("\n\n").filter((event) => event !== "");
  assertEquals(events.map((event) => event.split("\n")[0]), ["id: e:4", "id: e:5"]);
  assertEquals(JSON.parse(events[1]!.split("\ndata: ")[1]!).seq, 5);
});
