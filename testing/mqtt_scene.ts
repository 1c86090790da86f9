/**
 * A whole MQTT side for tests: a database with the real actions, one of the brokers, and bridges
 * that are started and stopped at will.
 */
import { deviceUsername } from "../lib/auth/devices.ts";
import type { Principal } from "../lib/auth/principal.ts";
import { bridgeStore, deviceActions } from "../lib/chat/bridge.ts";
import { deviceStatuses } from "../lib/chat/device_presence.ts";
import { liveDevice } from "../lib/chat/devices.ts";
import { setMember } from "../lib/chat/members.ts";
import { sendMessage } from "../lib/chat/messages.ts";
import { createRoom } from "../lib/chat/rooms.ts";
import { telemetryLane } from "../lib/chat/telemetry_lane.ts";
import { newId } from "../lib/ids.ts";
import { createLog } from "../lib/log.ts";
import type { LogEntry } from "../lib/protocol.ts";
import { type Bridge, type BridgeOptions, startBridge } from "../mqtt-bridge/bridge.ts";
import { watchOn } from "../mqtt-bridge/role.ts";
import { Topics } from "../mqtt-bridge/topics.ts";
import { type ChatScene, chatScene, newDevice, newPrincipal } from "./chat.ts";
import { checkDeviceMessage } from "./documented_frames.ts";
import { type BrokerKind, passwordOf, type TestBroker } from "./mqtt_broker.ts";
import { type DeviceOptions, TestDevice } from "./mqtt_device.ts";
import { until } from "./until.ts";

/** How a device of the scene connects. */
type Connecting = Pick<DeviceOptions, "version" | "clean" | "will"> & { generation?: number };

/** The topics of the tests. */
export const topics = new Topics("confab/");

/**
 * One room with its owner, and everything that devices need. Disposing of it fails when a device
 * was told something that is not as the AsyncAPI document says.
 */
export class MqttScene implements AsyncDisposable {
  readonly #stack = new AsyncDisposableStack();
  #bridges: Bridge[] = [];
  readonly #devices: TestDevice[] = [];

  private constructor(
    readonly chat: ChatScene,
    readonly broker: TestBroker,
    readonly owner: Principal,
    readonly room: string,
  ) {}

  static async start(kind: BrokerKind): Promise<MqttScene> {
    const chat = await chatScene();
    const broker = await kind.start((id) => liveDevice(chat.chat, id));
    const owner = await newPrincipal(chat.db);
    const made = await createRoom(chat.chat, owner, {
      name: "R",
      topic: "",
      visibility: "private",
      metadata: {},
    });
    const scene = new MqttScene(chat, broker, owner, made.id);
    scene.#stack.use(chat);
    scene.#stack.use(broker);
    return scene;
  }

  /** Starts a bridge and waits until it is connected, unless another is active. */
  async bridge(changes: Partial<BridgeOptions> = {}): Promise<Bridge> {
    const { chat } = this.chat;
    const bridge = startBridge({
      broker: this.broker.bridge,
      prefix: topics.prefix,
      actions: deviceActions(chat),
      store: bridgeStore(chat),
      statuses: deviceStatuses(chat, { shown: true }),
      provisioning: this.broker.provisioning,
      rate: { perSecond: 10_000, burst: 10_000 },
      beaconSeconds: 0.2,
      log: createLog("silent"),
      telemetry: {
        lane: telemetryLane(chat),
        rate: { perSecond: 10_000, burst: 10_000 },
        everyMs: 50,
      },
      watch: watchOn(chat.bus),
      ...changes,
    });
    const first = this.#bridges.length === 0;
    this.#bridges.push(bridge);
    if (first) await until("the bridge is connected", () => bridge.health().connected);
    return bridge;
  }

  async stopBridges(): Promise<void> {
    const bridges = this.#bridges;
    this.#bridges = [];
    await Promise.all(bridges.map((bridge) => bridge.stop()));
  }

  /** Makes a device, and a member of the room unless `joined` is false. */
  async device(joined = true): Promise<Principal> {
    const device = await newDevice(this.chat.db, this.owner);
    if (joined) await this.join(device);
    return device;
  }

  async join(device: Principal): Promise<void> {
    await setMember(this.chat.chat, this.owner, this.room, device.id, "member");
  }

  /** Connects a device, if the broker admits it now. */
  connectOnce(
    { id }: Principal,
    { generation = 1, ...options }: Connecting = {},
  ): Promise<TestDevice> {
    return TestDevice.connect({
      url: this.broker.url,
      username: deviceUsername(id, { generation, plainGeneration: 1 }),
      clientId: id,
      password: passwordOf(id, generation),
      ...options,
    });
  }

  /** Connects a device, as soon as the broker knows it, and subscribes to all it may read. */
  async connect(
    device: Principal,
    options: Connecting = {},
  ): Promise<TestDevice> {
    const { id } = device;
    let connected: TestDevice | undefined;
    await until("the broker admits the device", async () => {
      connected = await this.connectOnce(device, options).catch(() => undefined);
      return connected !== undefined;
    });
    const down = [topics.events(id, "+"), topics.head(id, "+"), topics.receipts(id)];
    for (const filter of [...down, topics.responses(id), topics.errors(id)]) {
      await connected!.subscribe(filter);
    }
    this.#devices.push(connected!);
    return connected!;
  }

  /** A message of the owner. */
  async say(text: string): Promise<number> {
    return (await sendMessage(this.chat.chat, this.owner, this.room, newId(), { text })).seq;
  }

  /** The whole log as the store has it. */
  log(): Promise<LogEntry[]> {
    return bridgeStore(this.chat.chat).entries(this.room, 0, 10_000);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stopBridges();
    await this.#stack.disposeAsync();
    for (const { received } of this.#devices) {
      for (const { topic, payload, retained } of received) {
        checkDeviceMessage(topic, payload, retained);
      }
    }
  }
}
