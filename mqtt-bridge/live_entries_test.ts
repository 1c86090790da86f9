import { assertEquals } from "@std/assert";
import { newId } from "../lib/ids.ts";
import type { LogEntry } from "../lib/protocol.ts";
import { range } from "../testing/subscriber.ts";
import { LiveEntries } from "./live_entries.ts";

const [room, other] = [newId(), newId()];
const page = { epoch: "e", limit: 50 };

function entry(seq: number, { epoch = "e", text = "t", type = "message.created" } = {}): LogEntry {
  const at = new Date(0).toISOString();
  const event = { type, at, message: { text, attachments: [] }, target: 1 };
  return { room, epoch, seq, event: event as unknown as LogEntry["event"] };
}

function seqs(entries: LogEntry[]): number[] {
  return entries.map(({ seq }) => seq);
}

Deno.test("take() gives what follows on the seq, in pages, once", () => {
  const live = new LiveEntries();
  live.add(room, range(3, 7).map((seq) => entry(seq)));
  live.add(room, [entry(6), entry(8)]);
  assertEquals(live.take(room, 1, page), []);
  assertEquals(seqs(live.take(room, 2, { ...page, limit: 2 })), [3, 4]);
  assertEquals(seqs(live.take(room, 5, page)), [6, 7, 8]);
  assertEquals(live.take(room, 5, page), []);
  assertEquals(live.take(other, 0, page), []);
});

Deno.test("after a gap only what comes behind it is kept", () => {
  const live = new LiveEntries();
  live.add(room, [entry(1), entry(2), entry(4)]);
  assertEquals(live.take(room, 0, page), []);
  assertEquals(seqs(live.take(room, 3, page)), [4]);
});

Deno.test("a message that was changed before its delivery is not delivered as it was", () => {
  const live = new LiveEntries();
  live.add(room, [entry(1), entry(2), entry(3, { type: "message.deleted" }), entry(4)]);
  assertEquals(live.take(room, 0, page), []);
  assertEquals(seqs(live.take(room, 2, page)), [3, 4]);
});

Deno.test("entries of another history are forgotten", () => {
  const live = new LiveEntries();
  live.add(room, [entry(5, { epoch: "old" })]);
  assertEquals(live.take(room, 4, page), []);
  live.add(room, [entry(5, { epoch: "old" }), entry(2)]);
  assertEquals(seqs(live.take(room, 1, page)), [2]);
});

Deno.test("what is kept is bounded by its content, and freed", () => {
  const live = new LiveEntries(10_000);
  const large = (seq: number) => entry(seq, { text: "x".repeat(6000) });
  for (let round = 0; round < 3; round++) {
    live.add(room, [large(1)]);
    assertEquals(seqs(live.take(room, 0, page)), [1]);
    live.add(room, [large(1), large(2)]);
    assertEquals(live.take(room, 0, page), []);
    live.add(other, [large(1)]);
    if (round === 0) live.clear();
    else live.drop(other);
  }
});
