/**
 * Two bridges of their own processes on one Mosquitto as it is shipped, and a device that publishes
 * all the time: what happens when the one that works is killed, and when it only sleeps.
 */
import { assert, assertEquals } from "@std/assert";
import { base64url } from "jose";
import { deviceSecret } from "../lib/auth/devices.ts";
import type { Principal } from "../lib/auth/principal.ts";
import { bridgeStore } from "../lib/chat/bridge.ts";
import { setMember } from "../lib/chat/members.ts";
import { createRoom } from "../lib/chat/rooms.ts";
import { Topics } from "../mqtt-bridge/topics.ts";
import { type Backend, selfHosted } from "../testing/backend.ts";
import { type ChatNode, chatNode, newDevice, newPrincipal } from "../testing/chat.ts";
import { findMosquitto, startMosquitto, type TestMosquitto } from "../testing/mosquitto.ts";
import { TestDevice } from "../testing/mqtt_device.ts";
import { MainProcess } from "../testing/node_process.ts";
import { testWith } from "../testing/services.ts";
import { range } from "../testing/subscriber.ts";
import { until } from "../testing/until.ts";

const backendKind = await selfHosted();
const mosquitto = await findMosquitto();
const service = backendKind.service.missing === undefined ? mosquitto : backendKind.service;
const topics = new Topics("confab/");
const START_MS = 30_000;
/** Messages that the device sends ahead of their receipts. */
const AHEAD = 40;

const ACTIVE = "This bridge is active";
const CONNECTED = "The bridge is connected to the MQTT broker";
const LOST = "The lease is lost";

/** How often a process has logged this. */
function logged(bridge: MainProcess, message: string): number {
  return bridge.output.split(`"message":"${message}"`).length - 1;
}

/** A room with one device in it, and two bridges of which one works. */
class Scene implements AsyncDisposable {
  readonly #stack = new AsyncDisposableStack();
  readonly keys: string[] = [];
  #publishing: Promise<void> = Promise.resolve();
  #stop = false;

  private constructor(
    readonly backend: Backend,
    readonly chat: ChatNode,
    readonly room: string,
    readonly principal: Principal,
    readonly device: TestDevice,
    /** The bridge that works, and the one that waits for it. */
    readonly active: MainProcess,
    readonly waiting: MainProcess,
  ) {}

  static async start(): Promise<Scene> {
    await using stack = new AsyncDisposableStack();
    const backend = stack.use(await backendKind.start());
    const broker = stack.use(await startMosquitto());
    const chat = await chatNode(backend.database.db);
    const owner = await newPrincipal(chat.db);
    const { id: room } = await createRoom(chat, owner, { name: "R", visibility: "private" });
    const principal = await newDevice(chat.db, owner);
    await setMember(chat, owner, room, principal.id, "member"); // entry 2
    const env = {
      ...backend.env,
      ROLES: "bridge",
      BEACON_SECONDS: "1",
      LOG_LEVEL: "info",
      MQTT_URL: broker.url,
      MQTT_USERNAME: broker.bridge.username,
      MQTT_PASSWORD: broker.bridge.password,
    };
    const bridges = [1, 2].map(() => stack.use(new MainProcess(env)));
    await until("one works", () => bridges.some((one) => logged(one, CONNECTED) > 0), START_MS);
    // The other has come as far as it can: it asks for the lease.
    await until("both run", () => bridges.every((one) => logged(one, "Services") > 0), START_MS);
    const active = bridges.find((one) => logged(one, ACTIVE) > 0)!;
    const waiting = bridges.find((one) => one !== active)!;
    const device = stack.use(await connect(backend, broker, principal));
    const scene = new Scene(backend, chat, room, principal, device, active, waiting);
    scene.#stack.use(stack.move());
    return scene;
  }

  /** Publishes one message after the other until `finish()`, some ahead of their receipts. */
  publish(): void {
    const topic = topics.send(this.principal.id, this.room);
    this.#publishing = (async () => {
      while (!this.#stop) {
        await until("a receipt", () => this.#stop || this.#missing < AHEAD, START_MS);
        const key = `k${this.keys.length + 1}`;
        this.keys.push(key);
        await this.device.publish(topic, JSON.stringify({ text: key, clientId: key }));
      }
    })();
  }

  get #missing(): number {
    return this.keys.length - new Set(this.receipts.map(({ clientId }) => clientId)).size;
  }

  get receipts(): { clientId: string; seq: number }[] {
    return this.device.json(topics.receipts(this.principal.id));
  }

  /** The seqs of all events so far, in the order of arrival, repeats too. */
  get seqs(): number[] {
    return this.device.json(topics.events(this.principal.id, this.room)).map(({ seq }) => seq);
  }

  async moreReceipts(count: number): Promise<void> {
    const wanted = this.receipts.length + count;
    await until(`${count} more receipts`, () => this.receipts.length >= wanted, START_MS);
  }

  /** Ends the publishing and holds everything that was promised against the log. */
  async finish(): Promise<void> {
    this.#stop = true;
    await this.#publishing;
    await until("every receipt", () => this.#missing === 0, START_MS);
    const log = await bridgeStore(this.chat).entries(this.room, 0, 100_000);
    assertEquals(log.map(({ seq }) => seq), range(1, log.length), "gapless");
    const stored = log.flatMap(({ seq, event }) =>
      event.type === "message.created" ? [{ clientId: event.message.clientId!, seq }] : []
    );
    assertEquals(
      stored.map(({ clientId }) => clientId),
      this.keys,
      "each once, in the device's order",
    );
    const seqOf = new Map(stored.map(({ clientId, seq }) => [clientId, seq]));
    for (const { clientId, seq } of this.receipts) assertEquals(seqOf.get(clientId), seq);
    await until("all events", () => this.seqs.includes(log.length), START_MS);
    // Entry 2, its own coming, may be older than its subscription, and come again after a takeover.
    const seen = [...new Set(this.seqs)].filter((seq) => seq > 2);
    assertEquals(seen, range(3, log.length), "in order");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop = true;
    await this.#publishing.catch(() => {});
    await this.#stack.disposeAsync();
  }
}

/** The device's connection, as soon as a bridge has told the broker of it. */
async function connect(
  { env }: Backend,
  { url }: TestMosquitto,
  { id }: Principal,
): Promise<TestDevice> {
  const hmac = { name: "HMAC", hash: "SHA-256" };
  const raw = base64url.decode(env.DEVICE_KEY!) as Uint8Array<ArrayBuffer>;
  const key = await crypto.subtle.importKey("raw", raw, hmac, false, ["sign"]);
  const password = await deviceSecret(key, id, 1);
  let device: TestDevice | undefined;
  await until("the broker knows the device", async () => {
    device = await TestDevice.connect({ url, username: id, password }).catch(() => undefined);
    return device !== undefined;
  });
  await device!.subscribe(topics.receipts(id));
  await device!.subscribe(topics.events(id, "+"));
  return device!;
}

testWith(service, "P1, P3: a bridge that is killed loses and doubles nothing", async () => {
  await using scene = await Scene.start();
  scene.publish();
  await scene.moreReceipts(50);
  await scene.active.kill("SIGKILL");
  await until("the other takes over", () => logged(scene.waiting, CONNECTED) === 1);
  await scene.moreReceipts(50);
  await scene.finish();
});

testWith(service, "a bridge that slept past its lease finds itself deposed", async () => {
  await using scene = await Scene.start();
  const { active, waiting } = scene;
  scene.publish();
  await scene.moreReceipts(50);
  Deno.kill(active.pid, "SIGSTOP");
  try {
    await until("the other takes over", () => logged(waiting, CONNECTED) === 1);
    await scene.moreReceipts(50);
  } finally {
    Deno.kill(active.pid, "SIGCONT");
  }
  const awake = scene.seqs.length;
  await until("the sleeper knows", () => logged(active, LOST) === 1);
  await scene.moreReceipts(50);
  await scene.finish();
  const after = scene.seqs.slice(awake);
  assertEquals(after, after.toSorted((a, b) => a - b), "the sleeper publishes nothing old");
  assertEquals([logged(active, ACTIVE), logged(active, CONNECTED)], [1, 1], "it stays out");
  assertEquals([logged(waiting, LOST), logged(waiting, CONNECTED)], [0, 1], "nobody disturbs it");
  const [lease] = await scene.chat.db.query<{ term: number }>("select term from leases");
  assertEquals(lease?.term, 2);
  assert(active.exit === undefined && waiting.exit === undefined);
});
