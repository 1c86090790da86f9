import { assert, assertEquals, assertRejects } from "@std/assert";
import { chatNode, chatScene, newDevice, newPrincipal } from "../../testing/chat.ts";
import { faultyDatabase } from "../../testing/faulty_database.ts";
import { ConfabError } from "../errors.ts";
import { getState, setDesired } from "./device_states.ts";
import { setMember } from "./members.ts";
import { createRoom } from "./rooms.ts";

const strict = { sanitizeOps: true, sanitizeResources: true, sanitizeExit: true };

/** A room with a device that people wish things of. */
async function plant() {
  const scene = await chatScene();
  const { chat, db } = scene;
  const owner = await newPrincipal(db);
  const { id: room } = await createRoom(chat, owner, { name: "Plant", visibility: "private" });
  const device = await newDevice(db, owner);
  await setMember(chat, owner, room, device.id, "member");
  const key = { room, device: device.id };
  return {
    ...{ chat, db, owner, key },
    [Symbol.asyncDispose]: () => scene[Symbol.asyncDispose](),
  };
}

Deno.test(
  "changes that crowds on two nodes make without a version all count",
  strict,
  async () => {
    await using scene = await plant();
    const { chat, db, owner, key } = scene;
    const nodes = [chat, await chatNode(db)];
    const names = Array.from({ length: 60 }, (_, i) => `valve${i}`);
    const results = await Promise.allSettled(names.map((name, i) => {
      const node = nodes[i < 40 ? 0 : 1]!;
      return setDesired(node, owner, key, { desired: { [name]: i } }, {
        merge: true,
        patienceMs: 30_000,
      });
    }));
    const refused = results.flatMap((one) => one.status === "rejected" ? [one.reason.code] : []);
    assertEquals(refused, []);
    const { desired } = await getState(chat, owner, key);
    assertEquals(desired, Object.fromEntries(names.map((name, i) => [name, i])));
    assertEquals(nodes.map(({ wishes }) => wishes.size), [0, 0]);
  },
);

Deno.test(
  "who is always overtaken learns when to try again, and of no version that was not given",
  strict,
  async () => {
    await using scene = await plant();
    const { chat, db, owner, key } = scene;
    let rival = 0;
    const overtaken = faultyDatabase(db, {
      before: async (text) => {
        if (!text.includes("set_desired_state")) return;
        await setDesired(chat, owner, key, { desired: { rival: ++rival } }, { merge: false });
      },
    });
    const node = { ...chat, db: overtaken };
    const wish = (version?: number) =>
      setDesired(node, owner, key, {
        desired: { a: 1 },
        ...(version === undefined ? {} : { version }),
      }, { merge: true, patienceMs: 500 });
    const { code, retryAfter } = await assertRejects(() => wish(), ConfabError);
    assertEquals([code, retryAfter], ["unavailable", 1]);
    assert(rival > 1, "it was tried again");
    assertEquals((await assertRejects(() => wish(0), ConfabError)).code, "version_conflict");
    assertEquals((await getState(chat, owner, key)).desired, { rival });
  },
);
