import { assertEquals, assertRejects } from "@std/assert";
import { ConfabError } from "../errors.ts";
import { type Database, DatabaseError } from "../database/mod.ts";
import { newId } from "../ids.ts";
import { chatScene, newPrincipal } from "../../testing/chat.ts";
import { deviceActions } from "./bridge.ts";

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
