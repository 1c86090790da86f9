import { assert, assertEquals, assertThrows } from "@std/assert";
import { ConfabError } from "../lib/errors.ts";
import { readReadings } from "./telemetry_payload.ts";

const strict = { sanitizeOps: true, sanitizeResources: true, sanitizeExit: true };
const NOW = Date.parse("2026-03-01T12:00:00Z");

function read(payload: string) {
  return readReadings(new TextEncoder().encode(payload), NOW);
}

Deno.test("readReadings() takes readings of now, and such with their times", strict, () => {
  const [temp, door] = read('{"temp": 21.5, "door": "closed"}');
  assertEquals(temp, { metric: "temp", value: 21.5, at: NOW, timed: false });
  assertEquals(door!.value, "closed");
  const at = "2026-03-01T11:00:00Z";
  const [old] = read(`{"readings":[{"metric":"temp","value":1,"at":"${at}"}]}`);
  assertEquals(old, { metric: "temp", value: 1, at: Date.parse(at), timed: true });
  assertEquals(read('{"readings": 2}').map(({ metric }) => metric), ["readings"]);
});

Deno.test("readReadings() takes every name for a name", strict, () => {
  const names = ["__proto__", "constructor", "toString", "hasOwnProperty", "__defineGetter__"];
  const payload = `{${names.map((name) => `"${name}":1`).join()}}`;
  assertEquals(read(payload).map(({ metric }) => metric), names);
  assertThrows(() => read('{"__proto__":{"admin":true},"b":1}'), ConfabError, "__proto__ must be");
  assertEquals(({} as { admin?: boolean }).admin, undefined);
});

Deno.test("readReadings() says which reading is wrong, and how", strict, () => {
  const wrong: [string, string][] = [
    ['{"a":1,"b":null}', "b must be a number, true, false or a text of up to 256 characters"],
    ['{"a":1e400}', "a must be a number"],
    ['{"a b":1}', "a b must be 1 to 64 of A-Z a-z 0-9 _ . -"],
    [
      '{"readings":[{"metric":"a","value":1},{"metric":"b","value":[]}]}',
      "readings.1.value must be",
    ],
    ['{"readings":[{"metric":"a b","value":1}]}', "readings.0.metric must be 1 to 64"],
    ['{"readings":[{"metric":"a","value":1,"at":"noon"}]}', "readings.0.at "],
    [
      '{"readings":[{"metric":"a","value":1,"at":"2026-03-01T13:00:00Z"}]}',
      "readings.0.at may not",
    ],
    ['{"readings":[{"metric":"a","value":1,"at":"2026-02-01T13:00:00Z"}]}', "readings.0.at may be"],
    ['{"readings":[{"metric":"a","value":1,"time":1}]}', "time"],
    ['{"readings":[]}', "readings "],
    ['{"a":1e101}', "a is larger than"],
    ["21.5", "must be an object"],
    ["[]", "must be an object"],
    ["{}", "between 1 and 64 metrics"],
  ];
  for (const [payload, sentence] of wrong) {
    const error = assertThrows(() => read(payload), ConfabError, sentence);
    assertEquals(error.code, "invalid_request", payload);
  }
  const long = assertThrows(() => read(`{"${"x".repeat(10_000)}":1}`), ConfabError);
  assert(long.message.length < 1000, `${long.message.length} characters`);
});
