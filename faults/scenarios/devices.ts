import { TestDevice } from "../../testing/mqtt_device.ts";
import type { Scenario } from "../scenario.ts";
import type { Stage } from "../stage.ts";

/** A bridge dies while it cannot reach the database, with messages that its broker has taken. */
export const bridgeKilled: Scenario = {
  name: "bridge-killed",
  what: "The bridge is killed while its database is out of reach and a device has sent once",
  nodes: 1,
  bridges: 1,
  least: { acks: { mqtt: 20 }, deliveries: 0 },
  async play(stage) {
    const access = await stage.provision("sensor");
    await using device = await connected(stage, access);
    await device.subscribe(access.topics.receipts!);
    await sendOnce(stage, device, access, ["warm up"]);
    await stage.until("the first receipt", () => device.json(access.topics.receipts!).length === 1);
    stage.link("bridge1", "postgres").blackHole();
    await stage.pause(100);
    await sendOnce(stage, device, access, Array.from({ length: 20 }, (_, i) => `reading ${i}`));
    await stage.pause(700);
    await stage.world.bridges[0]!.end("SIGKILL");
    stage.link("bridge1", "postgres").heal();
    await stage.world.bridges[0]!.start();
    const receipts = () => device.json(access.topics.receipts!);
    for (let i = 0; i < 100 && receipts().length < 21; i++) await stage.pause(100);
    for (const { clientId, seq, duplicate } of receipts()) {
      const write = stage.recorder.writes.find(({ what }) =>
        what.type === "send" && what.clientId === clientId
      );
      write?.acks.push({ at: stage.world.now(), seq, duplicate });
    }
  },
};

type Access = Awaited<ReturnType<Stage["provision"]>>;

/** A device without any care of its own, once the broker knows it. */
async function connected(stage: Stage, access: Access): Promise<TestDevice> {
  const { host, port, username, password, clientId } = access;
  for (let tries = 0;; tries++) {
    try {
      const url = `mqtt://${host}:${port}`;
      return await TestDevice.connect({ url, username, password, clientId, clean: false });
    } catch (error) {
      if (tries === 50) throw error;
      await stage.pause(200);
    }
  }
}

/** Publishes with QoS 1 and never again; resolves when the broker has all of it. */
async function sendOnce(stage: Stage, device: TestDevice, access: Access, texts: string[]) {
  const { username: id, topics } = access;
  await Promise.all(texts.map((text) => {
    const clientId = crypto.randomUUID();
    const record = stage.recorder.write(id, stage.room, "mqtt", { type: "send", clientId, text });
    record.tries = 1;
    const topic = topics.send!.replace("{room}", stage.room);
    return device.publish(topic, JSON.stringify({ text, clientId }));
  }));
}

/** Two bridges run; one of them is far from the broker. */
export const twoBridges: Scenario = {
  name: "two-bridges",
  what: "Two bridges run, one of them with a slow link to the broker",
  nodes: 1,
  bridges: 2,
  least: { acks: { ws: 50 }, deliveries: 150 },
  async play(stage) {
    const { writer, device } = await deviceAndWriter(stage);
    stage.link("bridge2", "mosquitto").delay(120, 60, stage.random);
    await stage.sayFor(3000, 15, writer, device);
  },
};

/** The bridge loses its broker again and again while entries are on their way to a device. */
export const brokerLink: Scenario = {
  name: "broker-link",
  what: "The bridge's link to the broker is held and cut, again and again, under load",
  nodes: 1,
  bridges: 1,
  least: { acks: { ws: 50 }, deliveries: 150 },
  async play(stage) {
    const { writer, device } = await deviceAndWriter(stage);
    const link = stage.link("bridge1", "mosquitto");
    const talking = stage.sayFor(4500, 10, writer);
    for (let round = 0; round < 4; round++) {
      await stage.pause(900);
      link.blackHole();
      await stage.pause(200);
      link.drop();
      link.heal();
    }
    await talking;
    await stage.caughtUp(device);
  },
};

async function deviceAndWriter(stage: Stage) {
  const device = await stage.device("sensor");
  const writer = stage.socket(await stage.member("bob"), stage.node(1));
  await stage.caughtUp(writer, device);
  return { device, writer };
}
