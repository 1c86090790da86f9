import { assertEquals } from "@std/assert";
import { setDataSchema } from "../lib/chat/data_schemas.ts";
import { newId } from "../lib/ids.ts";
import { createLog } from "../lib/log.ts";
import { brokerKinds } from "../testing/mqtt_broker.ts";
import { MqttScene, topics } from "../testing/mqtt_scene.ts";
import { testWith } from "../testing/services.ts";
import { DataChecks } from "./data_checks.ts";

const CELSIUS = {
  type: "object",
  properties: { celsius: { type: "number", maximum: 150 } },
  required: ["celsius"],
};

Deno.test("a fleet without schemas is asked about once, and again after a change", async () => {
  let asked = 0;
  const checks = new DataChecks({
    dataSchema: () => Promise.resolve(++asked > 3000 ? { type: "string" } : null),
    usedClientIds: () => Promise.resolve([]),
  }, createLog("silent"));
  const fleet = Array.from({ length: 3000 }, () => newId());
  const room = newId();
  const say = async (device: string) =>
    (await checks.refusals(device, room, [{ clientId: "1", body: { data: 1 } }]))[0]?.code;
  for (const device of [...fleet, ...fleet]) assertEquals(await say(device), undefined);
  assertEquals(asked, 3000);
  checks.forget(fleet[0]!);
  for (let i = 0; i < 2; i++) assertEquals(await say(fleet[0]!), "schema_violation");
  assertEquals(asked, 3001);
});

for (const kind of await brokerKinds()) {
  testWith(
    kind.service,
    `data that is not as its schema says is refused (${kind.name})`,
    async () => {
      await using scene = await MqttScene.start(kind);
      const { owner, room, chat: { chat } } = scene;
      const bridge = await scene.bridge();
      const principal = await scene.device();
      await using device = await scene.connect(principal);
      const { id } = principal;
      const say = (payload: unknown) =>
        device.publish(topics.send(id, room), JSON.stringify(payload));
      await say({ clientId: "before", data: { fahrenheit: 70 } });
      await device.waitFor(topics.receipts(id));

      await setDataSchema(chat, owner, id, CELSIUS);
      bridge.revoked(id);
      await say({ clientId: "1", data: { celsius: 20 } });
      await say({ clientId: "2", data: { celsius: 200 } });
      await say({ clientId: "3", text: "hot" });
      await say({ clientId: "4", data: { celsius: 21 } });
      // Stored before there was a schema: its repeat gets its receipt.
      await say({ clientId: "before", data: { fahrenheit: 70 } });
      await device.waitFor(topics.receipts(id), 5);
      const receipts = device.json(topics.receipts(id));
      assertEquals(receipts.map(({ clientId }) => clientId), ["before", "1", "3", "4", "before"]);
      assertEquals(receipts.at(-1)!.duplicate, true);
      const seqs = receipts.slice(0, 4).map(({ seq }) => seq - receipts[0]!.seq);
      assertEquals(seqs, [0, 1, 2, 3]);
      const [error] = await device.waitFor(topics.errors(id));
      const { code, message, clientId } = error;
      assertEquals([code, message, clientId], [
        "schema_violation",
        "data/celsius: 200 is greater than 150.",
        "2",
      ]);
    },
  );
}
