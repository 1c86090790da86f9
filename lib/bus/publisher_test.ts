import { assert, assertEquals } from "@std/assert";
import type { Redis } from "../redis/mod.ts";
import { utf8Length } from "../schemas.ts";
import { decodePayload } from "./payload.ts";
import { Publisher } from "./publisher.ts";

const strict = { sanitizeOps: true, sanitizeResources: true, sanitizeExit: true };

Deno.test("large signals do not make a payload too large for the others", strict, async () => {
  const maxPayloadBytes = 10_000;
  const sent: string[] = [];
  const redis = {
    publish: (_channel: string, text: string) => {
      sent.push(text);
      return Promise.resolve();
    },
  } as unknown as Redis;
  const stats = { published: 0, failed: 0, received: 0, announced: 0, dropped: 0, garbage: 0 };
  const publisher = new Publisher({
    redis,
    channel: "c",
    node: "n",
    stats,
    signal: new AbortController().signal,
    maxPayloadBytes,
    maxBacklogBytes: 1_000_000,
    link: () => {},
  });
  const device = { id: "d", kind: "device", name: "d".repeat(1000) } as const;
  const fields = { device, desiredVersion: 0, reportedVersion: 1, delta: {} };
  const event = { type: "room.updated" } as never;
  for (let i = 1; i <= 5; i++) {
    publisher.entry({ room: "r", epoch: "e".repeat(3000), seq: i, event });
  }
  for (let i = 0; i < 20; i++) publisher.signal("r", { type: "state", ...fields });
  await publisher.drained();
  const payloads = sent.map((text) => decodePayload(text)!);
  assertEquals(payloads.flatMap(({ entries }) => entries.map(({ seq }) => seq)), [1, 2, 3, 4, 5]);
  const signals = payloads.flatMap(({ signals }) => signals).length;
  assertEquals([signals > 5, signals + stats.dropped], [true, 20]);
  const most = Math.max(...sent.map(utf8Length));
  assert(most <= maxPayloadBytes + 100, `${most} bytes`);
  publisher.signal("r", { type: "state", ...fields });
  await publisher.drained();
  assertEquals(decodePayload(sent.at(-1)!)!.signals.length, 1, "there is room again");
});
