import { assertEquals } from "@std/assert";
import { eventRange } from "./event_range.ts";

const strict = { sanitizeOps: true, sanitizeResources: true, sanitizeExit: true };
const event = (seq: number) => `{"type":"event","seq":${seq},"event":{"updatedSeq":${seq}}}`;
const SIGNAL = '{"type":"signal","signal":{"type":"presence","state":"off","changes":[]}}';

function rangeOf(frame: string) {
  const bytes = new TextEncoder().encode(frame);
  return eventRange(bytes, bytes);
}

Deno.test("eventRange() counts events whatever else is in the frame", strict, () => {
  const events = `${event(7)},${event(8)},${event(9)}`;
  for (const frame of [events, `${SIGNAL},${events}`, `${events},${SIGNAL}`]) {
    assertEquals(rangeOf(`[${frame}]`), { first: 7, last: 9 });
  }
  assertEquals(rangeOf(event(12)), { first: 12, last: 12 });
  assertEquals(rangeOf(SIGNAL), undefined);
});
