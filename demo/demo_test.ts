import { assertEquals, assertRejects } from "@std/assert";
import { ConfabClientError } from "../lib/client/mod.ts";
import type { DeviceTelemetry } from "../lib/client/mod.ts";
import { until } from "../testing/until.ts";
import { Confab } from "./confab.ts";
import { PlantScene } from "./scene.ts";

const strict = { sanitizeOps: true, sanitizeResources: true, sanitizeExit: true };

/** A port that is free now, below those that outgoing connections take. */
function freePort(): string {
  for (;;) {
    const port = 20_000 + Math.floor(Math.random() * 12_000);
    try {
      Deno.listen({ hostname: "127.0.0.1", port }).close();
      return String(port);
    } catch (error) {
      if (!(error instanceof Deno.errors.AddrInUse)) throw error;
    }
  }
}

async function answered({ people, room }: PlantScene, seq: number) {
  const { messages } = await people.ada.rest.messages(room, { after: seq - 1, limit: 50 });
  const command = messages.find((message) => message.seq === seq)?.command;
  const text = messages.find((message) => message.seq === command?.answer)?.text;
  return { status: command?.status, text };
}

Deno.test(
  "the demo's thirty devices are online, measure, obey, and leave politely",
  strict,
  async () => {
    const dataDir = await Deno.makeTempDir({ prefix: "confab-demo-" });
    await Deno.chmod(dataDir, 0o755);
    const said: string[] = [];
    const confab = await Confab.start({
      dataDir,
      env: { PORT: freePort(), MQTT_PORT: freePort() },
      say: (line) => said.push(line),
    });
    let scene: PlantScene | undefined;
    let code: number | undefined;
    try {
      scene = await PlantScene.start(confab, 7);
      const { people: { ada, grace }, room } = scene;
      assertEquals(new Set(scene.devices.map(({ equipment }) => equipment.name)).size, 30);
      await until("all thirty are online", async () => {
        const { items } = await grace.rest.presence(room);
        const ids = new Set(
          items.filter(({ state }) => state === "online").map((i) => i.principal),
        );
        return scene!.devices.every(({ equipment }) => ids.has(scene!.idOf(equipment.name)));
      });
      const path = `/v1/rooms/${room}/devices/${scene.idOf("Tank 1")}/telemetry`;
      await until("readings have come", async () => {
        const { metrics } = await ada.rest.request<DeviceTelemetry>("GET", path);
        return metrics.some(({ metric, count }) => metric === "level" && count >= 2);
      });
      await until("its state has come", async () => {
        const { reported } = await ada.rest.deviceState(room, scene!.idOf("Tank 1"));
        return reported?.capacity === 1200;
      });

      const clientId = "measure";
      const { message } = await grace.rest.sendCommand(room, scene.idOf("Tank 2"), {
        clientId,
        name: "measure",
      });
      await until("the command is answered", async () => {
        const { status, text } = await answered(scene!, message.seq);
        return status === "done" && /^\d+ of 900 litres$/.test(text ?? "");
      });
      const stop = { clientId: "stop", name: "emergency-stop" };
      const refused = await assertRejects(
        () => ada.rest.sendCommand(room, scene!.idOf("Pump 1"), stop),
        ConfabClientError,
      );
      assertEquals(refused.code, "confirmation_required");
    } finally {
      await scene?.stop();
      code = await confab.stop();
      await Deno.remove(dataDir, { recursive: true });
    }
    assertEquals(code, 0, said.join("\n"));
  },
);
