import { assertEquals } from "@std/assert";
import { eventRange } from "./event_range.ts";
import { FrameReader } from "./frame_reader.ts";

/** A frame as a server sends it: not masked. */
function frameOf(opcode: number, text: string): Uint8Array {
  const payload = new TextEncoder().encode(text);
  const { length } = payload;
  const size = length < 126
    ? [length]
    : length < 65536
    ? [126, length >> 8, length & 255]
    : [127, 0, 0, 0, 0, 0, length >> 16, (length >> 8) & 255, length & 255];
  return new Uint8Array([0x80 | opcode, ...size, ...payload]);
}

function event(seq: number): string {
  return `{"type":"event","room":"r","epoch":"e","seq":${seq},"event":{"text":"${
    "x".repeat(300)
  }","updatedSeq":${seq}}}`;
}

const TEXTS = ["", "short", "y".repeat(126), "z".repeat(70_000), `[${event(7)},${event(8)}]`];

Deno.test("FrameReader gives back what was sent, however it is cut into pieces", () => {
  const stream = TEXTS.flatMap((text) => [...frameOf(1, text)]);
  for (const size of [1, 2, 3, 100, 4096, stream.length]) {
    const found: string[] = [];
    const reader = new FrameReader((opcode, bytes) => {
      assertEquals(opcode, 1);
      found.push(new TextDecoder().decode(bytes));
    }, true);
    for (let at = 0; at < stream.length; at += size) {
      reader.push(new Uint8Array(stream.slice(at, at + size)));
    }
    assertEquals(found, TEXTS, `in pieces of ${size}`);
  }
});

Deno.test("eventRange() finds first and last seq in the ends that FrameReader keeps", () => {
  const frame = frameOf(1, `[${[41, 42, 43].map(event).join(",")}]`);
  for (const size of [1, 10, 300, frame.length]) {
    const found: unknown[] = [];
    const reader = new FrameReader((_, head, tail) => found.push(eventRange(head, tail)));
    for (let at = 0; at < frame.length; at += size) reader.push(frame.slice(at, at + size));
    assertEquals(found, [{ first: 41, last: 43 }], `in pieces of ${size}`);
  }
});

Deno.test("eventRange() sees no events where there are none", () => {
  for (const text of ['{"type":"pong"}', '{"type":"heads","rooms":{"r":5}}']) {
    const bytes = new TextEncoder().encode(text);
    assertEquals(eventRange(bytes, bytes), undefined);
  }
});
