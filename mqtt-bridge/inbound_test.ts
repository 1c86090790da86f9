import { assertEquals } from "@std/assert";
import type { Principal } from "../lib/auth/principal.ts";
import { ConfabError, type ErrorCode } from "../lib/errors.ts";
import { newId } from "../lib/ids.ts";
import { createLog } from "../lib/log.ts";
import type { SendOk } from "../lib/protocol.ts";
import { until } from "../testing/until.ts";
import type { Delivery } from "./delivery.ts";
import { Inbound } from "./inbound.ts";
import { KnownDevices } from "./known_devices.ts";
import type { BridgeActions } from "./ports.ts";
import { Topics } from "./topics.ts";

const topics = new Topics("confab/");
const device = newId();

interface Fixture {
  inbound: Inbound;
  acknowledged: string[];
  stored: string[];
  // deno-lint-ignore no-explicit-any -- tests look at fields of what was published
  published: { topic: string; payload: any }[];
  stop: AbortController;
  deliver(room: string, text: string, qos?: 0 | 1, responseTopic?: string): Promise<void>;
}

function fixture(
  send: (text: string, call: number) => Promise<void> | void,
  options: { burst?: number; publish?: () => Promise<void> } = {},
): Fixture {
  const stop = new AbortController();
  let calls = 0;
  const acknowledged: string[] = [];
  const stored: string[] = [];
  const published: Fixture["published"] = [];
  const actions: Pick<BridgeActions, "device" | "send" | "log"> = {
    device: (id): Promise<Principal> =>
      Promise.resolve({ id, kind: "device", name: "d", role: "device" }),
    // As the appender does it: what fails and may pass takes all behind it along.
    async send(_device, _room, messages) {
      let failed: unknown;
      const results: PromiseSettledResult<SendOk>[] = [];
      for (const { body } of messages) {
        try {
          if (failed !== undefined) throw failed;
          await send(body.text!, ++calls);
          stored.push(body.text!);
          const value = { seq: stored.length, at: new Date().toISOString(), duplicate: false };
          results.push({ status: "fulfilled", value });
        } catch (reason) {
          if (reason instanceof ConfabError && reason.code !== "read_only") failed = reason;
          results.push({ status: "rejected", reason });
        }
      }
      return results;
    },
    log: () => Promise.reject(new ConfabError("unavailable")),
  };
  const inbound = new Inbound({
    topics,
    actions,
    devices: new KnownDevices(actions, { perSecond: 0, burst: options.burst ?? 1000 }),
    publisher: {
      async publish(topic, payload) {
        await options.publish?.();
        published.push({ topic, payload: JSON.parse(payload) });
      },
    },
    log: createLog("silent"),
    signal: stop.signal,
    onBirth: () => {},
    onStored: () => {},
  });
  const deliver = (room: string, text: string, qos: 0 | 1 = 1, responseTopic?: string) => {
    const delivery: Delivery = {
      topic: topics.send(device, room),
      payload: new TextEncoder().encode(text),
      qos,
      retained: false,
      properties: responseTopic === undefined ? {} : { responseTopic },
      acknowledge: () => acknowledged.push(text),
    };
    return inbound.accept(delivery);
  };
  return { inbound, acknowledged, stored, published, stop, deliver };
}

const failing = (code: ErrorCode) => Promise.reject(new ConfabError(code));

Deno.test("what may pass is tried again, in order, and acknowledged only when stored", async () => {
  const f = fixture((text, call) => {
    if (text === "1" && call < 4) {
      return failing(call % 2 === 0 ? "unavailable" : "outcome_unknown");
    }
    assertEquals(f.acknowledged, []);
  });
  const room = newId();
  await Promise.all(["1", "2", "3"].map((text) => f.deliver(room, text)));
  assertEquals(f.stored, ["1", "2", "3"]);
  assertEquals(f.acknowledged, ["1", "2", "3"]);
  assertEquals(f.published.map((one) => one.payload.seq), [1, 2, 3]);
});

Deno.test("a room that fails does not hold up another", async () => {
  const gate = Promise.withResolvers<void>();
  const f = fixture((text) => text === "stuck" ? gate.promise : undefined);
  const stuck = f.deliver(newId(), "stuck");
  await f.deliver(newId(), "other");
  assertEquals(f.acknowledged, ["other"]);
  gate.resolve();
  await stuck;
  assertEquals(f.acknowledged, ["other", "stuck"]);
});

Deno.test("what fails for good is refused by name and acknowledged after that", async () => {
  const gate = Promise.withResolvers<void>();
  let asked = false;
  const publish = () => {
    asked = true;
    return gate.promise;
  };
  const f = fixture(() => failing("read_only"), { publish });
  const room = newId();
  const done = f.deliver(room, '{"text":"x","clientId":"k"}');
  await until("the error is on its way", () => asked);
  assertEquals(f.acknowledged, []);
  gate.resolve();
  await done;
  assertEquals(f.acknowledged.length, 1);
  const [{ topic, payload }] = f.published as [Fixture["published"][0]];
  assertEquals(topic, topics.errors(device));
  assertEquals([payload.code, payload.clientId, payload.room], ["read_only", "k", room]);
});

Deno.test("the receipt goes ahead of the acknowledgement, which does not wait for it", async () => {
  const gate = Promise.withResolvers<void>();
  const acknowledgedAtReceipt: number[] = [];
  const f = fixture(() => {}, {
    publish: () => {
      acknowledgedAtReceipt.push(f.acknowledged.length);
      return gate.promise;
    },
  });
  const done = f.deliver(newId(), "x");
  await until("it is acknowledged", () => f.acknowledged.length === 1);
  assertEquals(acknowledgedAtReceipt, [0]);
  gate.resolve();
  await done;
});

Deno.test("a response topic that is not the device's own to read is ignored", async () => {
  const f = fixture(() => {});
  const [room, mine] = [newId(), `${topics.responses(device)}/mine`];
  const others = [topics.send(device, room), topics.requests(device), topics.receipts(newId())];
  for (const topic of [...others, mine]) await f.deliver(room, topic, 1, topic);
  const receipts = [1, 2, 3, 4].map(() => topics.receipts(device));
  assertEquals(f.published.map(({ topic }) => topic), [...receipts, mine]);
});

Deno.test("a refusal that cannot be told is not acknowledged, so it comes again", async () => {
  const f = fixture(() => failing("read_only"), { publish: () => failing("unavailable") });
  await f.deliver(newId(), "x");
  assertEquals(f.acknowledged, []);
});

Deno.test("a request whose answer the broker refuses holds no place", async () => {
  for (const code of ["forbidden", "unavailable"] as const) {
    const f = fixture(() => {}, { publish: () => failing(code) });
    let acknowledged = 0;
    await f.inbound.accept({
      topic: topics.requests(device),
      payload: new TextEncoder().encode("{}"),
      qos: 1,
      retained: false,
      properties: {},
      acknowledge: () => acknowledged++,
    });
    assertEquals([code, acknowledged], [code, code === "forbidden" ? 1 : 0]);
  }
});

Deno.test("an unknown failure is tried three times and leaves as internal", async () => {
  let calls = 0;
  const f = fixture(() => {
    calls++;
    throw new TypeError("secret detail");
  });
  await f.deliver(newId(), "x");
  assertEquals(calls, 3);
  assertEquals(f.published[0]!.payload.code, "internal");
  assertEquals(JSON.stringify(f.published).includes("secret"), false);
  assertEquals(f.acknowledged, ["x"]);
});

Deno.test("beyond its quota a device is refused with the time to wait", async () => {
  const f = fixture(() => {}, { burst: 2 });
  const room = newId();
  await Promise.all(["1", "2", "3"].map((text) => f.deliver(room, text)));
  assertEquals(f.stored, ["1", "2"]);
  assertEquals(f.acknowledged.toSorted(), ["1", "2", "3"]);
  const error = f.published.find((one) => one.topic === topics.errors(device))!;
  assertEquals(error.payload.code, "rate_limited");
  assertEquals(error.payload.retryAfter > 0, true);
});

Deno.test("at the end of the connection retries stop without an acknowledgement", async () => {
  const f = fixture(() => failing("unavailable"));
  const done = f.deliver(newId(), "x");
  f.stop.abort();
  await done;
  assertEquals(f.acknowledged, []);
  assertEquals(f.published, []);
});

Deno.test("a QoS 0 message is tried a few times only", async () => {
  let calls = 0;
  const f = fixture(() => {
    calls++;
    return failing("unavailable");
  });
  await f.deliver(newId(), "x", 0);
  assertEquals(calls, 5);
  assertEquals(f.published[0]!.payload.code, "unavailable");
});
