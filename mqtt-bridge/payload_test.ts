import { assert, assertEquals, assertMatch, assertThrows } from "@std/assert";
import { z } from "zod";
import { ConfabError, type ErrorCode } from "../lib/errors.ts";
import { claimedKey, echoOf, type PublishProperties, readMessage, refusalOf } from "./payload.ts";

const bytes = (text: string) => new TextEncoder().encode(text);
const read = (text: string, properties: PublishProperties = {}) =>
  readMessage(bytes(text), properties);

function assertRefused(payload: Uint8Array, code: ErrorCode, properties: PublishProperties = {}) {
  const error = assertThrows(() => readMessage(payload, properties), ConfabError);
  assertEquals(error.code, code);
}

Deno.test("readMessage() takes plain text as the text of the message", () => {
  for (const text of ["21.5", "hello", "true", '"quoted"', "[1,2]", "{not json", "ä\u{1F600}"]) {
    assertEquals(read(text).body, { text });
  }
});

Deno.test("readMessage() takes an object with only envelope keys as the envelope", () => {
  assertEquals(
    read('{"text":"hi","clientId":"a-1","replyTo":3,"metadata":{"k":1}}'),
    { clientId: "a-1", body: { text: "hi", replyTo: 3, metadata: { k: 1 } } },
  );
  assertEquals(read(' {"data":{"t":21.5}}').body, { data: { t: 21.5 } });
  const attachments = [{ url: "https://files.example/a.jpg", type: "image/jpeg" }];
  for (const body of [{ attachments }, { text: "snap", attachments }]) {
    assertEquals(read(JSON.stringify(body)).body, body);
  }
});

Deno.test("readMessage() takes an object with other keys, or without content, as text", () => {
  for (const text of ['{"temperature":21}', '{"text":"x","unit":"C"}', '{"clientId":"x"}', "{}"]) {
    assertEquals(read(text).body, { text });
  }
});

Deno.test("readMessage() prefers user property, then correlation data, then the envelope", () => {
  const envelope = '{"text":"x","clientId":"from-json"}';
  const correlationData = new Uint8Array([255, 254, 253]);
  assertEquals(read(envelope, { clientId: "from-user", correlationData }).clientId, "from-user");
  assertEquals(read(envelope, { correlationData }).clientId, "__79");
  assertEquals(read(envelope).clientId, "from-json");
  const empty = { correlationData: new Uint8Array() };
  assertEquals(read(envelope, empty).clientId, "from-json");
});

Deno.test("readMessage() makes a fresh id for each packet without one", () => {
  const first = read("x").clientId;
  assertMatch(first, /^[0-9a-f-]{36}$/);
  assertEquals(first === read("x").clientId, false);
});

Deno.test("readMessage() refuses what is not UTF-8, too large, empty or malformed", () => {
  assertRefused(new Uint8Array([0xff, 0xfe]), "invalid_utf8");
  assertRefused(new Uint8Array([0xed, 0xa0, 0x80]), "invalid_utf8"); // a surrogate
  assertRefused(bytes("x".repeat(16 * 1024 + 1)), "payload_too_large");
  assertRefused(bytes("ä".repeat(8 * 1024 + 1)), "payload_too_large");
  assertRefused(bytes(`{"data":"${"x".repeat(33 * 1024)}"}`), "payload_too_large");
  assertRefused(new Uint8Array(70 * 1024), "payload_too_large");
  assertRefused(new Uint8Array(), "invalid_request");
  assertRefused(bytes("a\0b"), "invalid_request");
  for (
    const json of [
      '{"text":5}',
      '{"text":""}',
      '{"data":null}',
      '{"text":"\\ud800"}',
      '{"text":"x","replyTo":"1"}',
      '{"text":"x","replyTo":0}',
      '{"text":"x","clientId":"has space"}',
      '{"text":"x","metadata":[]}',
      '{"attachments":[]}',
      '{"attachments":{}}',
      '{"text":"x","attachments":[{"url":"http://files.example/a.jpg"}]}',
    ]
  ) assertRefused(bytes(json), "invalid_request");
});

Deno.test("readMessage() refuses keys that are not client ids", () => {
  assertRefused(bytes("x"), "invalid_request", { clientId: "a b" });
  assertRefused(bytes("x"), "invalid_request", { clientId: "" });
  assertRefused(bytes("x"), "invalid_request", { correlationData: new Uint8Array(60) });
});

Deno.test("claimedKey() names the key of a refused publish where it can be known", () => {
  assertEquals(claimedKey(bytes('{"text":5,"clientId":"a"}'), {}), "a");
  assertEquals(claimedKey(bytes("x"), { clientId: "b" }), "b");
  assertEquals(claimedKey(bytes('{"clientId":5}'), {}), undefined);
  assertEquals(claimedKey(new Uint8Array([0xff]), {}), undefined);
});

Deno.test("refusalOf() does not send back what was too long", () => {
  const parsed = z.strictObject({}).safeParse({ ["k".repeat(60_000)]: 1 });
  const error = refusalOf(parsed.error!);
  assert(error.message.length < 500, `${error.message.length} characters`);
  assertMatch(error.message, /kkk/);
});

Deno.test("echoOf() gives back correlation data that leaves room for an answer", () => {
  assertEquals(echoOf({}), {});
  const short = new Uint8Array(1024);
  assertEquals(echoOf({ correlationData: short }), { correlationData: short });
  assertEquals(echoOf({ correlationData: new Uint8Array(1025) }), {});
});
