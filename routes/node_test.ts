import { assertEquals, assertRejects } from "@std/assert";
import { authenticate } from "../lib/auth/mod.ts";
import { ConfabError } from "../lib/errors.ts";
import { createLog } from "../lib/log.ts";
import { openServices } from "../lib/services.ts";
import { revokeSession } from "../lib/store/sessions.ts";
import { testApp } from "../testing/app.ts";

const strict = { sanitizeOps: true, sanitizeResources: true, sanitizeExit: true };

Deno.test("revocations that the bus did not tell", strict, async (t) => {
  await using app = await testApp();
  const { request, register, services, node } = app;
  const step = (name: string, fn: () => Promise<void>) => t.step({ name, fn, ...strict });

  await step("a node that starts refuses tokens of sessions that ended before", async () => {
    const { token } = await register();
    assertEquals((await request("POST", "/v1/auth/logout", { token })).status, 204);
    await using restarted = await openServices(services.config, { log: createLog("silent") });
    const error = await assertRejects(() => authenticate(restarted.auth, token), ConfabError);
    assertEquals(error.code, "session_revoked");
  });

  await step("a beacon teaches a node without connections", async () => {
    const { token, user } = await register();
    const sessions = await request("GET", "/v1/auth/sessions", { token });
    await revokeSession(services.db, sessions.body.items[0].id, user.id);
    assertEquals(node.connections.size, 0);
    await node.beacon.now();
    const refused = await request("GET", "/v1/rooms", { token });
    assertEquals([refused.status, refused.body.code], [401, "session_revoked"]);
  });
});
