import { assertEquals, assertRejects } from "@std/assert";
import {
  chatNode,
  type ChatScene,
  chatScene,
  newDevice,
  newPrincipal,
} from "../../testing/chat.ts";
import { faultyDatabase } from "../../testing/faulty_database.ts";
import type { Principal } from "../auth/principal.ts";
import { DatabaseError } from "../database/mod.ts";
import { ConfabError } from "../errors.ts";
import type { RoomId, RoomRole } from "../protocol.ts";
import { readEntries } from "../store/log.ts";
import { joinRoom, leaveRoom, listMembers, removeMember, setMember } from "./members.ts";
import { deleteMessage, editMessage, sendMessage } from "./messages.ts";
import { publicError } from "./outcome.ts";
import { postMessage } from "./post_message.ts";
import { changeRoom, createRoom, directRoom, getRoom } from "./rooms.ts";

const strict = { sanitizeOps: true, sanitizeResources: true, sanitizeExit: true };

async function code(promise: Promise<unknown>): Promise<string> {
  return await promise.then(() => "ok", (error) => {
    const shown = publicError(error);
    if (shown instanceof ConfabError) return shown.code;
    throw error;
  });
}

/** A room with somebody in every role. */
async function cast(scene: ChatScene, visibility: "public" | "private" = "private") {
  const { chat, db } = scene;
  const owner = await newPrincipal(db);
  const { id: room } = await createRoom(chat, owner, { name: "Room", visibility });
  const people: Record<RoomRole | "stranger", Principal> = {
    owner,
    admin: await newPrincipal(db),
    member: await newPrincipal(db),
    reader: await newPrincipal(db),
    stranger: await newPrincipal(db),
  };
  for (const role of ["admin", "member", "reader"] as const) {
    await setMember(chat, owner, room, people[role].id, role);
  }
  return { ...people, room };
}

async function roles({ chat }: ChatScene, viewer: Principal, room: RoomId) {
  const { items } = await listMembers(chat, viewer, room, { limit: 200 });
  return new Map(items.map(({ principal, role }) => [principal.id, role]));
}

Deno.test("Strangers see nothing of a private room", strict, async () => {
  await using scene = await chatScene();
  const { chat } = scene;
  const { room, stranger, member } = await cast(scene);
  assertEquals(await code(getRoom(chat, stranger, room)), "not_found");
  assertEquals(await code(joinRoom(chat, stranger, room)), "not_found");
  assertEquals(await code(leaveRoom(chat, stranger, room)), "not_found");
  assertEquals(await code(listMembers(chat, stranger, room, { limit: 9 })), "not_found");
  assertEquals(await code(setMember(chat, stranger, room, stranger.id, "owner")), "not_found");
  assertEquals(await code(removeMember(chat, stranger, room, member.id)), "not_found");
  assertEquals(await code(joinRoom(chat, stranger, crypto.randomUUID())), "not_found");
});

Deno.test("A public room is read by everybody signed in, but devices", strict, async () => {
  await using scene = await chatScene();
  const { chat, db } = scene;
  const { room, owner, stranger } = await cast(scene, "public");
  const guest = await newPrincipal(db, "guest");
  const device = await newDevice(db, owner);
  for (const viewer of [stranger, guest]) {
    assertEquals("role" in await getRoom(chat, viewer, room), false);
    assertEquals((await roles(scene, viewer, room)).get(owner.id), "owner");
    assertEquals(await code(setMember(chat, viewer, room, viewer.id, "admin")), "not_a_member");
    assertEquals(await code(removeMember(chat, viewer, room, owner.id)), "not_a_member");
    await leaveRoom(chat, viewer, room);
    const joined = await joinRoom(chat, viewer, room);
    assertEquals([joined.role, joined.unread], ["member", 0]);
    assertEquals((await joinRoom(chat, viewer, room)).head, joined.head);
  }
  assertEquals(await code(getRoom(chat, device, room)), "not_found");
  assertEquals(await code(joinRoom(chat, device, room)), "not_found");
});

Deno.test("Owners and admins alone change memberships", strict, async () => {
  await using scene = await chatScene();
  const { chat, db } = scene;
  const { room, owner, admin, member, reader } = await cast(scene);
  const someone = await newPrincipal(db);
  for (const actor of [member, reader]) {
    assertEquals(await code(setMember(chat, actor, room, someone.id, undefined)), "forbidden");
    assertEquals(await code(setMember(chat, actor, room, actor.id, "admin")), "forbidden");
    assertEquals(await code(removeMember(chat, actor, room, admin.id)), "forbidden");
  }
  assertEquals(await code(setMember(chat, admin, room, someone.id, "owner")), "forbidden");
  assertEquals(await code(setMember(chat, admin, room, owner.id, "member")), "forbidden");
  assertEquals(await code(removeMember(chat, admin, room, owner.id)), "forbidden");
  assertEquals((await setMember(chat, admin, room, someone.id, undefined)).created, true);
  const again = await setMember(chat, admin, room, someone.id, undefined);
  assertEquals([again.created, again.member.role], [false, "member"]);
  const raised = await setMember(chat, admin, room, someone.id, "admin");
  assertEquals([raised.created, raised.member.role], [false, "admin"]);
  assertEquals(
    await code(setMember(chat, owner, room, crypto.randomUUID(), "member")),
    "not_found",
  );
  await removeMember(chat, admin, room, someone.id);
  await removeMember(chat, admin, room, someone.id);
  assertEquals((await roles(scene, owner, room)).has(someone.id), false);
});

Deno.test("A room keeps an owner while anybody is in it", strict, async () => {
  await using scene = await chatScene();
  const { chat } = scene;
  const { room, owner, admin, member, reader } = await cast(scene);
  assertEquals(await code(leaveRoom(chat, owner, room)), "last_owner");
  assertEquals(await code(setMember(chat, owner, room, owner.id, "member")), "last_owner");
  assertEquals(await code(removeMember(chat, owner, room, owner.id)), "last_owner");
  await setMember(chat, owner, room, member.id, "owner");
  await Promise.allSettled([leaveRoom(chat, owner, room), leaveRoom(chat, member, room)]);
  const left = await roles(scene, admin, room);
  assertEquals([...left.values()].filter((role) => role === "owner").length, 1);
  const last = left.has(owner.id) ? owner : member;
  for (const person of [admin, reader]) await removeMember(chat, last, room, person.id);
  await leaveRoom(chat, last, room);
  assertEquals(await code(getRoom(chat, last, room)), "not_found");
});

Deno.test(
  "Whoever is removed loses their devices in the room, but keeps them by leaving",
  strict,
  async () => {
    await using scene = await chatScene();
    const { chat, db } = scene;
    const [owner, admin, other] = await Promise.all([1, 2, 3].map(() => newPrincipal(db)));
    const { id: room } = await createRoom(chat, owner!, { name: "Room", visibility: "private" });
    const present = async () =>
      (await listMembers(chat, owner!, room, { limit: 50 })).items.map((m) => m.principal.id)
        .sort();
    for (const person of [admin!, other!]) await setMember(chat, owner!, room, person.id, "admin");
    const device = await newDevice(db, admin!);
    const kept = await newDevice(db, other!);
    await setMember(chat, admin!, room, device.id, "member");
    await setMember(chat, other!, room, kept.id, "member");
    await leaveRoom(chat, other!, room);
    await removeMember(chat, owner!, room, admin!.id);
    assertEquals(await present(), [owner!.id, kept.id].sort());
    assertEquals(await code(sendMessage(chat, device, room, "d1", { text: "x" })), "not_found");
    // The rest of a removal that failed half-way.
    await removeMember(chat, owner!, room, other!.id);
    assertEquals(await present(), [owner!.id]);
  },
);

Deno.test("A device joins with its owner alone, who may always take it out", strict, async () => {
  await using scene = await chatScene();
  const { chat, db } = scene;
  const { room, owner, admin, member } = await cast(scene);
  const device = await newDevice(db, admin);
  assertEquals(await code(setMember(chat, owner, room, device.id, "member")), "not_found");
  assertEquals((await setMember(chat, admin, room, device.id, "member")).created, true);
  await sendMessage(chat, device, room, "d1", { text: "21 °C" });
  assertEquals(await code(removeMember(chat, member, room, device.id)), "forbidden");
  await setMember(chat, owner, room, admin.id, "reader");
  await removeMember(chat, admin, room, device.id);
  await setMember(chat, owner, room, admin.id, "admin");
  await setMember(chat, admin, room, device.id, "member");
  // Its owner has left the room, and it is still theirs to take out.
  await leaveRoom(chat, admin, room);
  await removeMember(chat, admin, room, device.id);
  assertEquals((await roles(scene, owner, room)).has(device.id), false);
  assertEquals(await code(removeMember(chat, admin, room, member.id)), "not_found");
  assertEquals(await code(removeMember(chat, admin, room, device.id)), "not_found");
});

Deno.test("Those whose access ended can do nothing and be added nowhere", strict, async () => {
  await using scene = await chatScene();
  const { chat, db } = scene;
  const { room, owner, member, stranger } = await cast(scene, "public");
  await db.query("update principals set disabled_at = now() where id = any ($1::uuid[])", [
    [member.id, stranger.id],
  ]);
  for (const gone of [member, stranger]) {
    assertEquals(await code(getRoom(chat, gone, room)), "not_found");
    assertEquals(await code(sendMessage(chat, gone, room, "x", { text: "x" })), "not_found");
    assertEquals(await code(setMember(chat, owner, room, gone.id, "admin")), "not_found");
  }
  assertEquals(await code(joinRoom(chat, stranger, room)), "not_found");
  await removeMember(chat, owner, room, member.id);
});

Deno.test("The members of a direct room cannot change", strict, async () => {
  await using scene = await chatScene();
  const { chat, db } = scene;
  const [a, b, c] = [await newPrincipal(db), await newPrincipal(db), await newPrincipal(db)];
  const { room } = await directRoom(chat, a, b.id);
  assertEquals(await code(setMember(chat, a, room.id, c.id, "member")), "direct_room");
  assertEquals(await code(removeMember(chat, a, room.id, b.id)), "direct_room");
  assertEquals(await code(leaveRoom(chat, a, room.id)), "direct_room");
  assertEquals(await code(joinRoom(chat, c, room.id)), "not_found");
});

Deno.test("A direct room is made once, whoever asks and however often", strict, async () => {
  await using scene = await chatScene();
  const { chat, db } = scene;
  const [a, b] = [await newPrincipal(db, "user", "Ann"), await newPrincipal(db, "user", "Bo")];
  const opened = await Promise.all(
    Array.from(
      { length: 20 },
      (_, i) => i % 2 ? directRoom(chat, a, b.id) : directRoom(chat, b, a.id),
    ),
  );
  assertEquals(new Set(opened.map(({ room }) => room.id)).size, 1);
  assertEquals(opened.filter(({ created }) => created).length, 1);
  const room = opened[0]!.room.id;
  assertEquals((await readEntries(db, room, 1, 9)).map(({ event }) => event.type), [
    "member.joined",
    "member.joined",
  ]);
  assertEquals(await roles(scene, a, room), new Map([[a.id, "member"], [b.id, "member"]]));
  const seen = await getRoom(chat, a, room);
  assertEquals([seen.name, "peer" in seen && seen.peer?.id], ["Bo", b.id]);
  assertEquals((await getRoom(chat, b, room)).name, "Ann");
  const guest = await newPrincipal(db, "guest");
  for (const peer of [a.id, guest.id, (await newDevice(db, a)).id, crypto.randomUUID()]) {
    assertEquals(await code(directRoom(chat, a, peer)), "not_found");
  }
  assertEquals(await code(directRoom(chat, guest, a.id)), "not_found");
});

Deno.test("Every change of a membership is in the log, and no refusal", strict, async () => {
  await using scene = await chatScene();
  const { chat } = scene;
  const { room, owner, member, stranger } = await cast(scene, "public");
  await joinRoom(chat, stranger, room);
  await joinRoom(chat, stranger, room);
  await setMember(chat, owner, room, member.id, "reader");
  await code(setMember(chat, member, room, member.id, "owner"));
  await leaveRoom(chat, stranger, room);
  await removeMember(chat, owner, room, member.id);
  const events = (await readEntries(scene.db, room, 5, 99)).map(({ seq, event }) => [
    seq,
    event.type,
    "member" in event ? event.member.principal.id : "principal" in event ? event.principal.id : "",
    "member" in event ? [event.member.role, event.member.joinedSeq] : [],
  ]);
  assertEquals(events, [
    [5, "member.joined", stranger.id, ["member", 5]],
    [6, "member.role", member.id, ["reader", 3]],
    [7, "member.left", stranger.id, []],
    [8, "member.removed", member.id, []],
  ]);
});

Deno.test("listMembers() pages in order and refuses other cursors", strict, async () => {
  await using scene = await chatScene();
  const { chat } = scene;
  const { room, owner } = await cast(scene);
  const ids: string[] = [];
  let cursor: string | null | undefined;
  do {
    const page = await listMembers(chat, owner, room, {
      limit: 3,
      ...(cursor ? { cursor } : {}),
    });
    ids.push(...page.items.map(({ principal }) => principal.id));
    cursor = page.next;
  } while (cursor !== null);
  assertEquals(ids, [...(await roles(scene, owner, room)).keys()]);
  for (const garbage of ["", "x", "%%%", btoa("[1]"), btoa('["a","b"]'), btoa('["not an id"]')]) {
    const listed = listMembers(chat, owner, room, { limit: 3, cursor: garbage });
    const error = await assertRejects(() => listed, ConfabError);
    assertEquals(error.code, "invalid_cursor");
  }
});

Deno.test(
  "A member is added or changed for whoever asked, also when removed at once",
  strict,
  async () => {
    await using scene = await chatScene();
    const { chat, db } = scene;
    const { room, owner, stranger, reader } = await cast(scene);
    const { member: { joinedSeq } } = await setMember(chat, owner, room, reader.id, undefined);
    const removing = (subject: Principal) =>
      faultyDatabase(db, {
        async after(text) {
          if (text.includes("put_member")) await removeMember(chat, owner, room, subject.id);
        },
      });
    const set = (subject: Principal, role?: RoomRole) =>
      setMember({ ...chat, db: removing(subject) }, owner, room, subject.id, role);
    const added = await set(stranger, "admin");
    assertEquals([added.created, added.member.principal.id, added.member.role], [
      true,
      stranger.id,
      "admin",
    ]);
    const same = await set(reader, "reader");
    assertEquals([same.created, same.member.role, same.member.joinedSeq], [
      false,
      "reader",
      joinedSeq,
    ]);
    assertEquals((await roles(scene, owner, room)).has(reader.id), false);
  },
);

Deno.test(
  "What was committed before the database went away is not called unavailable",
  strict,
  async () => {
    await using scene = await chatScene();
    const { chat, db } = scene;
    const { room, owner, stranger } = await cast(scene, "public");
    let gone = false;
    const leaving = faultyDatabase(db, {
      before() {
        if (gone) throw new DatabaseError("unavailable", "gone");
      },
      after(text) {
        gone = /(put|delete)_member|create_room|update_room|open_direct|change_message|append_/
          .test(text);
      },
    });
    const context = { ...chat, db: leaving };
    const { appender } = await chatNode(leaving, chat.bus);
    const appending = { ...context, appender };
    const told = async (act: () => Promise<unknown>) => {
      gone = false;
      return await code(act());
    };
    const { seq } = await sendMessage(chat, owner, room, "a", { text: "a" });
    const all = [
      await told(() => joinRoom(context, stranger, room)),
      await told(() => setMember(context, owner, room, stranger.id, "admin")),
      await told(() => createRoom(context, owner, { name: "Twice", visibility: "public" })),
      await told(() => changeRoom(context, owner, room, { topic: "new" })),
      await told(() => directRoom(context, owner, stranger.id)),
      await told(() => editMessage(context, owner, room, seq, { text: "b" })),
      await told(() => deleteMessage(context, owner, room, seq)),
      await told(() => postMessage(appending, owner, room, "a", { text: "a" })),
      await told(() => removeMember(context, owner, room, stranger.id)),
    ];
    assertEquals(all, all.map(() => "outcome_unknown"));
  },
);

Deno.test(
  "Whoever is removed right after joining is not shown the room as a member",
  strict,
  async () => {
    await using scene = await chatScene();
    const { chat, db } = scene;
    const { room, owner, stranger, admin } = await cast(scene, "public");
    const removing = (subject: Principal) =>
      faultyDatabase(db, {
        async after(text) {
          if (/put_member|update_room/.test(text)) {
            await removeMember(chat, owner, room, subject.id);
          }
        },
      });
    const join = joinRoom({ ...chat, db: removing(stranger) }, stranger, room);
    assertEquals(await code(join), "not_a_member");
    const change = changeRoom({ ...chat, db: removing(admin) }, admin, room, { topic: "new" });
    assertEquals(await code(change), "not_a_member");
  },
);

Deno.test("Whoever was removed since is still told what they stored", strict, async () => {
  await using scene = await chatScene();
  const { chat } = scene;
  const { room, owner, member } = await cast(scene);
  const post = () => postMessage(chat, member, room, "a", { text: "a" });
  const { message } = await post();
  await removeMember(chat, owner, room, member.id);
  assertEquals(await post(), { message, duplicate: true });
});
