import { assert, assertEquals, assertRejects } from "@std/assert";
import { deviceSecret, deviceUsername } from "../../lib/auth/devices.ts";
import { generateKeys, loadKeys } from "../../lib/auth/keys.ts";
import { bridgeStore } from "../../lib/chat/bridge.ts";
import { createDevice, disableDevice, rotateDevice } from "../../lib/chat/devices.ts";
import { createLog } from "../../lib/log.ts";
import { chatScene, newPrincipal } from "../../testing/chat.ts";
import { findMosquitto, startMosquitto } from "../../testing/mosquitto.ts";
import { TestDevice } from "../../testing/mqtt_device.ts";
import { testWith } from "../../testing/services.ts";
import { Connection } from "../connection.ts";
import { DynamicSecurity } from "../provisioning.ts";

testWith(
  await findMosquitto(),
  "a Mosquitto that starts with the file of all devices needs no change",
  async () => {
    await using scene = await chatScene();
    await using broker = await startMosquitto();
    const { chat, db } = scene;
    const owner = await newPrincipal(db);
    const made = async () => (await createDevice(chat, owner, "D")).device.id;
    const [plain, rotating, rotated, disabled] = [
      await made(),
      await made(),
      await made(),
      await made(),
    ];
    await rotateDevice(chat, owner, rotating, 600);
    await rotateDevice(chat, owner, rotated);
    await disableDevice(chat, owner, disabled);
    const { jwtPrivateJwk, deviceKey } = await generateKeys();
    const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--no-check", new URL("credentials.ts", import.meta.url).pathname],
      env: {
        DATABASE_URL: scene.url,
        DATABASE_DRIVER: "postgres",
        JWT_PRIVATE_JWK: jwtPrivateJwk,
        DEVICE_KEY: deviceKey,
        MQTT_URL: broker.url,
        MQTT_USERNAME: broker.bridge.username,
        MQTT_PASSWORD: broker.bridge.password,
      },
    }).output();
    assert(success, new TextDecoder().decode(stderr));
    await broker.startAnew(new TextDecoder().decode(stdout));

    const keys = await loadKeys({ jwtPrivateJwk, deviceKey });
    const connect = async (id: string, generation: number) =>
      await TestDevice.connect({
        url: broker.url,
        username: deviceUsername(id, { generation, plainGeneration: 1 }),
        password: await deviceSecret(keys.deviceKey, id, generation),
        clientId: id,
      });
    for (const [id, generation] of [[plain, 1], [rotating, 1], [rotating, 2], [rotated, 2]]) {
      await using _device = await connect(id as string, generation as number);
    }
    for (const [id, generation] of [[rotated, 1], [disabled, 1], [plain, 2]]) {
      await assertRejects(() => connect(id as string, generation as number), Error);
    }
    const connection = new Connection({
      url: broker.url,
      ...broker.bridge,
      clientId: "confab-bridge-0",
      subscriptions: [DynamicSecurity.subscription],
      onDelivery: (delivery) => Promise.resolve(dynsec.receive(delivery.payload)),
    });
    const dynsec: DynamicSecurity = new DynamicSecurity({
      publisher: connection,
      secretOf: ({ id, generation }) => deviceSecret(keys.deviceKey, id, generation),
      log: createLog("silent"),
    });
    await connection.ready;
    assertEquals(await dynsec.differing(await bridgeStore(chat).devices()), []);
    await connection.close();
  },
);
