import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { createLog, type LogLevel } from "./log.ts";

const strict = { sanitizeOps: true, sanitizeResources: true, sanitizeExit: true };

function test(name: string, fn: () => void): void {
  Deno.test({ name, fn, ...strict });
}

/** What one line says, and the line itself. */
// deno-lint-ignore no-explicit-any -- parsed JSON, of which tests read what they expect
function logged(fields: Record<string, unknown>, message = "m"): { line: string; json: any } {
  const lines: string[] = [];
  createLog("debug", (line) => lines.push(line)).info(message, fields);
  assertEquals(lines.length, 1);
  return { line: lines[0]!, json: JSON.parse(lines[0]!) };
}

/** Random, so that it can only be in the line when it was printed. */
const SECRET = crypto.randomUUID();

test("log writes one line of JSON with the time, the level, the message and the fields", () => {
  const { line, json } = logged({ room: "r", count: 2n, list: [1, "a\nb"] }, "Joined");
  assertEquals(line.includes("\n"), false);
  assert(!Number.isNaN(Date.parse(json.at)));
  assertEquals([json.level, json.message, json.room], ["info", "Joined", "r"]);
  assertEquals([json.count, json.list], ["2", [1, "a\nb"]]);
});

test("log writes only lines of its level or above", () => {
  const levels: LogLevel[] = ["debug", "info", "warn", "error"];
  for (const [at, level] of ([...levels, "silent"] as LogLevel[]).entries()) {
    const lines: string[] = [];
    const log = createLog(level, (line) => lines.push(JSON.parse(line).level));
    for (const name of levels) log[name as Exclude<LogLevel, "silent">]("m");
    assertEquals(lines, levels.slice(at));
  }
});

test("log.with() puts its fields on every line, and hides the secret ones", () => {
  const lines: string[] = [];
  const log = createLog("info", (line) => lines.push(line)).with({ request: "q" })
    .with({ token: SECRET });
  log.warn("m", { room: "r" });
  const { request, token, room } = JSON.parse(lines[0]!);
  assertEquals([request, token, room], ["q", "[hidden]", "r"]);
});

for (
  const name of [
    "authorization",
    "Cookie",
    "password",
    "passwordHash",
    "clientSecret",
    "accessToken",
    "refresh_token",
    "ticket",
    "JWT_PRIVATE_JWK",
    "DEVICE_KEY",
    "deviceKey",
    "S3_ACCESS_KEY_ID",
    "privateKey",
    "credentials",
  ]
) {
  test(`log hides the field ${name}, also when it is nested`, () => {
    const value = { plain: SECRET };
    for (const fields of [{ [name]: SECRET }, { a: [{ b: { [name]: value } }] }]) {
      const { line } = logged(fields);
      assertEquals(line.includes(SECRET), false, line);
      assertStringIncludes(line, "[hidden]");
    }
  });
}

for (
  const text of [
    `postgres://confab:${SECRET}@db.example.org:5432/confab`,
    `postgres://confab:a@b/${SECRET}@db.example.org/confab`,
    `redis://:${SECRET}@db.example.org`,
    `https://db.example.org/v1/socket?ticket=${SECRET}`,
    `https://db.example.org/?a=1&access_token=${SECRET}#x`,
    `https://db.example.org/?X-Amz-Security-Token=${SECRET}&b=2`,
    `db.example.org answered to Authorization: Bearer ${SECRET}`,
    `db.example.org refused eyJhbGciOiJFZERTQSJ9.${btoa(SECRET).replaceAll("=", "")}.c2ln`,
  ]
) {
  const shown = text.replaceAll(SECRET, "…").replace(/\.[A-Za-z0-9]{40,}/, ".…");
  test(`log keeps the host and hides the secret of "${shown}" wherever it stands`, () => {
    const cause = new Error(text);
    const places: [Record<string, unknown>, string?][] = [
      [{ url: text }],
      [{ list: [{ deep: text }] }],
      [{ error: new Error(`Failed: ${text}`) }],
      [{ error: new Error("Failed", { cause }) }],
      [{ error: new AggregateError([cause], "Failed") }],
      [{}, `Failed: ${text}`],
    ];
    if (URL.canParse(text)) places.push([{ url: new URL(text) }]);
    for (const [fields, message] of places) {
      const { line } = logged(fields, message);
      assertEquals(line.includes(SECRET), false, line);
      assertEquals(line.includes(btoa(SECRET).slice(0, 20)), false, line);
      assertStringIncludes(line, "db.example.org");
    }
  });
}

test("log writes an error with its name, code, stack and cause", () => {
  const cause = Object.assign(new RangeError("inner"), { code: "ECONNRESET" });
  const { error } = logged({ error: new TypeError("outer", { cause }) }).json;
  assertEquals([error.name, error.message], ["TypeError", "outer"]);
  assertStringIncludes(error.stack, "log_test.ts");
  assertEquals([error.cause.message, error.cause.code], ["inner", "ECONNRESET"]);
});

test("log never throws: of what cannot be written as JSON, the message stays", () => {
  const cycle: Record<string, unknown> = {};
  cycle.self = cycle;
  const trap = {
    get value() {
      throw new Error(`postgres://u:${SECRET}@h/`);
    },
  };
  for (const fields of [{ cycle }, { trap }]) {
    const { line, json } = logged(fields, "Still here");
    assertEquals([json.level, json.message], ["info", "Still here"]);
    assert(json.unprintable.length > 0);
    assertEquals(line.includes(SECRET), false);
  }
});
