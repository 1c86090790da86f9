/** A device says something in another's name: on both brokers, what it says is its own. */
import { assert, assertEquals } from "@std/assert";
import { receipt, withPair } from "../testing/device_pair.ts";
import { deviceWorlds, prefixOf, topicIn } from "../testing/device_world.ts";
import { testWith } from "../testing/services.ts";
import { until } from "../testing/until.ts";

for (const kind of await deviceWorlds()) {
  testWith(kind.service, `${kind.name}: a last will says nothing elsewhere`, async () => {
    await using world = await kind.start();
    await withPair(world, async ({ room, me, other, victim }, send) => {
      const foreign = [
        ...["send", "events", "head"].map((name) => topicIn(other.topics[name]!, room)),
        ...["receipts", "errors", "commands", "status", "requests"].map((n) => other.topics[n]!),
        topicIn(me.topics.events!, room),
        "$CONTROL/dynamic-security/v1",
        "$SYS/x",
        `${prefixOf(other)}rooms/${"x/".repeat(300)}send`,
      ];
      for (const version of [4, 5] as const) {
        for (const topic of [...foreign, send]) {
          const text = topic === send ? "my will" : "forged";
          const payload = topic.startsWith("$CONTROL")
            ? JSON.stringify({ commands: [{ command: "deleteClient", username: other.username }] })
            : JSON.stringify({ text, clientId: `${text.slice(0, 2)}-${version}` });
          const will = { topic, payload, qos: 1 as const, retain: true };
          const dying = await world.open(me, { will, version });
          await dying.drop();
        }
      }
      await until("its own wills", async () => (await world.messages(room)).length === 2);
      await world.sends(victim, other, room, "still here");
      assertEquals((await world.messages(room)).map(({ text, sender }) => [sender.id, text]), [
        [me.id, "my will"],
        [me.id, "my will"],
        [other.id, "still here"],
      ]);
      assertEquals(victim.messages.filter(({ payload }) => payload.includes("forged")), []);
      await using again = await world.listen(other);
      assertEquals(again.messages.filter(({ payload }) => payload.includes("forged")), []);
    });
  });

  testWith(kind.service, `${kind.name}: nothing in a message says who sent it`, async () => {
    await using world = await kind.start();
    await withPair(world, async ({ room, me, other, attacker, victim }, send) => {
      const userProperties = {
        sender: other.id,
        "sender-id": other.id,
        from: other.id,
        username: other.username,
        "client-id": ["first", "second"],
        ["__proto__"]: other.id,
      };
      await attacker.publish(send, "by property", { properties: { userProperties } });
      await receipt(attacker, me, "first");
      const claims = { sender: { id: other.id, kind: "device", name: "x" }, actor: other.id };
      const asText = JSON.stringify({ text: "by field", ...claims });
      await attacker.publish(send, asText);
      const enveloped = { text: "by data", data: claims, metadata: claims, clientId: "c" };
      await attacker.publish(send, JSON.stringify(enveloped));
      await receipt(attacker, me, "c");
      await world.sends(victim, other, room, "by me");
      const messages = await world.messages(room);
      assertEquals(messages.map(({ sender, text }) => [sender.id, text]), [
        [me.id, "by property"],
        [me.id, asText],
        [me.id, "by data"],
        [other.id, "by me"],
      ]);
    });
  });

  testWith(
    kind.service,
    `${kind.name}: two devices' equal keys are two messages, and stay their own`,
    async () => {
      await using world = await kind.start();
      await withPair(world, async ({ room, me, other, attacker, victim }, send) => {
        const payload = (text: string) => JSON.stringify({ text, clientId: "boot1-1" });
        const theirs = topicIn(other.topics.send!, room);
        await victim.publish(theirs, payload("from the victim"));
        const first = await receipt(victim, other, "boot1-1");
        await attacker.publish(send, payload("from the attacker"));
        const second = await receipt(attacker, me, "boot1-1");
        assert(!first.duplicate && !second.duplicate && first.seq !== second.seq);
        await victim.publish(theirs, payload("from the victim"));
        await until("the repeat", () => victim.json(other.topics.receipts!).length === 2);
        assertEquals(victim.json(other.topics.receipts!)[1].seq, first.seq);
        const events = topicIn(me.topics.events!, room);
        const keys = () =>
          attacker.json(events).flatMap(({ event: { message } }) =>
            message === undefined ? [] : [[message.sender.id, message.clientId]]
          );
        await until("both events", () => keys().length === 2);
        assertEquals(keys(), [[other.id, undefined], [me.id, "boot1-1"]]);
      });
    },
  );
}
