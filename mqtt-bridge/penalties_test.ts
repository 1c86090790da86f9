import { assert, assertEquals, assertRejects } from "@std/assert";
import type { Principal } from "../lib/auth/principal.ts";
import { newId } from "../lib/ids.ts";
import { recordedLog } from "../testing/chat.ts";
import { brokerKinds } from "../testing/mqtt_broker.ts";
import type { TestDevice } from "../testing/mqtt_device.ts";
import { MqttScene, topics } from "../testing/mqtt_scene.ts";
import { testWith } from "../testing/services.ts";
import { until } from "../testing/until.ts";
import { Penalties, type PenaltyOptions } from "./penalties.ts";

const RATE = { perSecond: 20, burst: 20 };

/** Penalties without a bridge. */
function alone(options: Pick<PenaltyOptions, "provisioning"> & Partial<PenaltyOptions>) {
  const { log, lines } = recordedLog();
  const over = new AbortController();
  const told: { topic: string; code: string; retryAfter: number }[] = [];
  const changed: string[] = [];
  const penalties = new Penalties({
    ...{ topics, rate: RATE, log, signal: over.signal },
    publisher: {
      publish: (topic, payload) =>
        Promise.resolve(void told.push({ ...JSON.parse(payload), topic })),
    },
    onChanged: (device) => void changed.push(device),
    ...options,
  });
  return { penalties, told, changed, lines, over };
}

/** Publishes so many times beyond the quota; answers how often the device is told. */
function offend(penalties: Penalties, device: string, count: number): number {
  return Array.from({ length: count }, () => penalties.refused(device)).filter(Boolean).length;
}

Deno.test("a device that goes on is barred for twice as long each time", async () => {
  const { penalties, told, changed, lines, over } = alone({ provisioning: "dynsec", firstMs: 400 });
  const [device, other] = [newId(), newId()];
  assertEquals(offend(penalties, device, 40), 40, "it is told");
  assert(!penalties.isBarred(device), "two seconds of twice the quota are borne");
  for (const ms of [400, 800]) {
    await until("it is barred", () => {
      offend(penalties, device, 10);
      return penalties.isBarred(device);
    });
    assertEquals(offend(penalties, device, 1), 0, "it has been told for how long");
    assert(!penalties.isBarred(other));
    await until("it is not any more", () => !penalties.isBarred(device));
    assertEquals(JSON.parse(lines.at(-1)!).ms, ms);
  }
  assertEquals(changed, Array.from({ length: 4 }, () => device));
  assertEquals(told.map(({ code, retryAfter }) => [code, retryAfter]), [
    ["rate_limited", 1],
    ["rate_limited", 1],
  ]);
  over.abort();
});

Deno.test("where a broker cannot bar devices, the log says so once", () => {
  for (const [provisioning, expected] of [["none", 1], ["embedded", 0]] as const) {
    const { penalties, told, lines, over } = alone({ provisioning });
    const devices = [newId(), newId()];
    for (const device of devices) offend(penalties, device, 1000);
    assertEquals(devices.map((device) => penalties.isBarred(device)), [false, false]);
    assertEquals([told.length, lines.length], [0, expected]);
    over.abort();
  }
});

/** Publishes at QoS 0 far beyond the quota until `done`, while the neighbour sends. */
async function flood(
  { room }: MqttScene,
  [flooder, { id }]: [TestDevice, Principal],
  [neighbour, other]: [TestDevice, Principal],
  done: () => boolean,
): Promise<void> {
  const before = neighbour.json(topics.receipts(other.id)).length;
  for (let i = 1; i <= 5; i++) {
    for (let j = 0; j < 50; j++) {
      flooder.publish(topics.send(id, room), '{"text":"x"}', { qos: 0 }).catch(() => {});
    }
    await neighbour.publish(topics.send(other.id, room), '{"text":"y"}');
    await neighbour.waitFor(topics.receipts(other.id), before + i);
  }
  await until("the flood has its end", done);
}

for (const kind of await brokerKinds()) {
  testWith(
    kind.service,
    `a device that floods is told, and its neighbour gets its receipts (${kind.name})`,
    async () => {
      await using scene = await MqttScene.start(kind);
      const { room } = scene;
      const cuts = kind.name === "Mosquitto";
      await scene.bridge({ rate: RATE, penalties: { firstMs: 2000 } });
      const [noisy, quiet] = [await scene.device(), await scene.device()];
      await using neighbour = await scene.connect(quiet);
      const toldOf = (device: TestDevice) => device.json(topics.errors(noisy.id));
      {
        await using flooder = await scene.connect(noisy);
        await flood(scene, [flooder, noisy], [neighbour, quiet], () => {
          return cuts ? flooder.closed : toldOf(flooder).length > 0;
        });
        const errors = toldOf(flooder);
        assertEquals([...new Set(errors.map(({ code }) => code))], ["rate_limited"]);
        assert(errors.length < 100, `it is told of a part of it: ${errors.length}`);
        if (cuts) {
          assertEquals(errors.at(-1).retryAfter, 2);
          await assertRejects(() => scene.connectOnce(noisy), Error);
        }
      }
      const sendsAgain = async () => {
        await using again = await scene.connect(noisy);
        await until("it may send again", async () => {
          await again.publish(topics.send(noisy.id, room), '{"text":"z","clientId":"z"}');
          return again.json(topics.receipts(noisy.id)).some(({ clientId }) => clientId === "z");
        });
      };
      await sendsAgain();
      if (!cuts) return;
      await scene.stopBridges();
      await scene.bridge({ rate: RATE, penalties: { firstMs: 300_000 } });
      await using flooder = await scene.connect(noisy);
      await flood(scene, [flooder, noisy], [neighbour, quiet], () => flooder.closed);
      await scene.stopBridges();
      await assertRejects(() => scene.connectOnce(noisy), Error);
      await scene.bridge({ rate: RATE });
      await sendsAgain(); // a bridge that takes over knows of no penalties
    },
  );
}
