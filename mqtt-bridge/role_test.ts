import { assert, assertEquals, assertRejects } from "@std/assert";
import { deviceSecret, deviceUsername } from "../lib/auth/devices.ts";
import { generateKeys } from "../lib/auth/keys.ts";
import { deviceStatus } from "../lib/chat/device_presence.ts";
import { createDevice, deleteDevice, rotateDevice } from "../lib/chat/devices.ts";
import { setMember } from "../lib/chat/members.ts";
import { createRoom } from "../lib/chat/rooms.ts";
import { readConfig } from "../lib/config.ts";
import { createLog } from "../lib/log.ts";
import { openServices } from "../lib/services.ts";
import { sayStatus } from "../lib/store/device_presence.ts";
import { newLease, newPrincipal } from "../testing/chat.ts";
import { testDatabase } from "../testing/database.ts";
import { freePort } from "../testing/mosquitto.ts";
import { TestDevice } from "../testing/mqtt_device.ts";
import { until } from "../testing/until.ts";
import { startBridgeRole } from "./role.ts";
import { Topics } from "./topics.ts";

const strict = { sanitizeOps: true, sanitizeResources: true, sanitizeExit: true };

/** A configuration of one process with its own broker. */
async function configOf(databaseUrl: string) {
  const { jwtPrivateJwk, deviceKey } = await generateKeys();
  return readConfig({
    DATABASE_URL: databaseUrl,
    DATABASE_DRIVER: "postgres",
    JWT_PRIVATE_JWK: jwtPrivateJwk,
    DEVICE_KEY: deviceKey,
    MQTT_PORT: String(freePort()),
    BEACON_SECONDS: "0.2",
  });
}

Deno.test(
  "the role serves devices over its own broker with their derived secrets",
  strict,
  async () => {
    await using database = await testDatabase();
    const config = await configOf(database.url);
    await using services = await openServices(config, { log: createLog("silent") });
    const { chat, keys } = services;
    const role = await startBridgeRole(services);
    try {
      await until("the bridge is connected", () => role.bridge.health().connected);
      const owner = await newPrincipal(services.db);
      const settings = { name: "R", topic: "", visibility: "private" as const, metadata: {} };
      const room = (await createRoom(chat, owner, settings)).id;
      const { device: { id } } = await createDevice(chat, owner, "Sensor");
      await setMember(chat, owner, room, id, "member");
      const topics = new Topics(config.mqtt.prefix);
      const connect = async (generation: number) =>
        await TestDevice.connect({
          url: `mqtt://127.0.0.1:${role.endpoint!.port}`,
          username: deviceUsername(id, { generation, plainGeneration: 1 }),
          password: await deviceSecret(keys.deviceKey, id, generation),
          clientId: `${id}-${generation}`,
        });
      await using first = await connect(1);
      await first.subscribe(topics.receipts(id));
      await first.subscribe(topics.events(id, "+"));
      await first.publish(topics.send(id, room), "hello");
      const [receipt] = await first.waitFor(topics.receipts(id));
      assertEquals([receipt.room, receipt.seq, receipt.duplicate], [room, 3, false]);
      await until(
        "its own message",
        () =>
          first.json(topics.events(id, room)).some((entry) =>
            entry.event.message?.text === "hello"
          ),
      );
      await rotateDevice(chat, owner, id);
      await until("the old secret's session ends", () => first.closed);
      await using second = await connect(2);
      await rotateDevice(chat, owner, id, 60);
      await using third = await connect(3);
      await assertRejects(() => connect(1), Error);
      assert(!second.closed && !third.closed, "both secrets are good");
      await rotateDevice(chat, owner, id);
      await until("both sessions end", () => second.closed && third.closed);
      await assertRejects(() => connect(2), Error);
      await assertRejects(() => connect(3), Error);
      await using last = await connect(4);
      await deleteDevice(chat, owner, id);
      await until("the session ends", () => last.closed);
    } finally {
      await role.stop();
    }
  },
);

Deno.test("no device is online when the only broker begins", strict, async () => {
  await using database = await testDatabase();
  await using services = await openServices(await configOf(database.url), {
    log: createLog("silent"),
  });
  const { chat, db } = services;
  const owner = await newPrincipal(db);
  const { device: { id } } = await createDevice(chat, owner, "Sensor");
  const lease = await newLease(db);
  const birth = () => sayStatus(db, lease, id, { online: true, session: 7 }, true);
  await birth();
  const role = await startBridgeRole(services);
  try {
    assertEquals((await deviceStatus(chat, owner, id)).online, false);
    assertEquals((await birth())?.outcome, "born");
  } finally {
    await role.stop();
  }
});
