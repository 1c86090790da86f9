import { assert, assertEquals } from "@std/assert";
import type { Principal } from "../lib/auth/principal.ts";
import { getState, setDesired } from "../lib/chat/device_states.ts";
import { deleteDevice } from "../lib/chat/devices.ts";
import { removeMember, setMember } from "../lib/chat/members.ts";
import type { Metadata, Signal } from "../lib/protocol.ts";
import { type BrokerKind, brokerKinds, passwordOf } from "../testing/mqtt_broker.ts";
import { TestDevice } from "../testing/mqtt_device.ts";
import { MqttScene, topics } from "../testing/mqtt_scene.ts";
import { testWith } from "../testing/services.ts";
import { until } from "../testing/until.ts";

/** One device and what its room wishes for. */
class Pump implements AsyncDisposable {
  private constructor(readonly scene: MqttScene, readonly device: Principal) {}

  static async start(kind: BrokerKind): Promise<Pump> {
    const scene = await MqttScene.start(kind);
    await scene.bridge();
    return new Pump(scene, await scene.device());
  }

  get desired(): string {
    return topics.desired(this.device.id, this.scene.room);
  }

  get reported(): string {
    return topics.reported(this.device.id, this.scene.room);
  }

  /** Connects the device, subscribed to what is desired, too. */
  async connect(): Promise<TestDevice> {
    const connected = await this.scene.connect(this.device);
    await connected.subscribe(this.desired);
    return connected;
  }

  /** Wishes for a whole state; returns its version. */
  async wish(desired: Metadata): Promise<number> {
    const { scene: { chat: { chat }, owner, room }, device } = this;
    const key = { room, device: device.id };
    const { state } = await setDesired(chat, owner, key, { desired }, { merge: false });
    return state.desiredVersion;
  }

  state() {
    const { scene: { chat: { chat }, owner, room }, device } = this;
    return getState(chat, owner, { room, device: device.id });
  }

  async untilReported(reported: Metadata | undefined): Promise<void> {
    const wanted = JSON.stringify(reported);
    await until(`the report ${wanted}`, async () => {
      return JSON.stringify((await this.state()).reported) === wanted;
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.scene[Symbol.asyncDispose]();
  }
}

const report = (state: unknown) => JSON.stringify(state);
const retain = { retain: true };

for (const kind of await brokerKinds()) {
  testWith(
    kind.service,
    `a device learns what is desired, and what of it is left to do (${kind.name})`,
    async () => {
      await using pump = await Pump.start(kind);
      await using firmware = await pump.connect();
      const desired = { speed: 3, on: true };
      const version = await pump.wish(desired);
      const [first] = await firmware.waitFor(pump.desired);
      assertEquals(first, { version, desired, delta: desired });
      const last = () => firmware.json(pump.desired).at(-1);
      await firmware.publish(pump.reported, report({ on: true, temp: 20 }), retain);
      await until("less is to do", () => last().delta?.on === undefined);
      assertEquals(last(), { version, desired, delta: { speed: 3 } });
      await firmware.publish(pump.reported, report({ on: true, speed: 3, temp: 21 }), retain);
      await until("nothing is to do", () => last().delta === undefined);
      assertEquals(last(), { version, desired });
      const { reported, reportedVersion, delta } = await pump.state();
      assertEquals([reported, reportedVersion, delta], [
        { on: true, speed: 3, temp: 21 },
        2,
        {},
      ]);
      assertEquals(firmware.json(topics.errors(pump.device.id)), []);
      const next = await pump.wish({ on: false });
      await until("the next wish", () => last().version === next);
      assertEquals(last(), { version: next, desired: { on: false }, delta: { on: false } });
    },
  );

  testWith(
    kind.service,
    `a device that comes back gets what is left to do (${kind.name})`,
    async () => {
      await using pump = await Pump.start(kind);
      {
        await using firmware = await pump.connect();
        await firmware.publish(pump.reported, report({ speed: 1 }), retain);
        await pump.untilReported({ speed: 1 });
      }
      await pump.wish({ speed: 2 });
      const version = await pump.wish({ speed: 3 });
      await using again = await pump.connect();
      const all = { version, desired: { speed: 3 }, delta: { speed: 3 } };
      // What is retained at the subscription, and once more after the birth
      await until("it is there", () => again.json(pump.desired).at(-1)?.version === version);
      const before = again.json(pump.desired).length;
      await again.publish(topics.status(pump.device.id), '{"online":true}', retain);
      await until("it comes again", () => again.json(pump.desired).length > before);
      assertEquals(again.json(pump.desired).at(-1), all);
    },
  );

  testWith(
    kind.service,
    `what is desired survives the bridge, and a broker that lost everything (${kind.name})`,
    async () => {
      await using pump = await Pump.start(kind);
      const { scene, device: { id } } = pump;
      const early = await pump.wish({ speed: 1 });
      {
        await using firmware = await pump.connect();
        await until("it came", () => firmware.json(pump.desired).at(-1)?.version === early);
      }
      await scene.stopBridges();
      const version = await pump.wish({ speed: 2 });
      await scene.bridge();
      {
        await using firmware = await pump.connect();
        await until("the wish", () => firmware.json(pump.desired).at(-1)?.version === version);
      }
      await scene.stopBridges();
      // The room's cursor has passed the entry: nothing of the log brings it again.
      await using empty = await kind.start((device) =>
        Promise.resolve(device === id ? { generation: 1, plainGeneration: 1 } : undefined)
      );
      await scene.bridge({ broker: empty.bridge, provisioning: empty.provisioning });
      let firmware: TestDevice | undefined;
      const login = { url: empty.url, username: id, password: passwordOf(id) };
      await until("the new broker knows the device", async () => {
        firmware = await TestDevice.connect(login).catch(() => undefined);
        return firmware !== undefined;
      });
      await using connected = firmware!;
      await connected.subscribe(pump.desired);
      const [shown] = await connected.waitFor(pump.desired);
      assertEquals(shown, { version, desired: { speed: 2 }, delta: { speed: 2 } });
    },
  );

  testWith(
    kind.service,
    `nothing older is shown after something newer, whoever asks (${kind.name})`,
    async () => {
      await using pump = await Pump.start(kind);
      const { scene } = pump;
      await using firmware = await pump.connect();
      let version = 0;
      for (let i = 0; i < 40; i++) {
        const wishes = [pump.wish({ i, first: true })];
        // The last is always another one than the first
        wishes.push(wishes[0]!.then(() => pump.wish({ i })));
        const birth = firmware.publish(topics.status(pump.device.id), `{"online":true}`);
        const told = firmware.publish(pump.reported, report({ i }), retain);
        await Promise.all([...wishes, birth, told]);
        version = await wishes[1]!;
        if (i === 20) {
          await scene.stopBridges();
          await scene.bridge();
        }
      }
      const last = () => firmware.json(pump.desired).at(-1);
      await until("the last wish came", () => last()?.version === version);
      await until("nothing is left to do", () => last()?.delta === undefined);
      const versions = firmware.json(pump.desired).map((one) => one.version as number);
      assertEquals(versions, versions.toSorted((a, b) => a - b));
    },
  );

  testWith(kind.service, `bad and foreign reports are refused by name (${kind.name})`, async () => {
    await using pump = await Pump.start(kind);
    const { scene } = pump;
    const [stranger, reader] = [await scene.device(false), await scene.device(false)];
    await setMember(scene.chat.chat, scene.owner, scene.room, reader.id, "reader");
    for (const [device, code] of [[stranger, "not_found"], [reader, "read_only"]] as const) {
      await using firmware = await scene.connect(device);
      const topic = topics.reported(device.id, scene.room);
      await firmware.publish(topic, report({ speed: 1 }), retain);
      const [error] = await firmware.waitFor(topics.errors(device.id));
      assertEquals([error.code, error.topic], [code, topic]);
      // Cleared, so that it is no retained leftover
      await firmware.publish(topic, "", retain);
    }
    await using firmware = await pump.connect();
    const bad: [string, string | Uint8Array][] = [
      ["invalid_utf8", new Uint8Array([0xff])],
      ["invalid_json", "{"],
      ["invalid_request", "[1]"],
      ["invalid_request", "null"],
      ["invalid_request", '{"a":"\\u0000"}'],
      ["payload_too_large", report({ a: "x".repeat(9000) })],
    ];
    for (const [i, [code, payload]] of bad.entries()) {
      await firmware.publish(pump.reported, payload);
      const errors = await firmware.waitFor(topics.errors(pump.device.id), i + 1);
      assertEquals([errors[i].code, errors[i].topic], [code, pump.reported]);
    }
    assertEquals((await pump.state()).reportedVersion, 0);
  });

  testWith(
    kind.service,
    `a report that is shown again is no news, an empty one ends it (${kind.name})`,
    async () => {
      await using pump = await Pump.start(kind);
      const { scene } = pump;
      const removed = await scene.device();
      await using firmware = await pump.connect();
      await using other = await scene.connect(removed);
      await firmware.publish(pump.reported, report({ speed: 1 }), retain);
      await pump.untilReported({ speed: 1 });
      await other.publish(topics.reported(removed.id, scene.room), report({ a: 1 }), retain);
      const key = { room: scene.room, device: removed.id };
      await until("the other's report", async () => {
        return (await getState(scene.chat.chat, scene.owner, key)).reportedVersion === 1;
      });
      await removeMember(scene.chat.chat, scene.owner, scene.room, removed.id);
      await scene.stopBridges();
      await scene.bridge();
      // Comes after what the broker has retained
      await firmware.publish(topics.send(pump.device.id, scene.room), "after");
      await firmware.waitFor(topics.receipts(pump.device.id));
      await firmware.publish(pump.reported, report({ speed: 1 }), retain);
      await firmware.publish(pump.reported, report({ speed: 2 }), retain);
      await pump.untilReported({ speed: 2 });
      assertEquals((await pump.state()).reportedVersion, 2);
      await firmware.publish(pump.reported, "", retain);
      await pump.untilReported(undefined);
      assertEquals((await pump.state()).reportedVersion, 3);
      // It was a member when it said so
      assertEquals(other.json(topics.errors(removed.id)), []);
    },
  );

  testWith(
    kind.service,
    `who looks is told what a busy device reports last, not all of it (${kind.name})`,
    async () => {
      await using pump = await Pump.start(kind);
      const { scene: { chat: { chat }, room } } = pump;
      const signals: Signal[] = [];
      const stop = await chat.bus.serve(room, {
        entries: () => {},
        head: () => {},
        signal: (signal) => {
          if (signal.type === "state") signals.push(signal);
        },
      });
      await using firmware = await pump.connect();
      const count = 100;
      await Promise.all(
        Array.from(
          { length: count },
          (_, i) => firmware.publish(pump.reported, report({ n: i + 1 }), retain),
        ),
      );
      const last = () => signals.at(-1);
      await until("the last of it", () => {
        const signal = last();
        return signal?.type === "state" && signal.reportedVersion === count;
      });
      stop();
      const signal = last();
      assert(signal?.type === "state");
      assertEquals([signal.device.id, signal.reported], [pump.device.id, { n: count }]);
      assert(signals.length < count / 2, `${signals.length} signals`);
    },
  );

  testWith(
    kind.service,
    `what is desired goes with the device (${kind.name})`,
    async () => {
      await using pump = await Pump.start(kind);
      const { scene, device } = pump;
      const { chat: { chat }, owner, room, broker } = scene;
      const [deleted, kept] = [await scene.device(), await scene.device()];
      for (const { id } of [device, deleted, kept]) {
        await setDesired(chat, owner, { room, device: id }, { desired: { a: 1 } }, {
          merge: false,
        });
      }
      await using firmware = await pump.connect();
      await firmware.waitFor(pump.desired);
      await removeMember(chat, owner, room, device.id);
      await until("it is emptied", () => {
        const last = firmware.received.findLast(({ topic }) => topic === pump.desired);
        return last?.payload === "";
      });
      /** What the broker shows to whoever comes anew as a device. */
      const shownTo = async (id: string) => {
        const login = { url: broker.url, username: id, password: passwordOf(id) };
        await using visitor = await TestDevice.connect(login);
        await visitor.subscribe(topics.desired(id, room));
        await visitor.subscribe(topics.receipts(id)); // answered after what is retained
        return visitor.json(topics.desired(id, room)).length;
      };
      await until("it is shown to both", async () => {
        const shown = await Promise.all(
          [shownTo(deleted.id), shownTo(kept.id)].map((one) => one.catch(() => 0)),
        );
        return shown.every((count) => count === 1);
      });
      await deleteDevice(chat, owner, deleted.id);
      await broker.addDevice(deleted.id);
      await until("the broker has forgotten it", async () => {
        return await shownTo(deleted.id).catch(() => 1) === 0;
      });
      assertEquals(await shownTo(kept.id), 1);
    },
  );
}
