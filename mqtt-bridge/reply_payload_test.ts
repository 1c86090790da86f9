import { assertEquals, assertThrows } from "@std/assert";
import { ConfabError } from "../lib/errors.ts";
import { newId } from "../lib/ids.ts";
import { SIZES } from "../lib/protocol.ts";
import { readReply, replyKey } from "./reply_payload.ts";

const encode = (text: string) => new TextEncoder().encode(text);
const commandId = newId();
const correlated = { correlationData: encode(commandId) };

Deno.test("a reply is the documented object", () => {
  const read = (value: unknown) => readReply(encode(JSON.stringify(value)), {});
  assertEquals(read({ commandId }), { commandId, ok: true });
  const full = { commandId, ok: false, text: "jammed", data: { at: 3 } };
  assertEquals(read(full), full);
  const other = newId();
  assertEquals(
    readReply(encode(JSON.stringify({ commandId: other })), correlated),
    { commandId: other, ok: true },
    "what the payload says counts",
  );
});

Deno.test("correlation data names the command of a payload that does not", () => {
  const read = (payload: string) => readReply(encode(payload), correlated);
  assertEquals(read(""), { commandId, ok: true });
  assertEquals(read("running"), { commandId, ok: true, text: "running" });
  assertEquals(read("42"), { commandId, ok: true, text: "42" });
  assertEquals(read("{not json"), { commandId, ok: true, text: "{not json" });
  assertEquals(read('{"ok":false,"text":"jammed"}'), { commandId, ok: false, text: "jammed" });
  assertEquals(read("{}"), { commandId, ok: true });
  assertEquals(read('{"speed":3}'), { commandId, ok: true, data: { speed: 3 } });
  assertEquals(read('{"ok":true,"speed":3}'), {
    commandId,
    ok: true,
    data: { ok: true, speed: 3 },
  });
});

Deno.test("what is no reply is refused with a code, and its key where it can be known", () => {
  const tooLong = "x".repeat(SIZES.textBytes + 1);
  const refused: [string | Uint8Array, boolean, string, boolean][] = [
    ["running", false, "invalid_json", false],
    ["", false, "invalid_json", false],
    ['{"ok":true}', false, "invalid_request", false],
    ['{"commandId":"x"}', false, "invalid_request", false],
    ['{"commandId":7}', true, "invalid_request", false],
    [`{"commandId":"${commandId}","more":1}`, false, "invalid_request", true],
    [`{"commandId":"${commandId}","ok":"yes"}`, false, "invalid_request", true],
    [`{"commandId":"${commandId}","data":null}`, false, "invalid_request", true],
    ['{"text":""}', true, "invalid_request", true],
    ["a\0b", true, "invalid_request", true],
    [tooLong, true, "invalid_request", true],
    ["x".repeat(SIZES.bodyBytes + 1), true, "payload_too_large", true],
    [new Uint8Array([0xff]), true, "invalid_utf8", true],
  ];
  for (const [payload, named, code, known] of refused) {
    const bytes = typeof payload === "string" ? encode(payload) : payload;
    const properties = named ? correlated : {};
    const shown = String(payload).slice(0, 60);
    assertEquals(assertThrows(() => readReply(bytes, properties), ConfabError).code, code, shown);
    assertEquals(replyKey(bytes, properties), known ? `command:${commandId}` : undefined, shown);
  }
  for (const data of ["", "x", `${commandId}x`, "A".repeat(36)]) {
    const properties = { correlationData: encode(data) };
    assertThrows(() => readReply(encode("running"), properties), ConfabError);
  }
});
