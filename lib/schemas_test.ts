import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { commandDefinitions } from "./command_schemas.ts";
import { newId } from "./ids.ts";
import { SIZES } from "./protocol.ts";
import {
  clientIdSchema,
  dataSchema,
  FRAME_TYPES,
  frameSchema,
  idSchema,
  metadataSchema,
  nameSchema,
  seqSchema,
  stateSchema,
  textSchema,
  utf8Length,
} from "./schemas.ts";

const strict = { sanitizeOps: true, sanitizeResources: true, sanitizeExit: true };

function test(name: string, fn: () => void): void {
  Deno.test({ name, fn, ...strict });
}

interface Parses {
  safeParse(value: unknown): { success: boolean };
}

function accepts(schema: Parses, ...values: unknown[]): void {
  for (const value of values) assert(schema.safeParse(value).success, JSON.stringify(value));
}

function refuses(schema: Parses, ...values: unknown[]): void {
  for (const value of values) assert(!schema.safeParse(value).success, JSON.stringify(value));
}

/** `depth` arrays around one another. */
function nested(depth: number): unknown {
  let value: unknown = 1;
  for (let i = 0; i < depth; i++) value = [value];
  return value;
}

test("textSchema takes any Unicode up to its bytes, and nothing that cannot be stored", () => {
  accepts(textSchema, "a", " ", "\n", "😀", "'; drop table rooms; --", "\u202e", "\uFFFF");
  accepts(textSchema, "a".repeat(SIZES.textBytes), "é".repeat(SIZES.textBytes / 2));
  refuses(textSchema, "", "a\0b", "\ud800", "a\udc00", 1, null, ["a"]);
  refuses(textSchema, "a".repeat(SIZES.textBytes + 1), "é".repeat(SIZES.textBytes / 2 + 1));
});

test("dataSchema takes JSON of bounded depth and size, but not null", () => {
  accepts(dataSchema, 0, false, "", [], {}, { a: [null, { b: "é" }] }, nested(32));
  refuses(dataSchema, null, undefined, nested(33), Infinity, NaN, { a: "\0" }, { "\0": 1 });
  refuses(dataSchema, ["\ud800"], "x".repeat(SIZES.dataBytes));
});

test("dataSchema counts numbers as Postgres writes them", () => {
  accepts(dataSchema, 1e300, -5e-324, Array(100).fill(1e300), "1e300".repeat(1000));
  refuses(dataSchema, Array(200).fill(1e300), [{ a: Array(200).fill(-1e-300) }]);
});

test("dataSchema hands on keys that mean something to JavaScript without acting on them", () => {
  const value = JSON.parse('{"__proto__":{"admin":true},"constructor":1}');
  const parsed = dataSchema.parse(value);
  assertEquals(JSON.stringify(parsed), JSON.stringify(value));
  assertEquals(({} as { admin?: boolean }).admin, undefined);
});

test("objects keep members that mean something to JavaScript, and do not act on them", () => {
  const json = '{"__proto__":{"admin":true},"constructor":{"a":1},"a":{"__proto__":2}}';
  for (const schema of [metadataSchema, stateSchema]) {
    assertEquals(JSON.stringify(schema.parse(JSON.parse(json))), json);
    refuses(schema, JSON.parse('{"__proto__":"\\u0000"}'));
  }
  assertEquals(({} as { admin?: boolean }).admin, undefined);
  const args = JSON.parse('{"__proto__":"What it says"}');
  const kept = commandDefinitions.parse([{ name: "a", args }])![0]!.args;
  assertEquals(Object.entries(kept!), [["__proto__", "What it says"]]);
  refuses(commandDefinitions, [{ name: "a", args: JSON.parse('{"__proto__":1}') }]);
  refuses(commandDefinitions, [{ name: "a", args: null }]);
});

test("metadataSchema takes objects only", () => {
  accepts(metadataSchema, {}, { a: 1, b: { c: [true] } });
  refuses(metadataSchema, [], "a", null, { ["k".repeat(65)]: 1 }, { a: "\0" });
  refuses(metadataSchema, { a: "x".repeat(SIZES.metadataBytes) });
});

test("ids, client ids, seqs and names have their exact forms", () => {
  const id = newId();
  accepts(idSchema, id);
  refuses(idSchema, "", `${id} `, `${id}/`, "+", "#", 1);
  accepts(clientIdSchema, "a", "A-z.0_9:1", "a".repeat(64));
  refuses(clientIdSchema, "", "a b", "a\n", "é", "a".repeat(65), 1);
  accepts(seqSchema, 0, 1, Number.MAX_SAFE_INTEGER);
  refuses(seqSchema, -1, 1.5, 2 ** 53, "1", NaN);
  accepts(nameSchema, "a", "Ada Lovelace", "日本語");
  refuses(nameSchema, "", " ", " a", "a\n", "a\0", "a".repeat(SIZES.nameChars + 1));
  accepts(nameSchema, "👩‍🌾 Ada", "میز\u200cها", "Pump\u00a01", "❤️");
  refuses(nameSchema, "a\nb", "a\u0085b", "a\u001bb", "a\u2028b", "a\u202eb", "\u2066a");
  refuses(nameSchema, "\u200b", "\u200b\u2060", "\u3164", "\u2800", "\u00ad", "\u{e0041}");
});

test("utf8Length() counts bytes", () => {
  assertEquals(["", "a", "é", "€", "😀"].map(utf8Length), [0, 1, 2, 3, 4]);
});

const room = newId();
const FRAMES = [
  { type: "auth", id: "1", token: "t" },
  { type: "join", id: "1", room },
  { type: "join", id: "1", room, epoch: "e", after: 0 },
  { type: "leave", id: "1", room },
  { type: "send", id: "1", room, clientId: "c", text: "hi", replyTo: 3, metadata: { a: 1 } },
  { type: "send", id: "1", room, clientId: "c", data: [1] },
  { type: "send", id: "1", room, clientId: "c", attachments: [{ url: "https://a.example" }] },
  { type: "edit", id: "1", room, seq: 1, text: "hi" },
  { type: "delete", id: "1", room, seq: 1 },
  { type: "typing", room },
  { type: "read", room, seq: 1 },
  { type: "ping" },
];

test("frameSchema takes every frame of the contract, and FRAME_TYPES names them", () => {
  accepts(frameSchema, ...FRAMES);
  assertEquals([...FRAME_TYPES].sort(), [...new Set(FRAMES.map(({ type }) => type))].sort());
});

test("frameSchema refuses a field that a frame does not have, or lacks one that it needs", () => {
  for (const frame of FRAMES) {
    refuses(frameSchema, { ...frame, surprise: 1 });
    for (const field of ["id", "room", "token", "clientId"]) {
      if (frame.type === "read" && field === "id") continue;
      const { [field]: taken, ...rest } = frame as Record<string, unknown>;
      if (taken !== undefined) refuses(frameSchema, rest);
    }
  }
  refuses(frameSchema, {}, [], null, "ping", { type: "shout" }, { type: "toString" });
});

test("frameSchema refuses a message without content and says what to give", () => {
  const send = { type: "send", clientId: "c" };
  const frames: [string, object][] = [
    ["give text, data or attachments", send],
    ["give text, data or attachments", { ...send, attachments: [] }],
    ["give text, data, or both", { type: "edit", seq: 1 }],
  ];
  for (const [sentence, frame] of frames) {
    const { success, error } = frameSchema.safeParse({ id: "1", room, ...frame });
    assertEquals(success, false);
    assertStringIncludes(error!.message, sentence);
  }
});
