/** Payloads that are too large, too deep or no text: refused by name, and nobody else suffers. */
import { assert, assertEquals } from "@std/assert";
import { type DeviceWorld, deviceWorlds, topicIn } from "../testing/device_world.ts";
import type { RawMqtt } from "../testing/raw_mqtt.ts";
import { testWith } from "../testing/services.ts";
import { until } from "../testing/until.ts";

const KIB = 1024;
const bytes = (...values: number[]) => new Uint8Array(values);
const nested = (depth: number) => "[".repeat(depth) + "]".repeat(depth);
const inObjects = (depth: number) => '{"a":'.repeat(depth) + "1" + "}".repeat(depth);

/** Payloads of a send, by what is wrong with them, with the code of the error. */
const REFUSED: Record<string, [payload: string | Uint8Array, code: string]> = {
  "nothing": ["", "invalid_request"],
  "64 KiB and a byte": ["x".repeat(64 * KIB + 1), "payload_too_large"],
  "64 KiB of text": ["x".repeat(64 * KIB), "payload_too_large"],
  "a text of 16 KiB and a byte": ["x".repeat(16 * KIB + 1), "payload_too_large"],
  "a text of 16 KiB and a byte in UTF-8": ["ä".repeat(8 * KIB) + "x", "payload_too_large"],
  "data of over 32 KiB": [JSON.stringify({ data: "x".repeat(32 * KIB) }), "payload_too_large"],
  "data in 33 arrays": [`{"data":${nested(33)}}`, "invalid_request"],
  "data in 10,000 arrays": [`{"data":${nested(10_000)}}`, "invalid_request"],
  "data in 32,000 arrays": [`{"data":${nested(32_000)}}`, "payload_too_large"],
  "data in 10,000 objects": [`{"data":${inObjects(10_000)}}`, "payload_too_large"],
  "metadata in 10,000 arrays": [
    `{"text":"x","metadata":{"a":${nested(10_000)}}}`,
    "invalid_request",
  ],
  "a lone surrogate as text": ['{"text":"\\ud800"}', "invalid_request"],
  "a lone surrogate in data": ['{"data":["\\udfff"]}', "invalid_request"],
  "a lone surrogate as a key of data": ['{"data":{"\\ud800":1}}', "invalid_request"],
  "a lone surrogate as clientId": ['{"text":"x","clientId":"\\ud800"}', "invalid_request"],
  "U+0000 as text": ["\0", "invalid_request"],
  "U+0000 escaped in data": ['{"data":"\\u0000"}', "invalid_request"],
  "half a character": [bytes(0x68, 0xc3), "invalid_utf8"],
  "a byte that is never in UTF-8": [bytes(0xff), "invalid_utf8"],
  "a slash in two bytes": [bytes(0xc0, 0xaf), "invalid_utf8"],
  "a surrogate in UTF-8": [bytes(0xed, 0xa0, 0x80), "invalid_utf8"],
  "an envelope with a broken byte": [
    new Uint8Array([...new TextEncoder().encode('{"text":"x'), 0x80, 0x22, 0x7d]),
    "invalid_utf8",
  ],
  "data that is null": ['{"data":null}', "invalid_request"],
  "a number that is no double": ['{"data":1e999}', "invalid_request"],
  "a clientId with a slash": ['{"text":"x","clientId":"a/b"}', "invalid_request"],
  "a replyTo that is no seq": ['{"text":"x","replyTo":-1}', "invalid_request"],
  "an attachment that is a script": [
    '{"text":"x","attachments":[{"url":"javascript:alert(1)"}]}',
    "invalid_request",
  ],
  "an attachment with a password": [
    '{"attachments":[{"url":"https://me:secret@files.example/"}]}',
    "invalid_request",
  ],
  "an attachment with a path as its name": [
    '{"attachments":[{"url":"https://files.example/","name":"../../passwd"}]}',
    "invalid_request",
  ],
  "eleven attachments": [
    JSON.stringify({ attachments: Array(11).fill({ url: "https://files.example/" }) }),
    "invalid_request",
  ],
};

/** Payloads of a request, likewise; they are answered on `errors` when they show no requestId. */
const REFUSED_REQUESTS: typeof REFUSED = {
  "no JSON": ["{", "invalid_json"],
  "32,000 arrays": [nested(32_000), "invalid_request"],
  "a long key": [`{"${"\\u0001".repeat(10_000)}":1}`, "invalid_request"],
  "a key of 60,000 characters": [`{"${"k".repeat(60_000)}":1}`, "invalid_request"],
  "no text": [bytes(0xff), "invalid_utf8"],
};

async function refuse(world: DeviceWorld, version: 4 | 5): Promise<void> {
  const room = await world.room();
  const [me, other] = [await world.device(room), await world.device(room)];
  await using hostile = await world.listen(me, { version });
  await using honest = await world.listen(other);
  const errors = () => hostile.json(me.topics.errors!);
  const got: Record<string, string> = {};
  const expected: Record<string, string> = {};
  const all = [
    ...Object.entries(REFUSED).map((one) => [topicIn(me.topics.send!, room), ...one] as const),
    ...Object.entries(REFUSED_REQUESTS).map((one) => [me.topics.requests!, ...one] as const),
  ];
  for (const [topic, what, [payload, code]] of all) {
    const before = errors().length;
    await hostile.publish(topic, payload);
    await until(`an error for ${what}`, () => hostile.closed || errors().length > before);
    assert(!hostile.closed, what);
    const error = errors().at(-1)!;
    expected[what] = code;
    got[what] = error.code;
    assertEquals(error.topic, topic);
    assert(JSON.stringify(error).length < 2048, `${what}: the answer is short`);
  }
  assertEquals(got, expected);
  await world.sends(honest, other, room, "I go on");
  await world.sends(hostile, me, room, "so do I");
  assertEquals((await world.messages(room)).map(({ text }) => text), ["I go on", "so do I"]);
  assertEquals(internalErrors(world), []);
}

/** What the log calls a failure of ours. */
function internalErrors({ lines }: DeviceWorld): string[] {
  return lines.filter((line) => line.includes('"level":"error"'));
}

/** Sends and waits for the receipt with this clientId. */
async function store(device: RawMqtt, topic: string, receipts: string, payload: string) {
  const before = device.json(receipts).length;
  await device.publish(topic, payload);
  await until("a receipt", () => device.json(receipts).length > before);
}

for (const kind of await deviceWorlds()) {
  for (const version of [5, 4] as const) {
    testWith(
      kind.service,
      `${kind.name}: bad payloads are refused by name (MQTT ${version === 4 ? "3.1.1" : 5})`,
      async () => {
        await using world = await kind.start();
        await refuse(world, version);
      },
    );
  }

  testWith(
    kind.service,
    `${kind.name}: odd JSON is what JSON makes of it, and changes nothing else`,
    async () => {
      await using world = await kind.start();
      const room = await world.room();
      const me = await world.device(room);
      await using device = await world.listen(me);
      const send = topicIn(me.topics.send!, room);
      const odd = [
        '{"text":"first","text":"second","clientId":"k1","clientId":"k2"}',
        '{"text":"x","__proto__":{"polluted":1}}',
        '{"data":{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}}}}',
        '{"text":"y","metadata":{"constructor":{"prototype":{"polluted":1}}}}',
        `{"data":${nested(32)}}`,
        "\ufeffbyte order mark",
      ];
      for (const payload of odd) await store(device, send, me.topics.receipts!, payload);
      const messages = await world.messages(room);
      const shown = messages.map(({ text, data, metadata }) =>
        JSON.stringify([text, data, metadata])
      );
      assertEquals(shown, [
        '["second",null,null]',
        JSON.stringify([odd[1], null, null]),
        '[null,{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}}},null]',
        '["y",null,{"constructor":{"prototype":{"polluted":1}}}]',
        `[null,${nested(32)},null]`,
        JSON.stringify([odd[5], null, null]),
      ]);
      assertEquals(device.json(me.topics.receipts!)[0].clientId, "k2");
      assertEquals((Object.prototype as Record<string, unknown>).polluted, undefined);
    },
  );
}
