import { assert, assertEquals } from "@std/assert";
import { cancelCommand, type CommandRequest, sendCommand } from "../lib/chat/commands.ts";
import { removeMember } from "../lib/chat/members.ts";
import { deleteMessage, getMessage } from "../lib/chat/messages.ts";
import { newId } from "../lib/ids.ts";
import type { Principal } from "../lib/auth/principal.ts";
import type { Message } from "../lib/protocol.ts";
import { type BrokerKind, brokerKinds } from "../testing/mqtt_broker.ts";
import type { TestDevice } from "../testing/mqtt_device.ts";
import { MqttScene, topics } from "../testing/mqtt_scene.ts";
import { testWith } from "../testing/services.ts";
import { until } from "../testing/until.ts";

/** What came with a command besides its payload. */
interface Properties {
  responseTopic: string | undefined;
  correlationData: string | undefined;
  messageExpiryInterval: number | undefined;
}

/** A room with a pump in it, that the owner commands. */
class Plant implements AsyncDisposable {
  private constructor(readonly scene: MqttScene, readonly pump: Principal) {}

  static async start(kind: BrokerKind): Promise<Plant> {
    const scene = await MqttScene.start(kind);
    return new Plant(scene, await scene.device());
  }

  /** Connects the pump to its topics of commands. */
  async connect(
    options: { version?: 4 | 5; clean?: boolean } = {},
  ): Promise<{ firmware: TestDevice; properties: Properties[] }> {
    const firmware = await this.scene.connect(this.pump, options);
    const properties: Properties[] = [];
    firmware.client.on("message", (topic, _, packet) => {
      if (topic !== this.commands) return;
      const { responseTopic, correlationData, messageExpiryInterval } = packet.properties ?? {};
      properties.push({
        responseTopic,
        correlationData: correlationData?.toString(),
        messageExpiryInterval,
      });
    });
    await firmware.subscribe(this.commands);
    return { firmware, properties };
  }

  get commands(): string {
    return topics.commands(this.pump.id);
  }

  async send(changes: Partial<CommandRequest> = {}): Promise<Message> {
    const { scene: { chat: { chat }, owner, room }, pump } = this;
    const request = { clientId: newId(), name: "start", args: {}, timeoutSeconds: 600, ...changes };
    return (await sendCommand(chat, owner, room, pump.id, request)).message;
  }

  reply(firmware: TestDevice, reply: object): Promise<void> {
    return firmware.publish(topics.replies(this.pump.id), JSON.stringify(reply));
  }

  read(seq: number): Promise<Message> {
    return getMessage(this.scene.chat.chat, this.scene.owner, this.scene.room, seq);
  }

  /** The messages that reply to this one. */
  async answers(seq: number): Promise<Message[]> {
    return (await this.scene.log()).flatMap(({ event }) =>
      event.type === "message.created" && event.message.replyTo === seq ? [event.message] : []
    );
  }

  /** The arguments `i` of the commands that came, in the order of their first coming. */
  order(firmware: TestDevice): number[] {
    return [...new Set(firmware.json(this.commands).map(({ args }) => args.i as number))];
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.scene[Symbol.asyncDispose]();
  }
}

const id = (message: Message) => message.command!.id;

for (const kind of await brokerKinds()) {
  for (const version of [4, 5] as const) {
    testWith(
      kind.service,
      `a device obeys, and what became of it stands in the room (${kind.name}, ${version})`,
      async () => {
        await using plant = await Plant.start(kind);
        const { scene, pump } = plant;
        await scene.bridge();
        const { firmware, properties } = await plant.connect({ version });
        await using _firmware = firmware;
        const asked = await plant.send({ args: { speed: 3 } });
        const [heard] = await firmware.waitFor(plant.commands);
        assertEquals(heard, {
          commandId: id(asked),
          room: scene.room,
          seq: asked.seq,
          name: "start",
          args: { speed: 3 },
          from: { id: scene.owner.id, name: scene.owner.name },
          expiresAt: asked.command!.expiresAt,
        });
        if (version === 5) {
          const [{ responseTopic, correlationData, messageExpiryInterval }] = properties as [
            Properties,
          ];
          assertEquals([responseTopic, correlationData], [topics.replies(pump.id), id(asked)]);
          assert(messageExpiryInterval! > 500 && messageExpiryInterval! <= 600);
        }
        const attachments = [{ url: "https://files.example/pump.jpg", type: "image/jpeg" }];
        await plant.reply(firmware, {
          commandId: id(asked),
          text: "running",
          data: { rpm: 90 },
          attachments,
        });
        const [receipt] = await firmware.waitFor(topics.receipts(pump.id));
        const [answer] = await plant.answers(asked.seq);
        assertEquals(receipt, {
          clientId: `command:${id(asked)}`,
          room: scene.room,
          seq: answer!.seq,
          at: answer!.at,
          duplicate: false,
        });
        assertEquals([answer!.sender.id, answer!.text, answer!.data, answer!.attachments], [
          pump.id,
          "running",
          { rpm: 90 },
          attachments,
        ]);
        const { status, answer: seq } = (await plant.read(asked.seq)).command!;
        assertEquals([status, seq], ["done", answer!.seq]);
        await until(
          "the device hears what became of it, as everybody does",
          () =>
            firmware.json(topics.events(pump.id, scene.room)).some(({ event }) =>
              event.type === "command.updated" && event.message.command.status === "done"
            ),
        );
        assertEquals(firmware.json(topics.errors(pump.id)), []);
      },
    );
  }

  testWith(
    kind.service,
    `however often a device repeats its reply, one answer is shown (${kind.name})`,
    async () => {
      await using plant = await Plant.start(kind);
      const { scene, pump } = plant;
      await scene.bridge();
      await using firmware = (await plant.connect()).firmware;
      const asked = await plant.send();
      await firmware.waitFor(plant.commands);
      await Promise.all(
        [1, 2, 3, 4, 5].map((i) =>
          plant.reply(firmware, { commandId: id(asked), ok: i === 1, text: `reply ${i}` })
        ),
      );
      const receipts = await firmware.waitFor(topics.receipts(pump.id), 5);
      const answers = await plant.answers(asked.seq);
      assertEquals(answers.map(({ text }) => text), ["reply 1"]);
      assertEquals(receipts.map(({ duplicate }) => duplicate), [false, true, true, true, true]);
      assertEquals(new Set(receipts.map(({ seq }) => seq)), new Set([answers[0]!.seq]));
      const types = (await scene.log()).map(({ event }) => event.type);
      assertEquals(types.filter((type) => type === "command.updated").length, 1);
    },
  );

  testWith(
    kind.service,
    `MQTT 5 firmware may answer with anything under the correlation data (${kind.name})`,
    async () => {
      await using plant = await Plant.start(kind);
      await plant.scene.bridge();
      await using firmware = (await plant.connect({ version: 5 })).firmware;
      const payloads = ["running", '{"rpm":90}', '{"ok":false,"text":"jammed"}', ""];
      const asked: Message[] = [];
      for (const payload of payloads) {
        const message = await plant.send();
        asked.push(message);
        await firmware.publish(topics.replies(plant.pump.id), payload, {
          properties: { correlationData: new TextEncoder().encode(id(message)) as never },
        });
      }
      await firmware.waitFor(topics.receipts(plant.pump.id), payloads.length);
      const shown = await Promise.all(asked.map(async ({ seq }) => {
        const [answer] = await plant.answers(seq);
        return [(await plant.read(seq)).command!.status, answer!.text, answer!.data];
      }));
      assertEquals(shown, [
        ["done", "running", undefined],
        ["done", undefined, { rpm: 90 }],
        ["failed", "jammed", undefined],
        ["done", "Done", undefined],
      ]);
      const receipts = firmware.received.filter(({ topic }) =>
        topic === topics.receipts(plant.pump.id)
      );
      assertEquals(
        receipts.map(({ correlationData }) => new TextDecoder().decode(correlationData)),
        asked.map(id),
      );
    },
  );

  testWith(
    kind.service,
    `replies that count for nothing are refused with a code (${kind.name})`,
    async () => {
      await using plant = await Plant.start(kind);
      const { scene, pump } = plant;
      const { chat: { chat, db }, owner, room } = scene;
      await scene.bridge();
      const other = await scene.device();
      await using firmware = (await plant.connect()).firmware;
      await using foreign = await scene.connect(other);
      const asked = await plant.send();
      const late = await plant.send();
      const cancelled = await plant.send();
      await db.query("update commands set expires_at = now() where id = $1", [id(late)]);
      await cancelCommand(chat, owner, room, id(cancelled));
      await foreign.publish(topics.replies(other.id), JSON.stringify({ commandId: id(asked) }));
      const [theft] = await foreign.waitFor(topics.errors(other.id));
      assertEquals([theft.code, theft.clientId], ["not_found", `command:${id(asked)}`]);
      await plant.reply(firmware, { commandId: id(late) });
      await plant.reply(firmware, { commandId: id(cancelled) });
      await plant.reply(firmware, { commandId: "x" });
      await firmware.publish(topics.replies(pump.id), "running");
      const errors = await firmware.waitFor(topics.errors(pump.id), 4);
      assertEquals(errors.map(({ code, clientId, topic }) => [code, clientId, topic]), [
        ["command_settled", `command:${id(late)}`, topics.replies(pump.id)],
        ["command_settled", `command:${id(cancelled)}`, topics.replies(pump.id)],
        ["invalid_request", undefined, topics.replies(pump.id)],
        ["invalid_json", undefined, topics.replies(pump.id)],
      ]);
      for (const { seq } of [asked, late, cancelled]) {
        assertEquals(await plant.answers(seq), []);
      }
      assertEquals((await plant.read(asked.seq)).command!.status, "queued");
    },
  );

  testWith(
    kind.service,
    `a device that was away gets what is open when it comes, in order (${kind.name})`,
    async () => {
      await using plant = await Plant.start(kind);
      const { scene, pump } = plant;
      const { chat: { chat, db }, owner, room } = scene;
      await scene.bridge();
      const sent: Message[] = [];
      for (let i = 0; i < 8; i++) sent.push(await plant.send({ args: { i } }));
      await until("they have left the log's queue", async () => {
        const [row] = await db.query<{ seq: number }>("select max(seq) as seq from bridge_cursors");
        return row!.seq >= sent.at(-1)!.seq;
      });
      await cancelCommand(chat, owner, room, id(sent[2]!));
      await deleteMessage(chat, owner, room, sent[4]!.seq);
      await db.query("update commands set expires_at = now() where id = $1", [id(sent[6]!)]);
      // It has no session at the broker: nothing was kept for it there.
      await using firmware = (await plant.connect({ clean: true })).firmware;
      assertEquals(firmware.json(plant.commands), []);
      await firmware.publish(topics.status(pump.id), '{"online":true}', { retain: true });
      await until("the last one has come", () => plant.order(firmware).includes(7));
      assertEquals(plant.order(firmware), [0, 1, 3, 5, 7]);
      await plant.reply(firmware, { commandId: id(sent[7]!) });
      await firmware.waitFor(topics.receipts(pump.id));
      assertEquals((await plant.read(sent[7]!.seq)).command!.status, "done");
    },
  );

  testWith(
    kind.service,
    `a command outlives the bridge that published it (${kind.name})`,
    async () => {
      await using plant = await Plant.start(kind);
      const { scene, pump } = plant;
      await scene.bridge();
      await using firmware = (await plant.connect()).firmware;
      const asked = await plant.send({ args: { i: 1 } });
      await firmware.waitFor(plant.commands);
      await scene.stopBridges();
      const meanwhile = await plant.send({ args: { i: 2 } });
      for (let i = 0; i < 5; i++) await plant.reply(firmware, { commandId: id(asked) });
      await scene.bridge();
      const receipts = await firmware.waitFor(topics.receipts(pump.id), 5);
      assertEquals(receipts.filter(({ duplicate }) => !duplicate).length, 1);
      await until("the second has come", () => plant.order(firmware).includes(2));
      await plant.reply(firmware, { commandId: id(meanwhile) });
      await firmware.waitFor(topics.receipts(pump.id), 6);
      for (const { seq } of [asked, meanwhile]) {
        assertEquals((await plant.answers(seq)).length, 1);
        assertEquals((await plant.read(seq)).command!.status, "done");
      }
    },
  );

  testWith(
    kind.service,
    `what a broker may have lost comes again with the next bridge (${kind.name})`,
    async () => {
      await using plant = await Plant.start(kind);
      const { scene } = plant;
      const { chat: { db } } = scene;
      await scene.bridge();
      const sent: Message[] = [];
      for (let i = 0; i < 5; i++) sent.push(await plant.send({ args: { i } }));
      await until("they have left the log's queue", async () => {
        const [row] = await db.query<{ seq: number }>("select max(seq) as seq from bridge_cursors");
        return row!.seq >= sent.at(-1)!.seq;
      });
      await using firmware = (await plant.connect({ clean: true })).firmware;
      assertEquals(plant.order(firmware), []);
      await scene.stopBridges();
      await scene.bridge();
      await until("the last one has come", () => plant.order(firmware).includes(4));
      assertEquals(plant.order(firmware), [0, 1, 2, 3, 4]);
    },
  );

  testWith(
    kind.service,
    `a device that is removed gets no open command, nor when it is back (${kind.name})`,
    async () => {
      await using plant = await Plant.start(kind);
      const { scene, pump } = plant;
      const { chat: { chat }, owner, room } = scene;
      await scene.bridge();
      const asked = await plant.send({ args: { i: 1 } });
      await removeMember(chat, owner, room, pump.id);
      await using firmware = (await plant.connect({ clean: true })).firmware;
      const status = () => firmware.publish(topics.status(pump.id), '{"online":true}');
      // What comes after its request comes after what was open at its birth.
      await status();
      await plant.reply(firmware, { commandId: id(asked) });
      const [refused] = await firmware.waitFor(topics.errors(pump.id));
      assertEquals(refused.code, "not_found");
      await scene.join(pump);
      await plant.send({ args: { i: 2 } });
      await until("a later command comes", async () => {
        await status();
        return plant.order(firmware).includes(2);
      });
      assertEquals(plant.order(firmware), [2]);
      await plant.reply(firmware, { commandId: id(asked) });
      const [, late] = await firmware.waitFor(topics.errors(pump.id), 2);
      assertEquals(late.code, "command_settled");
      assertEquals((await plant.read(asked.seq)).command!.status, "cancelled");
    },
  );
}
