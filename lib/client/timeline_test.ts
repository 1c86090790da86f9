import { assertEquals } from "@std/assert";
import type { Message } from "../protocol.ts";
import { Timeline } from "./timeline.ts";
import { OTHER } from "./testing/scripted_server.ts";

const strict = { sanitizeOps: true, sanitizeResources: true, sanitizeExit: true };

function message(seq: number, text = `m${seq}`, updatedSeq = seq): Message {
  const at = "2030-01-01T00:00:00.000Z";
  return { room: "r", seq, sender: OTHER, at, text, attachments: [], updatedSeq };
}

const texts = (timeline: Timeline) => timeline.messages.map(({ text }) => text);

Deno.test("Timeline keeps messages in order of seq, each once", strict, () => {
  const timeline = new Timeline();
  for (const seq of [3, 4, 4, 7]) timeline.add(message(seq));
  timeline.beginLoad().merge([1, 2, 3].map((seq) => message(seq)), true);
  assertEquals(texts(timeline), ["m1", "m2", "m3", "m4", "m7"]);
  assertEquals(timeline.hasEarlier, true);
});

Deno.test("Timeline ignores a change that is not newer than what it holds", strict, () => {
  const timeline = new Timeline();
  timeline.add(message(1, "as of 5", 5));
  assertEquals(timeline.change(4, message(1, "as of 4", 4)), false);
  assertEquals(timeline.change(5, message(1, "again 5", 5)), false);
  assertEquals(timeline.change(6, message(1, "as of 6", 6)), true);
  assertEquals(texts(timeline), ["as of 6"]);
});

Deno.test("Timeline ignores a change of a message that it does not hold", strict, () => {
  const timeline = new Timeline();
  timeline.add(message(5));
  assertEquals(timeline.change(6, message(2, "edited", 6)), false);
  assertEquals(texts(timeline), ["m5"]);
});

Deno.test("Timeline applies changes that overtook the page they belong to", strict, () => {
  const timeline = new Timeline();
  timeline.add(message(5));
  const load = timeline.beginLoad();
  timeline.change(6, message(2, "edited", 6));
  load.merge([message(1), message(2)], false);
  assertEquals(texts(timeline), ["m1", "edited", "m5"]);
});

Deno.test(
  "Timeline drops its oldest messages when it is full and says that they exist",
  strict,
  () => {
    const timeline = new Timeline(10);
    for (let seq = 1; seq <= 11; seq++) timeline.add(message(seq));
    assertEquals(texts(timeline), ["m4", "m5", "m6", "m7", "m8", "m9", "m10", "m11"]);
    assertEquals(timeline.hasEarlier, true);
  },
);
