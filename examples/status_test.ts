/** What the examples say of themselves, as a real Mosquitto hands it on. */
import { assert, assertEquals } from "@std/assert";
import { brokerKinds, passwordOf } from "../testing/mqtt_broker.ts";
import { TestDevice } from "../testing/mqtt_device.ts";
import { MqttScene } from "../testing/mqtt_scene.ts";
import { exampleKinds } from "../testing/example_process.ts";
import { testWith } from "../testing/services.ts";
import { until } from "../testing/until.ts";

const mosquitto = (await brokerKinds()).find(({ name }) => name === "Mosquitto")!;

for (const kind of await exampleKinds()) {
  const service = kind.service.missing === undefined ? mosquitto.service : kind.service;
  testWith(
    service,
    `on Mosquitto, the device in ${kind.name} has a birth and a last will with a number that rises`,
    async () => {
      await using scene = await MqttScene.start(mosquitto);
      await scene.bridge();
      const { id: device } = await scene.device();
      const { url, bridge } = scene.broker;
      await using observer = await TestDevice.connect({ ...bridge, clientId: "observer" });
      const status = `confab/d/${device}/status`;
      await observer.subscribe(status);
      const folder = await Deno.makeTempDir({ prefix: "confab-example-" });
      const { hostname: host, port } = new URL(url);
      const secret = passwordOf(device);
      const access = { host, port: Number(port), device, secret, room: scene.room };
      try {
        await using first = kind.start(access, folder);
        first.write(["Here"]);
        await until(
          `its first message is stored; it says: ${first.stderr}`,
          () => first.receipts.length === 1,
          60_000,
        );
        await first.kill("SIGKILL");
        const [, died] = await observer.waitFor(status, 2);
        assertEquals(died, { online: false, session: first.sessions.at(-1) });

        await using second = kind.start(access, folder);
        const born = (await observer.waitFor(status, 3))[2];
        assertEquals(born, { online: true, session: born.session });
        assert(born.session > died.session);
        await until("it has told of its birth", () => second.sessions.length === 1);
        assertEquals((await second.kill("SIGTERM")).code, 0);
        const told = await observer.waitFor(status, 4);
        assertEquals(told.slice(3), [{ online: false, session: born.session }]);
      } finally {
        await Deno.remove(folder, { recursive: true });
      }
    },
  );
}
