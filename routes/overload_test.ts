import { assert, assertEquals } from "@std/assert";
import { testApp } from "../testing/app.ts";
import { Appender } from "../lib/chat/appender.ts";

const strict = { sanitizeOps: true, sanitizeResources: true, sanitizeExit: true };

Deno.test(
  "a send beyond the bound of the queue is refused with the time to wait",
  strict,
  async () => {
    await using app = await testApp();
    const { db, bus, epoch, chat } = app.services;
    const { token } = await app.register();
    const made = await app.request("POST", "/v1/rooms", {
      token,
      body: { name: "Room", visibility: "private" },
    });
    const path = `/v1/rooms/${made.body.room.id}/messages`;
    const body = { clientId: "c1", text: "hi" };
    const { appender } = chat;
    chat.appender = new Appender(db, bus, { epoch: () => epoch.value, maxWaiting: 0 });
    const refused = await app.request("POST", path, { token, body });
    assertEquals([refused.status, refused.body.code], [503, "overloaded"]);
    assert(refused.body.retryAfter > 0);
    assertEquals(refused.headers.get("retry-after"), `${Math.ceil(refused.body.retryAfter)}`);
    chat.appender = appender;
    const stored = await app.request("POST", path, { token, body });
    assertEquals([stored.status, stored.body.duplicate], [201, false]);
  },
);

Deno.test("while memory is short, less waits for slow readers", strict, async () => {
  await using usual = await testApp();
  assertEquals(usual.node.connections.outboxBytes, 1_048_576);
  // Less than any process that runs this has.
  await using short = await testApp({ LIMIT_RSS_BYTES: "67108864" });
  assertEquals(short.node.connections.outboxBytes, 65_536);
});
