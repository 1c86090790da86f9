import { assertEquals, assertRejects } from "@std/assert";
import { ConfabError } from "../errors.ts";
import { type Database, DatabaseError } from "../database/mod.ts";
import { newId } from "../ids.ts";
import { chatScene, newDevice, newPrincipal } from "../../testing/chat.ts";
import { faultyDatabase } from "../../testing/faulty_database.ts";
import { Appender } from "./appender.ts";
import { bridgeStore, deviceActions } from "./bridge.ts";
import { setMember } from "./members.ts";
import { createRoom } from "./rooms.ts";

const strict = { sanitizeOps: true, sanitizeResources: true, sanitizeExit: true };

Deno.test(
  "a device's message waits for a database that is away, and is not refused",
  strict,
  async () => {
    await using scene = await chatScene();
    const device = await newPrincipal(scene.db, "device");
    const away: Database = {
      query: () => Promise.reject(new DatabaseError("unknown", "cut on purpose")),
      transaction: () => Promise.reject(new DatabaseError("unknown", "cut on purpose")),
      [Symbol.asyncDispose]: () => Promise.resolve(),
    };
    const actions = deviceActions({ ...scene.chat, db: away });
    for (
      const read of [
        () => actions.device(device.id),
        () => actions.log(device, newId(), { after: 0 }, 10),
      ]
    ) {
      const error = await assertRejects(read, ConfabError);
      assertEquals(error.code, "unavailable");
    }
  },
);

Deno.test(
  "a device's messages behind one that must be repeated are not stored before it (P8)",
  strict,
  async () => {
    await using scene = await chatScene();
    const owner = await newPrincipal(scene.db);
    const { id: room } = await createRoom(scene.chat, owner, { name: "R", visibility: "private" });
    const device = await newDevice(scene.db, owner);
    await setMember(scene.chat, owner, room, device.id, "member");
    const deadlineMs = 50;
    const healsAt = performance.now() + deadlineMs;
    const db = faultyDatabase(scene.db, {
      before: () => {
        if (performance.now() < healsAt) throw new DatabaseError("unavailable", "on purpose");
      },
    });
    // Each batch is tried by itself: the first gives up when the second has not begun.
    const options = { deadlineMs, maxBatch: 2, lanes: 1, epoch: () => "e" };
    const appender = new Appender(db, scene.chat.bus, options);
    const { send } = deviceActions({ ...scene.chat, appender });
    const texts = Array.from({ length: 9 }, (_, i) => `${i}`);
    const messages = texts.map((text) => ({ clientId: text, body: { text } }));
    const results = await send(device, room, messages);
    assertEquals(
      results.map((result) => result.status === "rejected" && result.reason.code),
      texts.map(() => "unavailable"),
    );
    for (const result of await deviceActions(scene.chat).send(device, room, messages)) {
      assertEquals(result.status, "fulfilled");
    }
    const log = await bridgeStore(scene.chat).entries(room, 0, 100);
    const stored = log.flatMap(({ event }) =>
      event.type === "message.created" ? [event.message.text] : []
    );
    assertEquals(stored, texts);
  },
);
