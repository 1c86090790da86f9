/** Where a device has its answers sent: on both brokers, to itself alone, and nobody is held up. */
import { Buffer } from "node:buffer";
import { assertEquals } from "@std/assert";
import { receipt, withPair } from "../testing/device_pair.ts";
import { deviceWorlds, prefixOf, topicIn } from "../testing/device_world.ts";
import { testWith } from "../testing/services.ts";
import { until } from "../testing/until.ts";

for (const kind of await deviceWorlds()) {
  testWith(kind.service, `${kind.name}: a response topic leads to the sender alone`, async () => {
    await using world = await kind.start();
    await withPair(world, async ({ room, me, other, attacker, victim }, send) => {
      const mine = prefixOf(me);
      const elsewhere = [
        ...["responses", "receipts", "errors"].map((name) => other.topics[name]!),
        `${other.topics.responses}/x`,
        topicIn(other.topics.events!, room),
        topicIn(other.topics.head!, room),
        topicIn(me.topics.events!, room),
        me.topics.errors!,
        `${mine.toUpperCase()}responses`,
        `${mine}responses${"/x".repeat(17)}`,
        `${mine}responses/${"x".repeat(600)}`,
        "$CONTROL/dynamic-security/v1",
        "$SYS/x",
        `${mine}responses/#`,
        `${mine}responses/+`,
      ];
      for (const [i, responseTopic] of elsewhere.entries()) {
        const payload = JSON.stringify({ text: "hi", clientId: `r${i}` });
        const correlationData = Buffer.from(`r${i}`);
        const properties = {
          responseTopic,
          correlationData,
          userProperties: { "client-id": `r${i}` },
        };
        assertEquals(await attacker.publish(send, payload, { properties }), 0, responseTopic);
        await receipt(attacker, me, `r${i}`);
        const request = { requestId: `r${i}`, type: "log", room, limit: 1 };
        await attacker.publish(me.topics.requests!, JSON.stringify(request), { properties });
      }
      await until(
        "the answers come to its own topic",
        () => attacker.json(me.topics.responses!).length === elsewhere.length,
      );
      await world.sends(victim, other, room, "mine");
      const told = victim.messages.filter(({ topic }) => !topic.includes("/rooms/"));
      assertEquals(told.map(({ topic }) => topic), [other.topics.receipts]);

      // Dots are names like others, and it goes as deep as is promised
      const below = ["/x", `/../../${other.id}/receipts`, "/x".repeat(14), "/x".repeat(15)];
      for (const [i, levels] of below.entries()) {
        const responseTopic = `${me.topics.responses}${levels}`;
        const payload = JSON.stringify({ text: "deep", clientId: `deep${i}` });
        await attacker.publish(send, payload, { properties: { responseTopic } });
        await until(
          `an answer on ${levels}`,
          () => attacker.json(responseTopic)[0]?.clientId === `deep${i}`,
        );
      }
    });
  });

  testWith(
    kind.service,
    `${kind.name}: correlation data of any length is answered, and holds nobody up`,
    async () => {
      await using world = await kind.start();
      await withPair(world, async ({ room, me, other, attacker, victim }, send) => {
        // As large as an entry gets: each of these characters is six bytes of JSON.
        await attacker.publish(send, "\u0001".repeat(16_384));
        await until("it is stored", () => attacker.json(me.topics.receipts!).length === 1);
        const after = attacker.json(me.topics.receipts!)[0].seq - 1;
        for (const bytes of [49, 1024, 60_000]) {
          const properties = { correlationData: Buffer.alloc(bytes, "x") };
          const before = attacker.json(me.topics.errors!).length;
          await attacker.publish(send, `${bytes}`, { properties });
          await until("the error", () => attacker.json(me.topics.errors!).length > before);
          assertEquals(attacker.json(me.topics.errors!).at(-1)!.code, "invalid_request");
          const request = { requestId: `c${bytes}`, type: "log", room, after };
          await attacker.publish(me.topics.requests!, JSON.stringify(request), { properties });
          await until(
            "the answer",
            () =>
              [...attacker.json(me.topics.responses!), ...attacker.json(me.topics.errors!)].some((
                one,
              ) => one.requestId === `c${bytes}`),
          );
        }
        await world.sends(victim, other, room, "I go on");
        assertEquals((await world.messages(room)).length, 2);
      });
    },
  );
}
