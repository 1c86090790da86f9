import { assertEquals } from "@std/assert";
import { testDatabase } from "../../testing/database.ts";
import { startNeonGateway } from "../../testing/gateways/neon.ts";
import { failing, testDatabaseContract } from "./contract.ts";
import { migrate } from "./migrate.ts";
import { openNeon } from "./neon.ts";

const strict = { sanitizeOps: true, sanitizeResources: true, sanitizeExit: true };

/** A port where nothing listens. */
function closedPort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}

async function open() {
  const database = await testDatabase();
  await migrate(database.db); // sets the defaults of the role, which a copy of a template lacks
  const gateway = startNeonGateway(database.url);
  const url = new URL(database.url);
  url.password = "secret";
  url.port = "";
  url.hostname = `${crypto.randomUUID()}.example`;
  const db = openNeon(url.href, { fetchEndpoint: gateway.endpoint });
  url.hostname = `${crypto.randomUUID()}.example`;
  const unreachable = openNeon(url.href, { fetchEndpoint: `http://127.0.0.1:${closedPort()}/sql` });
  return {
    db,
    unreachable,
    gateway,
    async [Symbol.asyncDispose]() {
      await db[Symbol.asyncDispose]();
      await unreachable[Symbol.asyncDispose]();
      await gateway[Symbol.asyncDispose]();
      await database[Symbol.asyncDispose]();
    },
  };
}

testDatabaseContract("openNeon()", open);

Deno.test("openNeon() sends one request a call", strict, async () => {
  await using subject = await open();
  const before = subject.gateway.requests();
  await subject.db.query("select 1");
  await subject.db.transaction([{ text: "select 1" }, { text: "select 2" }]);
  assertEquals(subject.gateway.requests() - before, 2);
});

Deno.test("openNeon() tells a gateway that took nothing from one that failed", strict, async () => {
  await using subject = await open();
  for (const status of [429, 503]) {
    subject.gateway.failWith(status);
    await failing("unavailable", () => subject.db.query("select 1"));
  }
  for (const status of [500, 502, 504]) {
    subject.gateway.failWith(status);
    await failing("unknown", () => subject.db.query("select 1"));
  }
  subject.gateway.failWith(undefined);
  assertEquals(await subject.db.query("select 1 as a"), [{ a: 1 }]);
});
