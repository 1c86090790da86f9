import { assert, assertEquals } from "@std/assert";
import { chatNode, chatScene, newPrincipal } from "../../testing/chat.ts";
import { range } from "../../testing/subscriber.ts";
import { createMemoryBus } from "../bus/memory.ts";
import { ConfabError } from "../errors.ts";
import { sendMessage } from "./messages.ts";
import { createRoom } from "./rooms.ts";

const strict = { sanitizeOps: true, sanitizeResources: true, sanitizeExit: true };

Deno.test("Many bytes that wait are refused as overloaded, like many sends", strict, async () => {
  await using scene = await chatScene();
  const owner = await newPrincipal(scene.db);
  const chat = await chatNode(scene.db, createMemoryBus(), { maxWaitingChars: 100_000 });
  const { id: room } = await createRoom(chat, owner, { name: "Room", visibility: "private" });
  const texts = ["x".repeat(60_000), "x".repeat(60_000), "small"];
  const send = (text: string, i: number) => sendMessage(chat, owner, room, `c${i}`, { text });
  const results = await Promise.allSettled(texts.map(send));
  // What comes after one that was refused is refused, too: the order stays.
  assertEquals(results.map(({ status }) => status), ["fulfilled", "fulfilled", "rejected"]);
  const { reason } = results[2] as PromiseRejectedResult;
  assert(reason instanceof ConfabError && reason.code === "overloaded" && reason.retryAfter! > 0);
  assertEquals((await send("small", 2)).seq, 4);
});

Deno.test(
  "A batch has so many bytes at most, and all of them are stored in order",
  strict,
  async () => {
    await using scene = await chatScene();
    const owner = await newPrincipal(scene.db);
    const batches: number[] = [];
    const chat = await chatNode(scene.db, createMemoryBus(), {
      committed: (sends) => batches.push(sends),
    });
    const { id: room } = await createRoom(chat, owner, { name: "Room", visibility: "private" });
    const text = "x".repeat(52_000);
    const sent = await Promise.all(
      range(1, 200).map((i) => sendMessage(chat, owner, room, `c${i}`, { text })),
    );
    assertEquals(sent.map(({ seq }) => seq), range(2, 201));
    assertEquals(batches, [81, 81, 38]); // 4 MiB and one send
  },
);
