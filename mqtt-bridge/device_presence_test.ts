import { assert, assertEquals, assertRejects } from "@std/assert";
import { Buffer } from "node:buffer";
import type { Principal } from "../lib/auth/principal.ts";
import { deviceStatus, deviceStatuses, expectDevice } from "../lib/chat/device_presence.ts";
import { alertSilence } from "../lib/chat/device_silence.ts";
import { createDevice, disableDevice } from "../lib/chat/devices.ts";
import { hearPresence, roomPresence } from "../lib/chat/presence.ts";
import { ConfabError } from "../lib/errors.ts";
import { createMemoryPresence } from "../lib/presence/memory.ts";
import type { PresenceTimes } from "../lib/presence/mod.ts";
import { openPostgres } from "../lib/database/postgres.ts";
import type { MemberPresence } from "../lib/protocol.ts";
import { chatNode } from "../testing/chat.ts";
import type { Bridge, BridgeOptions } from "./bridge.ts";
import { type BrokerKind, brokerKinds } from "../testing/mqtt_broker.ts";
import type { TestDevice } from "../testing/mqtt_device.ts";
import { MqttScene, topics } from "../testing/mqtt_scene.ts";
import { testWith } from "../testing/services.ts";
import { until } from "../testing/until.ts";

const TIMES: PresenceTimes = { leaseMs: 900, graceMs: 50, settleMs: 0 };

/** A room with one device, and bridges that share a store of presence. */
class PresenceScene implements AsyncDisposable {
  readonly chat;
  readonly opened: TestDevice[] = [];
  active: Bridge | undefined;

  private constructor(readonly mqtt: MqttScene, readonly device: Principal) {
    this.chat = { ...mqtt.chat.chat, presence: createMemoryPresence(TIMES) };
  }

  static async start(kind: BrokerKind): Promise<PresenceScene> {
    const mqtt = await MqttScene.start(kind);
    const scene = new PresenceScene(mqtt, await mqtt.device());
    await scene.bridge();
    return scene;
  }

  async bridge(changes: Partial<BridgeOptions> = {}): Promise<void> {
    this.active = await this.mqtt.bridge({
      statuses: deviceStatuses(this.chat, { shown: true }),
      presenceTimes: { heardMs: 50, dampMs: 0 },
      lease: { ttlMs: 1_000, renewMs: 100 },
      ...changes,
    });
  }

  /** Connects the device with a last will in `session`; it has not said yet that it is there. */
  async connect(session?: number | string): Promise<TestDevice> {
    const payload = Buffer.from(JSON.stringify({ online: false, session }));
    const will = { topic: topics.status(this.device.id), payload, qos: 1, retain: true } as const;
    const device = await this.mqtt.connect(this.device, { will });
    this.opened.push(device);
    return device;
  }

  async say(device: TestDevice, online: boolean, session?: number | string): Promise<void> {
    const topic = topics.status(this.device.id);
    await device.publish(topic, JSON.stringify({ online, session }), { retain: true });
  }

  async born(session?: number | string): Promise<TestDevice> {
    const device = await this.connect(session);
    await this.say(device, true, session);
    return device;
  }

  async shown(): Promise<MemberPresence> {
    const { mqtt: { owner, room }, device: { id } } = this;
    const { items } = await roomPresence(this.chat, owner, room, 10);
    return items.find(({ principal }) => principal === id)!;
  }

  async sees(state: MemberPresence["state"]): Promise<void> {
    await until(`it is ${state}`, async () => (await this.shown()).state === state);
  }

  status() {
    return deviceStatus(this.chat, this.mqtt.owner, this.device.id);
  }

  /** Waits until everything that came on the device's status so far was handled. */
  async settled(device: TestDevice): Promise<void> {
    const errors = topics.errors(this.device.id);
    const before = device.json(errors).length;
    await device.publish(topics.status(this.device.id), '{"online":"or not"}');
    await device.waitFor(errors, before + 1);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const device of this.opened) await device[Symbol.asyncDispose]();
    await this.mqtt[Symbol.asyncDispose]();
  }
}

for (const kind of await brokerKinds()) {
  testWith(kind.service, `birth and last will are presence (${kind.name})`, async () => {
    await using s = await PresenceScene.start(kind);
    await s.sees("offline");
    const device = await s.born(1);
    await s.sees("online");
    const { online, since, lastSeen, silent } = await s.status();
    assertEquals([online, typeof since, typeof lastSeen, silent], [
      true,
      "string",
      "string",
      false,
    ]);
    device.client.end(true); // without a word: the broker publishes the last will
    await s.sees("offline");
    assertEquals((await s.status()).online, false);
    const again = await s.born(2);
    await s.sees("online");
    await s.say(again, false, 2);
    await s.sees("offline");
  });

  testWith(
    kind.service,
    `a late last will never overrules a newer birth (${kind.name})`,
    async () => {
      await using s = await PresenceScene.start(kind);
      const first = await s.born(9);
      await s.sees("online");
      // The same client id: the broker ends the first connection, and publishes its last will.
      const second = await s.born(10);
      await until("the first is closed", () => first.closed);
      await until("it is the second's", async () => {
        await s.say(second, false, 9);
        const [row] = await s.chat.db.query("select session_number as n from device_status");
        return row?.n === 10;
      });
      await s.settled(second);
      assertEquals([(await s.shown()).state, (await s.status()).online], ["online", true]);
      // It is what the broker has retained, and what the next bridge is shown.
      await s.mqtt.stopBridges();
      await s.bridge();
      await s.settled(second);
      assertEquals([(await s.shown()).state, (await s.status()).online], ["online", true]);
      // A counter that began again: the device is told, and its owner sees what counts.
      await s.say(second, true, 3);
      await until(
        "the device is told",
        () => second.json(topics.errors(s.device.id)).some(({ code }) => code === "stale_session"),
      );
      assertEquals((await s.status()).session, 10);
      second.client.end(true);
      await s.sees("offline");
    },
  );

  testWith(kind.service, `the next bridge goes on showing a device (${kind.name})`, async () => {
    await using s = await PresenceScene.start(kind);
    const device = await s.born("a");
    await s.sees("online");
    const { since } = await s.status();
    const states = new Set<string>();
    for (let term = 0; term < 2; term++) {
      await s.mqtt.stopBridges();
      states.add((await s.shown()).state);
      await s.bridge();
      const begun = performance.now();
      await until("longer than a lease has passed", async () => {
        states.add((await s.shown()).state);
        return performance.now() - begun > 2 * TIMES.leaseMs;
      });
    }
    assertEquals([...states], ["online"]);
    assertEquals((await s.status()).since, since);
    // What happens while no bridge is there is found by the next.
    await s.mqtt.stopBridges();
    device.client.end(true);
    await until("it is closed", () => device.closed);
    await s.bridge();
    await s.sees("offline");
  });

  testWith(kind.service, `a device that keeps coming is unstable (${kind.name})`, async () => {
    await using s = await PresenceScene.start(kind);
    for (let session = 1; session <= 4; session++) {
      const device = await s.born(session);
      await s.settled(device);
      const { unstable } = await s.status();
      assertEquals([session, unstable], [session, session === 4]);
    }
    await s.sees("online");
    assertEquals((await s.shown()).unstable, true);
    const hinted: string[] = [];
    await using stack = new AsyncDisposableStack();
    stack.defer(await hearPresence(s.chat.bus, (devices) => void hinted.push(...devices)));
    const age = (seconds: number) =>
      s.chat.db.query(
        `update device_status set births = array(
           select now() - make_interval(secs => $1) from unnest(births))`,
        [seconds],
      );
    // So that the next bridge sees the end of it, and the one after that what it was.
    for (const seconds of [119.5, 130]) {
      await s.mqtt.stopBridges();
      hinted.length = 0;
      await age(seconds);
      await s.bridge();
      await until("all are told to look when it is stable", async () => {
        return hinted.includes(s.device.id) && (await s.shown()).unstable === undefined;
      });
    }
  });

  testWith(kind.service, `what is no status is refused or ignored (${kind.name})`, async () => {
    await using s = await PresenceScene.start(kind);
    const { id } = s.device;
    const device = await s.connect(1);
    const bad = ['{"online":"yes"}', '{"online":true,"session":1.5}', '{"session":1}', "{"];
    for (const payload of [...bad, '{"online":true,"session":"a\\u0000"}']) {
      await device.publish(topics.status(id), payload);
    }
    const errors = await device.waitFor(topics.errors(id), 5);
    assertEquals(errors.map(({ code }) => code).sort(), [
      "invalid_json",
      "invalid_request",
      "invalid_request",
      "invalid_request",
      "invalid_request",
    ]);
    for (const payload of ["here I am", "", "true"]) {
      await device.publish(topics.status(id), payload);
    }
    await s.settled(device);
    assertEquals([(await s.status()).since, device.json(topics.errors(id)).length], [null, 6]);
  });

  testWith(kind.service, `a device that is disabled is gone (${kind.name})`, async () => {
    await using s = await PresenceScene.start(kind);
    await s.born(1);
    await s.sees("online");
    await disableDevice(s.chat, s.mqtt.owner, s.device.id);
    await s.sees("offline");
    assertEquals((await s.status()).online, false);
  });

  testWith(
    kind.service,
    `a person is there with credentials of their own (${kind.name})`,
    async () => {
      await using s = await PresenceScene.start(kind);
      const { mqtt: { owner, room } } = s;
      const { device: { id } } = await createDevice(s.chat, owner, "Terminal", "person");
      const device = await s.mqtt.connect({ ...s.device, id });
      const state = async () => {
        const { items } = await roomPresence(s.chat, owner, room, 10);
        return items.find(({ principal }) => principal === owner.id)!;
      };
      assertEquals((await state()).state, "offline");
      for (let session = 1; session <= 4; session++) {
        await device.publish(topics.status(id), JSON.stringify({ online: true, session }));
      }
      await until("the person is online", async () => (await state()).state === "online");
      await until("all births are heard", async () => {
        return (await deviceStatus(s.chat, owner, id)).unstable;
      });
      assertEquals(await state(), { principal: owner.id, state: "online" });
      await s.mqtt.stopBridges();
      await s.bridge();
      await device.publish(topics.status(id), JSON.stringify({ online: false, session: 4 }));
      await until("the person is offline", async () => (await state()).state === "offline");
      await assertRejects(() => expectDevice(s.chat, owner, id, 60), ConfabError);
      await device[Symbol.asyncDispose]();
    },
  );

  testWith(kind.service, `everything that a device says is heard (${kind.name})`, async () => {
    await using s = await PresenceScene.start(kind);
    const { device: { id }, mqtt: { room } } = s;
    const device = await s.connect();
    const ways = [
      topics.send(id, room),
      topics.requests(id),
      topics.telemetry(id, room),
      topics.reported(id, room),
      topics.replies(id),
      topics.status(id),
    ];
    let before = "";
    for (const topic of ways) {
      await device.publish(topic, topic.endsWith("status") ? '{"online":true}' : "x");
      await until(`${topic} is heard`, async () => {
        return ((await s.status()).lastSeen ?? "") > before;
      });
      before = (await s.status()).lastSeen!;
    }
    await device.publish(topics.status(id), '{"online":false}');
    await until("it is gone", async () => !(await s.status()).online);
    assertEquals((await s.status()).lastSeen, before, "a last will is not the device's voice");
  });

  if (kind.name === "aedes") {
    testWith(kind.service, "a device that falls silent and is back is told of once", async () => {
      await using s = await PresenceScene.start(kind);
      const { device: { id }, mqtt: { owner, room } } = s;
      await using other = openPostgres(s.mqtt.chat.url);
      const workers = [s.chat, await chatNode(other), await chatNode(other)];
      const device = await s.born(1);
      await expectDevice(s.chat, owner, id, 10);
      const kinds = () =>
        device.json(topics.events(id, room)).filter(({ event }) => event.type === "device.alert")
          .map(({ event }) => event.alert.kind);
      const work = () => Promise.all(workers.map((chat) => alertSilence(chat)));
      let appended = 0;
      await until("it is silent", async () => {
        for (const count of await work()) appended += count;
        return kinds().length > 0;
      }, 30_000);
      const { silent, online, lastSeen } = await s.status();
      assertEquals([silent, online], [true, true], "it has not said that it is gone");
      assert(Date.now() - Date.parse(lastSeen!) >= 10_000);
      await device.publish(topics.send(id, room), "here I am");
      await until("it is back", async () => {
        for (const count of await work()) appended += count;
        return kinds().length > 1;
      });
      assertEquals([kinds(), appended], [["silent", "back"], 2]);
    });
    continue;
  }
  testWith(kind.service, "a device stays as it said when the broker dies", async () => {
    await using s = await PresenceScene.start(kind);
    const device = await s.born(1);
    await s.sees("online");
    await s.mqtt.broker.crash!();
    await until("the device is cut off", () => device.closed);
    await until("the bridge has lost it too", () => !s.active!.health().connected);
    await until("the bridge is back", () => s.active!.health().connected);
    const { owner, room } = s.mqtt;
    const head = await s.mqtt.say("the bridge works");
    await until("it does", async () => {
      const [row] = await s.chat.db.query("select seq from bridge_cursors");
      return row?.seq === head;
    });
    const before = await roomPresence(s.chat, owner, room, 10);
    assertEquals(before.items.filter(({ state }) => state === "online").length, 1);
    const again = await s.born(2);
    await s.settled(again);
    assertEquals([(await s.shown()).state, (await s.status()).unstable], ["online", false]);
    again.client.end(true);
    await s.sees("offline");
  });
}
