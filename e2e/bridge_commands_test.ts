/**
 * Commands while the bridge that works is killed between their publish and the replies, on one
 * Mosquitto as it is shipped, with two bridges and one worker in processes of their own.
 */
import { assertEquals } from "@std/assert";
import { base64url } from "jose";
import { deviceSecret } from "../lib/auth/devices.ts";
import { bridgeStore } from "../lib/chat/bridge.ts";
import { sendCommand } from "../lib/chat/commands.ts";
import { setMember } from "../lib/chat/members.ts";
import { createRoom } from "../lib/chat/rooms.ts";
import { newId } from "../lib/ids.ts";
import type { Message } from "../lib/protocol.ts";
import { Topics } from "../mqtt-bridge/topics.ts";
import { selfHosted } from "../testing/backend.ts";
import { chatNode, newDevice, newPrincipal } from "../testing/chat.ts";
import { findMosquitto, startMosquitto } from "../testing/mosquitto.ts";
import { TestDevice } from "../testing/mqtt_device.ts";
import { MainProcess } from "../testing/node_process.ts";
import { testWith } from "../testing/services.ts";
import { until } from "../testing/until.ts";

const backendKind = await selfHosted();
const mosquitto = await findMosquitto();
const service = backendKind.service.missing === undefined ? mosquitto : backendKind.service;
const topics = new Topics("confab/");
const START_MS = 30_000;
const CONNECTED = '"message":"The bridge is connected to the MQTT broker"';
const works = (bridge: MainProcess) => bridge.output.includes(CONNECTED);

async function passwordOf(deviceKey: string, id: string): Promise<string> {
  const raw = base64url.decode(deviceKey) as Uint8Array<ArrayBuffer>;
  const hmac = { name: "HMAC", hash: "SHA-256" };
  const key = await crypto.subtle.importKey("raw", raw, hmac, false, ["sign"]);
  return await deviceSecret(key, id, 1);
}

testWith(service, "a command has one answer, though its bridge dies before the reply", async () => {
  await using stack = new AsyncDisposableStack();
  const backend = stack.use(await backendKind.start());
  const broker = stack.use(await startMosquitto());
  const chat = await chatNode(backend.database.db);
  const owner = await newPrincipal(chat.db);
  const { id: room } = await createRoom(chat, owner, { name: "R", visibility: "private" });
  const pump = await newDevice(chat.db, owner);
  await setMember(chat, owner, room, pump.id, "member");
  const env = {
    ...backend.env,
    BEACON_SECONDS: "1",
    LOG_LEVEL: "info",
    MQTT_URL: broker.url,
    MQTT_USERNAME: broker.bridge.username,
    MQTT_PASSWORD: broker.bridge.password,
  };
  const bridges = [1, 2].map(() => stack.use(new MainProcess({ ...env, ROLES: "bridge" })));
  stack.use(new MainProcess({ ...env, ROLES: "workers" }));
  await until("one works", () => bridges.some(works), START_MS);
  const active = bridges.find(works)!;
  const waiting = bridges.find((one) => one !== active)!;

  const password = await passwordOf(backend.env.DEVICE_KEY!, pump.id);
  const access = { url: broker.url, username: pump.id, password, clean: false };
  let firmware: TestDevice | undefined;
  await until("the broker knows the device", async () => {
    firmware = await TestDevice.connect(access).catch(() => undefined);
    return firmware !== undefined;
  }, START_MS);
  stack.use(firmware!);
  const commands = topics.commands(pump.id);
  await firmware!.subscribe(commands);
  await firmware!.subscribe(topics.receipts(pump.id));
  await firmware!.subscribe(topics.errors(pump.id));
  const heard = () => new Set(firmware!.json(commands).map(({ commandId }) => commandId));
  const send = async (timeoutSeconds = 300): Promise<Message> => {
    const request = { clientId: newId(), name: "start", args: {}, timeoutSeconds };
    return (await sendCommand(chat, owner, room, pump.id, request)).message;
  };
  const id = ({ command }: Message) => command!.id;
  /** What became of the commands, and with how many answers, by their seq. */
  const outcomes = async () => {
    const log = await bridgeStore(chat).entries(room, 0, 1000);
    const messages = log.flatMap(({ event }) =>
      event.type === "message.created" ? [event.message] : []
    );
    const answers = (seq: number) => messages.filter(({ replyTo }) => replyTo === seq).length;
    const commands = messages.filter(({ command }) => command !== undefined);
    return new Map(
      commands.map(({ seq, command }) => [seq, `${command!.status}, ${answers(seq)} answers`]),
    );
  };

  const before: Message[] = [];
  for (let i = 0; i < 10; i++) before.push(await send());
  await until("the device has them", () => heard().size === before.length, START_MS);
  await active.kill("SIGKILL");
  // Nobody takes these from the broker, or from the log, until the other has the lease.
  for (const command of before) {
    for (let i = 0; i < 5; i++) {
      const reply = { commandId: id(command), ok: true, text: `reply ${i}` };
      await firmware!.publish(topics.replies(pump.id), JSON.stringify(reply));
    }
  }
  const between = await send();
  const hopeless = await send(1);
  await until("the other takes over", () => works(waiting), START_MS);
  await until("the device has the new one", () => heard().has(id(between)), START_MS);
  await firmware!.publish(topics.replies(pump.id), JSON.stringify({ commandId: id(between) }));
  const receipts = await (async () => {
    const all = () => firmware!.json(topics.receipts(pump.id));
    await until("every reply has its receipt", () => all().length >= 51, START_MS);
    return all();
  })();
  await until(
    "the one that nobody answered expires",
    async () => (await outcomes()).get(hopeless.seq)!.startsWith("expired"),
    START_MS,
  );
  const expected = new Map([...before, between].map(({ seq }) => [seq, "done, 1 answers"]));
  assertEquals(await outcomes(), expected.set(hopeless.seq, "expired, 0 answers"));
  // At most one receipt for each answer says that it was new; a second one died with its bridge.
  const fresh = receipts.filter(({ duplicate }) => !duplicate).map(({ seq }) => seq);
  assertEquals(new Set(fresh).size, fresh.length);
  assertEquals(new Set(receipts.map(({ seq }) => seq)).size, before.length + 1);
  assertEquals(firmware!.json(topics.errors(pump.id)), []);
});
