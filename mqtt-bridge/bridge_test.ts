import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { deleteDevice, rotateDevice } from "../lib/chat/devices.ts";
import { removeMember } from "../lib/chat/members.ts";
import { deleteMessage, editMessage } from "../lib/chat/messages.ts";
import { newId } from "../lib/ids.ts";
import { brokerKinds } from "../testing/mqtt_broker.ts";
import type { TestDevice } from "../testing/mqtt_device.ts";
import { MqttScene, topics } from "../testing/mqtt_scene.ts";
import { testWith } from "../testing/services.ts";
import { until } from "../testing/until.ts";

/** The seqs that a device has, without the repeats that at-least-once allows, in order of arrival. */
function seqsOf(device: TestDevice, topic: string): number[] {
  return [...new Set(device.json(topic).map((entry) => entry.seq as number))];
}

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from + 1 }, (_, i) => from + i);
}

for (const kind of await brokerKinds()) {
  for (const version of [4, 5] as const) {
    testWith(
      kind.service,
      `people and devices share a room (${kind.name}, ${version})`,
      async () => {
        await using scene = await MqttScene.start(kind);
        const { room, owner, chat: { chat } } = scene;
        await scene.bridge();
        const [a, b] = [await scene.device(false), await scene.device(false)];
        await using first = await scene.connect(a, { version });
        await using second = await scene.connect(b, { version });
        await scene.join(a); // 2
        await scene.join(b); // 3
        const attachments = [{ url: "https://files.example/snap.jpg", type: "image/jpeg" }];
        const sent = JSON.stringify({ text: "21.5", clientId: "k1", attachments });
        await first.publish(topics.send(a.id, room), sent);
        const [receipt] = await first.waitFor(topics.receipts(a.id));
        assertEquals([receipt.clientId, receipt.room, receipt.seq, receipt.duplicate], [
          "k1",
          room,
          4,
          false,
        ]);
        await first.publish(topics.send(a.id, room), sent);
        const [, repeated] = await first.waitFor(topics.receipts(a.id), 2);
        assertEquals([repeated.seq, repeated.duplicate], [4, true]);
        const seq = await scene.say("hello");
        await editMessage(chat, owner, room, seq, { text: "hello, world" });
        await deleteMessage(chat, owner, room, 4);
        for (const [principal, device, from] of [[a, first, 2], [b, second, 3]] as const) {
          const topic = topics.events(principal.id, room);
          await until("all entries", () => seqsOf(device, topic).includes(7));
          assertEquals(seqsOf(device, topic), range(from, 7));
          const entries = device.json(topic);
          const created = entries.find((entry) => entry.seq === 4);
          assertEquals(created.event.message.clientId, device === first ? "k1" : undefined);
          const files = created.event.message.deletedAt === undefined ? attachments : [];
          assertEquals(created.event.message.attachments, files);
          assertEquals(entries.find((entry) => entry.seq === 6).event.message.text, "hello, world");
          assertEquals(entries.find((entry) => entry.seq === 7).event.type, "message.deleted");
          const heads = await until(
            "the head",
            () => device.json(topics.head(principal.id, room)).some((head) => head.seq === 7),
          );
          assertEquals(heads, undefined);
          assertEquals(typeof device.json(topics.head(principal.id, room))[0].epoch, "string");
        }
      },
    );
  }

  testWith(
    kind.service,
    `P7: a removed device gets its removal and nothing later (${kind.name})`,
    async () => {
      await using scene = await MqttScene.start(kind);
      const { room, owner, chat: { chat } } = scene;
      await scene.bridge();
      const [gone, stays] = [await scene.device(false), await scene.device(false)];
      await using first = await scene.connect(gone);
      await using second = await scene.connect(stays);
      await scene.join(gone); // 2
      await scene.join(stays); // 3
      await scene.say("before"); // 4
      await first.waitFor(topics.head(gone.id, room));
      await Promise.all([
        removeMember(chat, owner, room, gone.id), // 5, or between the others
        ...range(1, 50).map((i) => scene.say(`${i}`)),
      ]);
      await until(
        "the others hear all",
        () => seqsOf(second, topics.events(stays.id, room)).includes(55),
      );
      const removal = (await scene.log()).find((entry) => entry.event.type === "member.removed")!;
      const topic = topics.events(gone.id, room);
      assertEquals(seqsOf(first, topic), range(2, removal.seq));
      await until(
        "its head is cleared",
        () =>
          first.received.some((one) =>
            one.topic === topics.head(gone.id, room) && one.payload === ""
          ),
      );
      await first.publish(topics.send(gone.id, room), "still here?");
      const [error] = await first.waitFor(topics.errors(gone.id));
      assertEquals([error.code, error.room], ["not_found", room]);
      await scene.join(gone); // 56
      await until("it hears again", () => seqsOf(first, topic).includes(56));
      assertEquals(seqsOf(first, topic), [...range(2, removal.seq), 56]);
    },
  );

  testWith(
    kind.service,
    `a device is not shown what is older than it may see (${kind.name})`,
    async () => {
      await using scene = await MqttScene.start(kind);
      const { room, owner, chat: { chat, db } } = scene;
      const old = await scene.say("secret"); // 2
      const [blind, sees] = [await scene.device(), await scene.device(false)]; // 3
      await db.query("update members set visible_from = joined_seq where principal_id = $1", [
        blind.id,
      ]);
      await scene.bridge();
      await using first = await scene.connect(blind);
      await using second = await scene.connect(sees);
      await editMessage(chat, owner, room, old, { text: "still secret" }); // 4
      await scene.join(sees); // 5
      await editMessage(chat, owner, room, old, { text: "not for all" }); // 6
      const seq = await scene.say("for all"); // 7
      await until("it arrives", () => seqsOf(first, topics.events(blind.id, room)).includes(seq));
      await until("it arrives", () => seqsOf(second, topics.events(sees.id, room)).includes(seq));
      const texts = (device: TestDevice, id: string) =>
        device.json(topics.events(id, room)).flatMap(({ event }) => event.message?.text ?? []);
      assertEquals([...new Set(texts(first, blind.id))], ["for all"]);
      assertEquals([...new Set(texts(second, sees.id))], ["not for all", "for all"]);
      assertEquals(seqsOf(first, topics.events(blind.id, room)).slice(-4), range(4, 7));
    },
  );

  testWith(kind.service, `every bad publish is answered by name (${kind.name})`, async () => {
    await using scene = await MqttScene.start(kind);
    const { room } = scene;
    await scene.bridge();
    const device = await scene.device();
    await using firmware = await scene.connect(device);
    const send = topics.send(device.id, room);
    await firmware.publish(send, '{"text":"x","clientId":"once"}');
    await firmware.waitFor(topics.receipts(device.id));
    const bad: [string, string, string | Uint8Array][] = [
      ["invalid_utf8", send, new Uint8Array([0xff])],
      ["payload_too_large", send, "x".repeat(20_000)],
      ["invalid_request", send, ""],
      ["invalid_request", send, '{"text":5}'],
      ["client_id_reused", send, '{"text":"y","clientId":"once"}'],
      ["invalid_reply", send, '{"text":"y","replyTo":99}'],
      ["invalid_request", send, '{"attachments":[{"url":"file:///etc/passwd"}]}'],
      ["not_found", topics.send(device.id, newId()), "x"],
      ["invalid_json", topics.requests(device.id), "{"],
      ["invalid_request", topics.requests(device.id), '{"type":"log"}'],
    ];
    for (const [i, [code, topic, payload]] of bad.entries()) {
      await firmware.publish(topic, payload);
      const errors = await firmware.waitFor(topics.errors(device.id), i + 1);
      assertEquals([errors[i].code, errors[i].topic], [code, topic]);
      assertEquals(typeof errors[i].message, "string");
    }
    const errors = firmware.json(topics.errors(device.id));
    assertEquals(errors[4].clientId, "once");
    assertStringIncludes(errors[6].message, "attachments.0.url must be");
    assertEquals((await scene.log()).length, 3);
  });

  testWith(kind.service, `a device reads the log by request (${kind.name})`, async () => {
    await using scene = await MqttScene.start(kind);
    const { room } = scene;
    await scene.bridge();
    const device = await scene.device();
    await using firmware = await scene.connect(device);
    for (let i = 0; i < 5; i++) await scene.say(`${i}`);
    const ask = (request: unknown) =>
      firmware.publish(topics.requests(device.id), JSON.stringify(request));
    await ask({ requestId: "1", type: "log", room, after: 2, limit: 3 });
    const [page] = await firmware.waitFor(topics.responses(device.id));
    assertEquals([page.requestId, page.room, page.head, page.hasMore], ["1", room, 7, true]);
    assertEquals(page.entries.map((entry: { seq: number }) => entry.seq), [3, 4, 5]);
    await ask({ requestId: "2", type: "log", room, epoch: "foreign", after: 2 });
    await ask({ requestId: "3", type: "log", room: newId(), after: 0 });
    await ask({ requestId: "4", type: "log", room, after: -1 });
    const answers = await firmware.waitFor(topics.responses(device.id), 4);
    assertEquals(answers.slice(1).map((answer) => [answer.requestId, answer.error.code]), [
      ["2", "epoch_changed"],
      ["3", "not_found"],
      ["4", "invalid_request"],
    ]);
  });

  testWith(
    kind.service,
    `a burst beyond the window is stored and receipted (${kind.name})`,
    async () => {
      await using scene = await MqttScene.start(kind);
      const { room } = scene;
      await scene.bridge({ window: 10 });
      const devices = await Promise.all(range(1, 4).map(() => scene.device()));
      const senders = await Promise.all(devices.map((device) => scene.connect(device)));
      const texts = range(1, 50).map(String);
      for (const [i, sender] of senders.entries()) {
        for (const text of texts) void sender.publish(topics.send(devices[i]!.id, room), text);
      }
      for (const [i, sender] of senders.entries()) {
        const receipts = await sender.waitFor(topics.receipts(devices[i]!.id), texts.length);
        const seqs = receipts.map((receipt) => receipt.seq as number);
        assertEquals(seqs, seqs.toSorted((a, b) => a - b), "receipts come in order");
      }
      for (const device of devices) {
        const stored = (await scene.log()).flatMap(({ event }) =>
          event.type === "message.created" && event.actor.id === device.id
            ? [event.message.text]
            : []
        );
        assertEquals(stored, texts);
      }
      for (const sender of senders) await sender[Symbol.asyncDispose]();
    },
  );

  testWith(kind.service, `an MQTT 5 device is answered where it asked (${kind.name})`, async () => {
    await using scene = await MqttScene.start(kind);
    const { room } = scene;
    await scene.bridge();
    const [device, other] = [await scene.device(), await scene.device()];
    await using firmware = await scene.connect(device);
    await using neighbour = await scene.connect(other);
    const mine = `${topics.responses(device.id)}/mine`;
    await firmware.subscribe(mine);
    const correlationData = new Uint8Array([1, 2, 3]) as never;
    for (const responseTopic of [mine, topics.responses(other.id)]) {
      await firmware.publish(topics.send(device.id, room), "x", {
        properties: { responseTopic, correlationData },
      });
    }
    const [receipt, second] = await firmware.waitFor(topics.receipts(device.id), 2);
    assertEquals([receipt.clientId, receipt.seq, receipt.duplicate], ["AQID", 4, false]);
    assertEquals([second.seq, second.duplicate], [4, true]);
    assertEquals((await firmware.waitFor(mine)).map((one) => one.seq), [4]);
    const answered = firmware.received.find((one) => one.topic === mine);
    assertEquals([...answered!.correlationData!], [1, 2, 3]);
    await scene.say("a round trip");
    await until("it arrives", () => seqsOf(neighbour, topics.events(other.id, room)).includes(5));
    assertEquals(neighbour.json(topics.responses(other.id)), []);
  });

  testWith(kind.service, `nothing is lost while no bridge runs (${kind.name})`, async () => {
    await using scene = await MqttScene.start(kind);
    const { room } = scene;
    await scene.bridge();
    const device = await scene.device(false);
    await using firmware = await scene.connect(device);
    await scene.join(device);
    await firmware.publish(topics.send(device.id, room), '{"text":"first","clientId":"0"}');
    await firmware.waitFor(topics.receipts(device.id));
    await scene.stopBridges();
    const keys = range(1, 100).map(String);
    await Promise.all(
      keys.map((key) =>
        firmware.publish(topics.send(device.id, room), JSON.stringify({ text: key, clientId: key }))
      ),
    );
    for (let i = 0; i < 60; i++) await scene.say(`person ${i}`);
    await scene.broker.crash?.(); // what Mosquitto acknowledged survives that
    await scene.bridge();
    await using again = scene.broker.crash ? await scene.connect(device) : firmware;
    await until("everything is stored", async () => (await scene.log()).length >= 163);
    const log = await scene.log();
    const sent = log.flatMap(({ event }) =>
      event.type === "message.created" && event.actor.id === device.id ? [event.message.text!] : []
    );
    assertEquals(sent, ["first", ...keys], "in the order of the device");
    const topic = topics.events(device.id, room);
    await until("everything is delivered", () => seqsOf(again, topic).includes(log.length));
    if (again === firmware) assertEquals(seqsOf(again, topic), range(2, log.length));
    await until(
      "the head says so",
      () => again.json(topics.head(device.id, room)).some((head) => head.seq === log.length),
    );
  });

  testWith(
    kind.service,
    `rotating and deleting a device ends its sessions (${kind.name})`,
    async () => {
      await using scene = await MqttScene.start(kind);
      const { owner, room, chat: { chat } } = scene;
      const bridge = await scene.bridge({ beaconSeconds: 30 });
      chat.bus.listen({
        revoked: (revocation) => "principal" in revocation && bridge.revoked(revocation.principal),
        resumed: () => {},
        connected: () => {},
      });
      const device = await scene.device();
      bridge.revoked(device.id);
      await using old = await scene.connect(device);
      const { generation } = await rotateDevice(chat, owner, device.id);
      await until("the old session ends", () => old.closed);
      await using fresh = await scene.connect(device, { generation });
      await fresh.publish(topics.send(device.id, room), "after rotation");
      await fresh.waitFor(topics.receipts(device.id));
      await deleteDevice(chat, owner, device.id);
      await until("the session ends", () => fresh.closed);
    },
  );

  testWith(
    kind.service,
    `of two bridges one works, and the other follows (${kind.name})`,
    async () => {
      await using scene = await MqttScene.start(kind);
      const { room } = scene;
      const lease = { ttlMs: 2000, renewMs: 200 };
      const first = await scene.bridge({ lease });
      const second = await scene.bridge({ lease });
      const device = await scene.device(false);
      await using firmware = await scene.connect(device);
      await scene.join(device);
      const send = (key: string) =>
        firmware.publish(
          topics.send(device.id, room),
          JSON.stringify({ text: key, clientId: key }),
        );
      await send("1");
      await firmware.waitFor(topics.receipts(device.id));
      assert(first.health().active && !second.health().active);
      await first.stop();
      await send("2");
      await firmware.waitFor(topics.receipts(device.id), 2);
      assert(second.health().active);
      await until(
        "both entries",
        () => seqsOf(firmware, topics.events(device.id, room)).includes(4),
      );
      assertEquals(seqsOf(firmware, topics.events(device.id, room)), [2, 3, 4]);
    },
  );

  testWith(
    kind.service,
    `a bridge whose lease was taken stops at once (${kind.name})`,
    async () => {
      await using scene = await MqttScene.start(kind);
      const lease = { ttlMs: 3_600_000, renewMs: 100 };
      const bridge = await scene.bridge({ lease });
      await scene.chat.db.query("update leases set holder = 'other', term = term + 1");
      await until("it lets go", () => !bridge.health().active);
      await scene.chat.db.query("update leases set expires_at = now()");
      await until("it comes back when the lease is free", () => bridge.health().connected);
    },
  );
}
