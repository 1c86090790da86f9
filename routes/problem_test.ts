import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import type { ChatContext } from "../lib/chat/context.ts";
import { type Database, DatabaseError, type DatabaseFailure } from "../lib/database/mod.ts";
import { testApp } from "../testing/app.ts";
import { shownError } from "./problem.ts";

const strict = { sanitizeOps: true, sanitizeResources: true, sanitizeExit: true };

Deno.test("shownError() calls a lost outcome unknown only where something was written", () => {
  const shown = (failure: DatabaseFailure, method: string) =>
    shownError(new DatabaseError(failure, "Failed"), method).code;
  assertEquals(shown("unknown", "POST"), "outcome_unknown");
  assertEquals(shown("unknown", "DELETE"), "outcome_unknown");
  assertEquals(shown("unknown", "GET"), "unavailable");
  assertEquals(shown("unknown", "HEAD"), "unavailable");
  assertEquals(shown("unavailable", "POST"), "unavailable");
  assertEquals(shown("busy", "POST"), "unavailable");
  assertEquals(shown("rejected", "POST"), "internal");
  assertEquals(shownError(new TypeError("x"), "GET").code, "internal");
});

/** A chat whose database fails in this way. */
function failing(chat: ChatContext, error: () => Error): ChatContext {
  const db: Database = {
    query: () => Promise.reject(error()),
    transaction: () => Promise.reject(error()),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
  return { ...chat, db };
}

Deno.test(
  "a failing database is a problem with a code, logged with its cause",
  strict,
  async () => {
    await using app = await testApp();
    const { token } = await app.register();
    const { chat } = app.context;
    app.context.chat = failing(
      chat,
      () => new DatabaseError("unknown", "The link broke at s3:5432"),
    );
    const body = { name: "A", visibility: "public" };
    const write = await app.request("POST", "/v1/rooms", { token, body });
    assertEquals([write.status, write.body.code], [503, "outcome_unknown"]);
    assertEquals(write.headers.get("retry-after"), "1");
    const read = await app.request("GET", "/v1/rooms", { token });
    assertEquals([read.status, read.body.code], [503, "unavailable"]);
    assert(!write.text.includes("s3:5432") && !read.text.includes("s3:5432"));
    assertStringIncludes(app.lines.join("\n"), "The link broke at s3:5432");
    assertStringIncludes(app.lines.join("\n"), read.body.requestId);
  },
);

Deno.test("what nobody foresaw leaves as internal, without its text", strict, async () => {
  await using app = await testApp();
  const { token } = await app.register();
  app.context.chat = failing(app.context.chat, () => new TypeError("Secret internals"));
  const answer = await app.request("GET", "/v1/rooms", { token });
  assertEquals([answer.status, answer.body.code], [500, "internal"]);
  assert(!answer.text.includes("Secret internals"));
  const line = app.lines.map((text) => JSON.parse(text)).find(({ level }) => level === "error");
  assertEquals([line.requestId, line.error.message], [answer.body.requestId, "Secret internals"]);
});
