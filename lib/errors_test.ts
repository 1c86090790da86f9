import { assert, assertEquals, assertMatch } from "@std/assert";
import { CLOSE, ConfabError, type ErrorCode, ERRORS, isErrorCode } from "./errors.ts";

const strict = { sanitizeOps: true, sanitizeResources: true, sanitizeExit: true };

function test(name: string, fn: () => void): void {
  Deno.test({ name, fn, ...strict });
}

const codes = Object.keys(ERRORS) as ErrorCode[];

test("every public error has a code in snake case, an HTTP error status and a sentence", () => {
  for (const code of codes) {
    const { status, title } = ERRORS[code];
    assertMatch(code, /^[a-z][a-z0-9]*(_[a-z0-9]+)*$/);
    assert(status >= 400 && status <= 599, code);
    assertMatch(title, /^[A-Z].*[^.]$/);
  }
});

test("what asks to come back later says after how many seconds", () => {
  for (const code of codes) {
    const { retryAfter } = new ConfabError(code);
    const waits = [429, 503].includes(ERRORS[code].status) || code === "claim_pending";
    assertEquals(retryAfter !== undefined && retryAfter > 0, waits, code);
  }
});

test("ConfabError takes status, sentence and wait from the table unless told otherwise", () => {
  const plain = new ConfabError("rate_limited");
  assertEquals([plain.code, plain.status, plain.retryAfter], ["rate_limited", 429, 1]);
  assertEquals(plain.message, ERRORS.rate_limited.title);
  assertEquals("cause" in plain, false);
  const cause = new Error("inner");
  const errors = [{ path: "text", message: "is missing" }];
  const told = new ConfabError("rate_limited", "Slowly", { cause, retryAfter: 7, errors });
  assertEquals([told.message, told.retryAfter, told.errors], ["Slowly", 7, errors]);
  assertEquals(told.cause, cause);
});

test("isErrorCode() knows the table and nothing that objects inherit", () => {
  for (const code of codes) assert(isErrorCode(code));
  for (const other of ["", "toString", "__proto__", "constructor", 404, null, undefined]) {
    assertEquals(isErrorCode(other), false);
  }
});

test("close codes say by their range whether to come back", () => {
  const back = ["slow_consumer", "too_many_requests", "restarting", "overloaded"];
  const seen = new Set<number>();
  for (const [name, { code, reason }] of Object.entries(CLOSE)) {
    assert(code >= 4000 && code <= 4999, name);
    assertEquals(code < 4500, back.includes(name), name);
    // RFC 6455 section 5.5: a control frame holds 125 bytes, two of which are the code
    assert(new TextEncoder().encode(reason).length <= 123, name);
    seen.add(code);
  }
  assertEquals(seen.size, Object.keys(CLOSE).length);
});
