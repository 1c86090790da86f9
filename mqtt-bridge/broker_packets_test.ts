import { Buffer } from "node:buffer";
import { assert, assertEquals } from "@std/assert";
import { generate, type Packet } from "mqtt-packet";
import { newId } from "../lib/ids.ts";
import { createLog } from "../lib/log.ts";
import { freePort } from "../testing/mosquitto.ts";
import { TestDevice } from "../testing/mqtt_device.ts";
import { RawMqtt } from "../testing/raw_mqtt.ts";
import { until } from "../testing/until.ts";
import { startBroker } from "./broker.ts";
import { Topics } from "./topics.ts";

const strict = { sanitizeOps: true, sanitizeResources: true, sanitizeExit: true };
const topics = new Topics("confab/");
const [device, neighbour, room] = [newId(), newId(), newId()];
const send = topics.send(device, room);

/** A broker with a bridge that listens, and a neighbour who must notice nothing. */
async function besideNeighbour(
  run: (connect: () => Promise<RawMqtt>, port: number, honest: RawMqtt) => Promise<void>,
): Promise<void> {
  const broker = await startBroker({
    host: "127.0.0.1",
    port: freePort(),
    prefix: "confab/",
    log: createLog("silent"),
    authenticate: () => Promise.resolve(true),
  });
  const { port } = broker;
  const as = (id: string, suffix: string) =>
    RawMqtt.open({ port, clientId: id + suffix, username: id, password: "x" });
  try {
    await using bridge = await TestDevice.connect({
      ...broker.bridge,
      clientId: "confab-bridge-0",
      clean: false,
    });
    for (const filter of Object.values(topics.inbound())) assert(await bridge.subscribe(filter));
    await using honest = await as(neighbour, "");
    let attempts = 0;
    await run(() => as(device, `-${attempts++}`), port, honest);
    assertEquals(await honest.publish(topics.send(neighbour, room), "honest"), 0);
    await until(
      "the bridge hears the neighbour",
      () => bridge.received.some(({ payload }) => payload === "honest"),
    );
    assert(!bridge.closed, "the bridge's connection lasts");
    assert(!honest.closed, "and the neighbour's");
  } finally {
    await broker.stop();
  }
}

/** A packet of the first byte and the rest, with its length. */
function packet(first: number, ...parts: (string | number[])[]): Uint8Array {
  const body = parts.flatMap((part) => typeof part === "string" ? text(part) : part);
  const length = body.length < 128 ? [body.length] : [body.length % 128 + 128, body.length >> 7];
  return new Uint8Array([first, ...length, ...body]);
}

/** A string as MQTT writes it. */
function text(value: string): number[] {
  const bytes = [...new TextEncoder().encode(value)];
  return [bytes.length >> 8, bytes.length & 255, ...bytes];
}

/** A QoS 1 publish to the device's own topic with these properties. */
const publishWith = (...properties: number[]) =>
  packet(0x32, send, [0, 7], [properties.length, ...properties], [0x68, 0x69]);

/** A CONNECT of MQTT 5 with these flags, properties and fields. */
const connectWith = (flags: number, properties: number[], ...fields: (string | number[])[]) =>
  packet(0x10, "MQTT", [5, flags, 0, 60], [properties.length, ...properties], ...fields);

const id = `${device}-connect`;
const expiry = [0x11, 0, 0, 1, 0];
const MALFORMED: Record<string, Uint8Array> = {
  "a content type past the end": publishWith(0x03, 0xff, 0xff),
  "a response topic past the end": publishWith(0x08, 0xff, 0xff),
  "a response topic twice": publishWith(0x08, ...text("a"), 0x08, ...text("b")),
  "correlation data past the end": publishWith(0x09, 0xff, 0xff),
  "correlation data twice": publishWith(0x09, ...text("a"), 0x09, ...text("b")),
  "a user property without a value": publishWith(0x26, ...text("a"), 0xff, 0xff),
  "a user property with NUL": publishWith(0x26, ...text("a\0"), ...text("b")),
  "an expiry of two bytes": packet(0x32, send, [0, 7], [3, 0x02, 0, 1]),
  "two expiries": publishWith(0x02, 0, 0, 0, 9, 0x02, 0, 0, 0, 9),
  "a property of CONNECT": publishWith(...expiry, ...expiry),
  "a property of the broker's": publishWith(0x24, 1),
  "a subscription identifier": publishWith(0x0b, 1),
  "NUL in the topic": packet(0x32, `${send}\0`, [0, 7, 0]),
  "no message id": packet(0x32, send),
  "the message id 0": packet(0x32, send, [0, 0, 0]),
  "a filter that objects have": packet(0x82, [0, 7, 0], "__proto__", [1], send, [1]),
  "one to unsubscribe from": packet(0xa2, [0, 7, 0], "constructor"),
  "another": packet(0xa2, [0, 7, 0], "__proto__"),
  "a PUBACK of nothing": packet(0x40, []),
};
const CONNECTS: Record<string, Uint8Array> = {
  "two session expiries": connectWith(0xc2, [...expiry, ...expiry], id, device, "x"),
  "a client id with NUL": connectWith(0xc2, [], `${id}\0`, device, "x"),
  "a will of QoS 3": connectWith(0xde, [], id, [0], topics.status(device), "x", device, "x"),
  "a will with a broken content type": connectWith(
    ...([0xce, [], id] as [number, number[], string]),
    [3, 0x03, 0xff, 0xff],
    ...[topics.status(device), "x", device, "x"],
  ),
  "a will that waits twice": connectWith(
    ...([0xce, expiry, id] as [number, number[], string]),
    [10, 0x18, 0, 0, 0, 1, 0x18, 0, 0, 0, 1],
    ...[topics.status(device), "x", device, "x"],
  ),
};

Deno.test(
  "a malformed packet ends its own connection and nothing else",
  strict,
  () =>
    besideNeighbour(async (connect, port) => {
      for (const [what, bytes] of Object.entries(MALFORMED)) {
        await using hostile = await connect();
        assert(hostile.admitted);
        await hostile.write(bytes);
        await until(`the connection ends after ${what}`, () => hostile.closed);
      }
      for (const [what, bytes] of Object.entries(CONNECTS)) {
        const conn = await Deno.connect({ hostname: "127.0.0.1", port });
        await conn.write(bytes);
        const answer = await conn.read(new Uint8Array(64)).catch(() => null);
        conn.close();
        assertEquals(answer, null, what);
      }
    }),
);

Deno.test(
  "a PUBREL that comes twice, or of nothing, is answered",
  strict,
  () =>
    besideNeighbour(async (connect) => {
      await using hostile = await connect();
      assertEquals(await hostile.publish(send, "twice", { qos: 2 }), 0);
      await hostile.write(new Uint8Array([0x62, 2, 0, 1, 0x62, 2, 0, 1, 0x62, 2, 0, 9]));
      await until(
        "three answers",
        () => hostile.packets.filter(({ cmd }) => cmd === "pubcomp").length === 3,
      );
    }),
);

Deno.test(
  "messages that wait for their PUBREL are bounded",
  strict,
  () =>
    besideNeighbour(async (connect) => {
      await using hostile = await connect();
      const bytes = Array.from(
        { length: 1100 },
        (_, i) => packet(0x34, send, [(i + 1) >> 8, (i + 1) & 255], [0]),
      );
      await hostile.write(new Uint8Array(bytes.flatMap((one) => [...one])));
      await until("the connection ends", () => hostile.closed);
      const answered = hostile.packets.filter(({ cmd }) => cmd === "pubrec").length;
      assert(answered <= 1000, `${answered} were taken`);
    }),
);

Deno.test(
  "a packet that comes in pieces is taken when it is whole",
  strict,
  () =>
    besideNeighbour(async (connect) => {
      await using hostile = await connect();
      // What is refused is answered: packets come while others go.
      assertEquals(await hostile.subscribe(topics.errors(device)), 1);
      for (let i = 0; i < 16; i++) {
        const topic = `${topics.own(device)}x/`.padEnd(65_535, "x");
        assertEquals(await hostile.publish(topic, "hi"), 0x87);
      }
    }),
);

/** Valid packets, some of whose bytes are changed at random. */
function mutated(): Uint8Array {
  const all: Packet[] = [
    {
      cmd: "subscribe",
      messageId: 3,
      subscriptions: [{ topic: topics.events(device, "+"), qos: 1 }],
    },
    { cmd: "unsubscribe", messageId: 4, unsubscriptions: [topics.events(device, "+")] },
    {
      cmd: "publish",
      topic: send,
      payload: "hi",
      qos: Math.floor(Math.random() * 3) as 0 | 1 | 2,
      dup: false,
      retain: false,
      messageId: 5,
      properties: {
        responseTopic: topics.responses(device),
        correlationData: Buffer.from("abc"),
        contentType: "text/plain",
        messageExpiryInterval: 60,
        userProperties: { "client-id": "a", other: ["b", "c"] },
      },
    },
    { cmd: "pubrel", messageId: 5, reasonCode: 0 },
    { cmd: "disconnect", reasonCode: 4, properties: { sessionExpiryInterval: 9 } },
  ];
  const bytes = new Uint8Array(
    Buffer.concat(all.slice(0, -1).map((one) => generate(one, { protocolVersion: 5 }))),
  );
  const last = new Uint8Array(generate(all.at(-1)!, { protocolVersion: 5 }));
  const result = new Uint8Array([...bytes, ...last]);
  for (let i = Math.floor(Math.random() * 4); i >= 0; i--) {
    result[Math.floor(Math.random() * result.length)] = Math.floor(Math.random() * 256);
  }
  return result;
}

Deno.test(
  "bytes changed at random end no more than their own connection",
  strict,
  () =>
    besideNeighbour(async (connect, _port, honest) => {
      for (let round = 0; round < 60; round++) {
        const hostile = await Promise.all(Array.from({ length: 5 }, connect));
        for (const one of hostile) await one.write(mutated());
        assertEquals(await honest.ping(), 0);
        for (const one of hostile) await one.drop();
      }
    }),
);
